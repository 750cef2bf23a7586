"""Finding models, runs and files by path and by name."""

from pathlib import Path

import pytest

from namd.errors import ConfigError, DataError, ModelError
from namd.io import library
from namd.io.library import find_file, find_model, find_network, find_run_config, in_library


@pytest.fixture
def shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A checkout and an installed library, and a working directory with neither."""
    checkout, installed = tmp_path / "checkout", tmp_path / "installed"
    for root, names in ((checkout, ["new", "both"]), (installed, ["old", "both"])):
        for name in names:
            (root / "models" / name).mkdir(parents=True)
            (root / "models" / name / "model.json").write_text("{}")
            (root / "trajectories").mkdir(exist_ok=True)
            (root / "trajectories" / f"{name}.yaml").write_text(f"# {root.name}")
        (root / "trajectories" / "classes-x.yaml").write_text("")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(library, "library_roots", lambda: [checkout, installed])
    return checkout, installed


def test_names_are_found_in_the_checkout_first(shelves: tuple[Path, Path]) -> None:
    checkout, installed = shelves
    assert find_model("both") == checkout / "models/both"
    assert find_model("old") == installed / "models/old"
    assert find_model("models/old") == installed / "models/old"
    for name in ("both", "both.yaml", "trajectories/both.yaml"):
        assert find_run_config(name) == checkout / "trajectories/both.yaml"
    assert find_file("models/old/model.json") == installed / "models/old/model.json"


def test_a_path_wins_over_a_name_and_the_configurations_folder_over_all(
    shelves: tuple[Path, Path], tmp_path: Path
) -> None:
    here = Path("both")
    here.mkdir()
    assert find_model("both") == here
    beside = tmp_path / "beside"
    (beside / "both").mkdir(parents=True)
    assert find_model("both", base=beside) == beside / "both"
    assert find_model(str(beside / "both")) == beside / "both"


def test_a_file_of_the_library_is_taken_where_there_is_none_of_that_name(
    shelves: tuple[Path, Path],
) -> None:
    checkout, _ = shelves
    name = Path("trajectories/both.yaml")
    assert in_library(name) == checkout / name
    assert in_library(Path("trajectories")) == Path("trajectories")  # a file is wanted
    assert in_library(Path("gone.yaml")) == Path("gone.yaml")
    name.parent.mkdir()
    name.write_text("mine")
    assert in_library(name) == name


def test_what_is_not_found_is_answered_with_what_there_is(shelves: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError) as model:
        find_model("bth")
    assert model.value.hint is not None
    assert 'did you mean "both"?' in model.value.hint
    assert "new, old" in model.value.hint or "both, new, old" in model.value.hint
    with pytest.raises(ConfigError) as run:
        find_run_config("nothing-like-it")
    assert run.value.hint == "the library holds both, new, old"
    for no_name in ("", ".", "..", "/"):
        with pytest.raises(ConfigError, match="no such configuration"):
            find_run_config(no_name)
    with pytest.raises(DataError, match="no such file"):
        find_file("gone.h5")


def test_a_network_is_a_configuration_of_the_zoo_or_a_model(shelves: tuple[Path, Path]) -> None:
    checkout, installed = shelves
    for shelf in ("published", "ethylene"):
        (installed / "models" / shelf).mkdir()
    planned = installed / "models" / "published" / "mace-64.yaml"
    planned.write_text("")
    (installed / "models" / "ethylene" / "engine.yaml").write_text("")
    assert find_network("mace-64") == planned
    assert find_network("both") == checkout / "models" / "both"
    assert find_network("mine.yaml") == Path("mine.yaml")
    with pytest.raises(ModelError) as missing:
        find_network("mace-46")
    assert missing.value.hint is not None
    assert 'did you mean "mace-64"?' in missing.value.hint
    with pytest.raises(ModelError):  # a configuration, but of no training
        find_network("engine")


def test_a_plan_of_a_network_is_told_from_a_trained_model(shelves: tuple[Path, Path]) -> None:
    checkout, _ = shelves
    (checkout / "models/published").mkdir()
    (checkout / "models/published/mace.yaml").write_text("")
    Path("mine.yaml").write_text("")
    for name in ("mace", "mine.yaml"):
        with pytest.raises(ModelError, match="not a trained model") as caught:
            find_model(name)
        assert f"namd train {name}" in (caught.value.hint or "")
        assert find_network(name).suffix == ".yaml"
    Path("notes.md").write_text("")
    for find in (find_model, find_network):
        with pytest.raises(ModelError, match="this is a file"):
            find("notes.md")
