"""Model folders: a bitwise round trip, and one message for each way of being broken."""

import json
from pathlib import Path

import pytest
import torch

from namd.config.head import QuasiDiabaticHead
from namd.errors import ModelError
from namd.io.model_header import HEADER_FILE
from namd.nn.model_folder import WEIGHTS_FILE, load_model, read_header, save_model
from tests.unit.nn.conftest import geometries, make_model

KINDS = ["fusion", "perceptron", "mofd-sparse", "cofd"]


@pytest.fixture(name="folder")
def make_folder(tmp_path: Path) -> Path:
    save_model(make_model("perceptron"), tmp_path)
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    """Replace entries of the header; None removes one."""
    header = json.loads((folder / HEADER_FILE).read_text()) | changes
    kept = {name: value for name, value in header.items() if value is not None}
    (folder / HEADER_FILE).write_text(json.dumps(kept))


def refusal(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert caught.value.exit_code == 3
    assert str(folder) in str(caught.value.where)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("double", [False, True])
def test_what_was_saved_comes_back_bit_by_bit(tmp_path: Path, kind: str, double: bool) -> None:
    model = make_model(kind)
    if not double:
        model.network.float()
    digest = save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.dtype == (torch.float64 if double else torch.float32)
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
        assert ours[name].dtype == theirs[name].dtype
    one, other = model.adiabatic(geometries(3)), loaded.adiabatic(geometries(3))
    assert torch.equal(one.energies, other.energies)
    assert torch.equal(one.forces, other.forces)
    header, information = read_header(tmp_path)
    assert header["sha256"] == digest
    assert information.states == model.information.states
    assert information.architecture == model.information.architecture
    assert information.molecule.masses.tolist() == model.information.molecule.masses.tolist()
    assert information.diabats == model.information.diabats
    assert not loaded.training


def test_the_random_state_is_left_alone(folder: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load_model(folder)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("position", [0, 100, -1])
def test_one_altered_byte_of_the_weights_is_noticed(folder: Path, position: int) -> None:
    content = bytearray((folder / WEIGHTS_FILE).read_bytes())
    content[position] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(content)
    error = refusal(folder)
    assert "SHA-256" in error.message
    assert WEIGHTS_FILE in str(error.where)


def test_weights_cut_short_are_noticed(folder: Path) -> None:
    content = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(content[: len(content) // 2])
    assert "cut short" in refusal(folder).message


@pytest.mark.parametrize("name", [HEADER_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    error = refusal(folder)
    assert name in str(error.where)
    assert error.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[1, 2]", "not a namd-model header"),
        ('{"model_type": "bert"}', "not a namd-model header"),
        ("\udcff", "not valid JSON"),
    ],
)
def test_a_foreign_header_is_refused(folder: Path, content: str, message: str) -> None:
    (folder / HEADER_FILE).write_bytes(content.encode(errors="surrogateescape"))
    assert message in refusal(folder).message


@pytest.mark.parametrize("kind", ["fusion", "mofd-sparse", "cofd"])
def test_models_made_before_there_was_a_choice_keep_their_bound(tmp_path: Path, kind: str) -> None:
    save_model(make_model(kind), tmp_path)
    architecture = json.loads((tmp_path / HEADER_FILE).read_text())["architecture"]
    assert architecture.pop("offdiagonal_bound") == "arctan"
    edit(tmp_path, architecture=architecture)
    assert read_header(tmp_path)[1].architecture.offdiagonal_bound == "tanh"


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_version_is_refused(folder: Path, version: object) -> None:
    edit(folder, format_version=version)
    assert "format version" in refusal(folder).message


@pytest.mark.parametrize(
    "changes",
    [
        {"states": None},
        {"states": ["S0", "S0"]},
        {"states": ["S0", "S1", "S2", "S3", "S4"]},
        {"molecule": {"atomic_numbers": [6], "masses": [1.0, 2.0], "charge": 0}},
        {"molecule": {"atomic_numbers": [6], "masses": [-1.0], "charge": 0}},
        {"molecule": "methane"},
        {"architecture": {"kind": "transformer"}},
        {"architecture": {"kind": "perceptron", "hidden": 16, "layers": 2, "extra": 1}},
        {"diabats": "four"},
        {"head": {"kind": "direct"}},  # of 3 states with 4 diabats
        {"head": {"kind": "quasi-diabatic", "odd_diabats": [4]}},
        {"dtype": "float16"},
        {"sha256": 5},
    ],
    ids=str,
)
def test_a_damaged_header_is_refused(folder: Path, changes: dict[str, object]) -> None:
    edit(folder, **changes)
    assert "the header is damaged" in refusal(folder).message


def test_a_damaged_header_is_told_by_its_entry(folder: Path) -> None:
    header = json.loads((folder / HEADER_FILE).read_text())
    del header["states"]
    (folder / HEADER_FILE).write_text(json.dumps(header))
    assert refusal(folder).message == "the header is damaged: 'states' is missing"
    edit(folder, architecture={"kind": "perceptron", "hidden": -1, "layers": 2})
    assert "architecture.hidden: Input should be greater" in refusal(folder).message
    edit(
        folder,
        architecture={"kind": "perceptron", "hidden": 16, "layers": 2},
        head={"kind": "quasi-diabatic", "residual": "much"},
    )
    assert "head.residual: Input should be a valid boolean" in refusal(folder).message


def test_models_made_before_there_were_heads_are_quasi_diabatic(folder: Path) -> None:
    edit(folder, head=None)
    assert load_model(folder).information.head == QuasiDiabaticHead()


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": {"kind": "perceptron", "hidden": 8, "layers": 2}},
        {"architecture": {"kind": "fusion"}},
        {"diabats": 5},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_weights_of_another_architecture_are_refused(
    folder: Path, changes: dict[str, object]
) -> None:
    edit(folder, **changes)
    assert "do not fit" in refusal(folder).message


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    model = make_model("perceptron")
    with torch.no_grad():
        next(model.network.parameters())[0, 0] = float("nan")
    save_model(model, tmp_path)
    assert "not numbers" in refusal(tmp_path).message
