"""Heads as a user meets them: trained, evaluated, run, refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from namd.cli.main import run
from namd.data.dataset import Dataset
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.io.ensemble import read_ensemble
from namd.molecule import Molecule
from namd.nn.model_folder import load_model
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR

CONFIG = """
name: tiny
data: {file: labels.h5, validation: [walk-1], test: ["walk-2", "walk-3"]}
network: {kind: fusion, channels: 3, l_max: 1, correlation: 2, radial: 3, hidden: 6}
optimiser: {epochs: 2, batch_size: 8, warmup_steps: 2, learning_rate: 0.01}
seed: 3
device: cpu
"""
DYNAMICS = """
potential: {model: model}
initial_conditions:
  {method: boltzmann, geometry: {file: start.xyz}, positions: fixed, temperature_k: 300, state: 1}
dynamics: {timestep_fs: 0.25, duration_fs: 2, electronic: nac-vectors}
output: {every_fs: 0.5}
trajectories: 3
seed: 1
"""
XYZ = """6

C 0 0 0
N 0 0 1.27
H 0.9 0 -0.58
H -0.9 0 -0.58
H 0.85 0 1.8
H -0.85 0 1.8
"""
HEADS = {
    "direct": "{kind: direct}",
    "residual": "{kind: quasi-diabatic, residual: true}",
    "odd": "{kind: quasi-diabatic, odd_diabats: [1]}",
}
MACE = (
    "kind: mace, channels: 2, l_max: 1, hidden_l: 1, correlation: 2, radial_hidden: [4], hidden: 4"
)
CORMORANT = "kind: cormorant, channels: 2, l_max: 1, layers: 2, hidden: 4"
PUBLISHED = {
    "MACE": f"{{{MACE}}}",
    "sparse MoFD": f"{{{MACE}, fusion: sparse}}",
    "dense MoFD": f"{{{MACE}, fusion: dense}}",
    "Cormorant": f"{{{CORMORANT}}}",
    "CoFD": f"{{{CORMORANT}, fusion: sparse}}",
}


@pytest.fixture
def folder(tmp_path: Path, make_labelled: Callable[..., Any]) -> Path:
    labels = make_labelled(32, states=2, basis=True)
    shifted = {"diabatic_hamiltonian": labels["diabatic_hamiltonian"] + 0.001}
    write_dataset(labels, tmp_path / "labels.h5")
    write_dataset(make_labelled(32, states=2), tmp_path / "without.h5")
    wrong = make_labelled(32, states=2, basis=True, arrays=shifted)
    write_dataset(wrong, tmp_path / "wrong.h5")
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    (tmp_path / "run.yaml").write_text(DYNAMICS)
    (tmp_path / "start.xyz").write_text(XYZ)
    return tmp_path


def train(folder: Path, *changes: str) -> int:
    options = [word for change in changes for word in ("--set", change)]
    return run(["train", str(folder / "tiny.yaml"), "--output", str(folder / "model"), *options])


@pytest.mark.parametrize("derivatives", ["full", "sampled"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_every_head_is_trained_described_and_run(
    folder: Path, head: str, derivatives: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, f"head={head}", f"loss.derivatives={derivatives}") == 0
    capsys.readouterr()
    assert run(["models", "describe", str(folder / "model"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["head"]
    assert told["kind"] == ("direct" if "direct" in head else "quasi-diabatic")
    assert run(["evaluate", str(folder / "model"), str(folder / "labels.h5"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coupling_r2"] is not None
    command = ["run", "surface-hopping", str(folder / "run.yaml"), "--output", str(folder / "run")]
    assert run(command) == 0
    ensemble = read_ensemble(folder / "run")
    assert ensemble.n_trajectories == 3
    assert len(ensemble.time) == 5


@pytest.mark.parametrize("network", PUBLISHED.values(), ids=PUBLISHED)
def test_every_published_network_is_trained_evaluated_and_run(
    folder: Path, network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With more diabats than states, by the electronics that the default run has."""
    assert train(folder, f"network={network}", "diabats=3") == 0
    capsys.readouterr()
    assert run(["evaluate", str(folder / "model"), str(folder / "labels.h5"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["coupling_r2"] is not None
    command = ["run", "surface-hopping", str(folder / "run.yaml"), "--output", str(folder / "run")]
    change = ["--set", "dynamics.electronic=local-diabatization"]
    assert run([*command, *change]) == 0
    ensemble = read_ensemble(folder / "run")
    assert (ensemble.n_trajectories, len(ensemble.time)) == (3, 5)
    assert np.isfinite(ensemble.energies).all()


def write_water(path: Path) -> None:
    """Labels of two states that differ under exchange of the hydrogens: W01 = c (r1 − r2)."""
    rng = np.random.default_rng(0)
    minimum = np.array([[0.0, 0, 0], [1.8, 0, 0], [-0.5, 1.7, 0]])
    moved = minimum + 0.1 * rng.standard_normal((32, 3, 3))
    positions = torch.from_numpy(moved).requires_grad_()
    r = (positions[:, 1:] - positions[:, :1]).norm(dim=-1)
    own = 0.1 * (r - 1.8).square().sum(1)
    elements = (own, own + 0.3 + 0.02 * r.sum(1), 0.03 * (r[:, 0] - r[:, 1]))
    slopes = [torch.autograd.grad(e.sum(), positions, retain_graph=True)[0] for e in elements]
    w, dw = (torch.stack([a, c, c, b], 1) for a, b, c in (elements, slopes))
    energies, u = torch.linalg.eigh(w.detach().reshape(32, 2, 2))
    turned = torch.einsum("fki,fklax,flj->fijax", u, dw.reshape(32, 2, 2, 3, 3), u)
    arrays = {
        "positions": moved,
        "energies": energies.numpy(),
        "forces": -torch.stack([turned[:, 0, 0], turned[:, 1, 1]], 1).numpy(),
        "interstate_coupling": turned[:, 0, 1][:, None].numpy(),
        "group": np.array([f"walk-{k % 4}" for k in range(32)]),
        "source": np.full(32, "test"),
    }
    dataset = Dataset(
        molecule=Molecule.from_numbers(np.array([8, 1, 1])),
        states=StateSpace.singlets(2),
        level_of_theory="test",
        arrays=arrays,
    )
    write_dataset(dataset, path)


def test_signs_of_sites_are_found_in_the_labels(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, stopped and resumed, evaluated, trained on; what they cannot do is refused."""
    write_water(folder / "water.h5")
    changes = ["data.file=water.h5", "network.site_labels=signs"]
    assert train(folder, *changes) == 0
    told = capsys.readouterr().err
    assert "of 2 exchanges of equal atoms couplings change sign: S0–S1 with 1;" in told
    model = load_model(folder / "model")
    positions = torch.from_numpy(read_dataset(folder / "water.h5")["positions"])
    here, there = (model.hamiltonian(positions[:, order]) for order in ([0, 1, 2], [0, 2, 1]))
    torch.testing.assert_close(here[:, 0, 1], -there[:, 0, 1], rtol=0, atol=1e-8)
    torch.testing.assert_close(here[:, 1, 1], there[:, 1, 1], rtol=0, atol=1e-8)
    assert run(["evaluate", str(folder / "model"), str(folder / "water.h5"), "--json"]) == 0
    (folder / "model").rename(folder / "before")
    assert train(folder, *changes, f"initial_weights={folder / 'before'}") == 0
    (folder / "model").rename(folder / "after")
    assert "Warning" not in capsys.readouterr().err
    monkeypatch.setattr("namd.train.site_signs.doubt", lambda *_: "labels tell two stories")
    assert train(folder, *changes) == 0
    assert "Warning  labels tell two stories" in capsys.readouterr().err
    (folder / "model").rename(folder / "warned")
    monkeypatch.setattr("namd.data.permutations._MOST", 1)
    assert train(folder, *changes) == 2
    assert "site_labels: offdiagonal" in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.undo()
    assert train(folder, *changes, "data.file=labels.h5") == 3
    assert "do not tell" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("earlier", [False, True])
def test_further_diabats_have_the_signs_of_the_states_in_turn(
    folder: Path, capsys: pytest.CaptureFixture[str], earlier: bool
) -> None:
    """W02 even and W12 odd, as W01, under the exchange of the hydrogens."""
    write_water(folder / "water.h5")
    signs = ["data.file=water.h5", "network.site_labels=signs"]
    if earlier:
        assert train(folder, *signs) == 0
        (folder / "model").rename(folder / "two")
        signs.append(f"initial_weights={folder / 'two'}")
        capsys.readouterr()
    assert train(folder, *signs, "diabats=3") == 0
    assert "diabat 2 is like S0" in " ".join(capsys.readouterr().err.split())
    model = load_model(folder / "model")
    positions = torch.from_numpy(read_dataset(folder / "water.h5")["positions"])
    here, there = (model.hamiltonian(positions[:, order]) for order in ([0, 1, 2], [0, 2, 1]))
    odd = torch.tensor([[1, -1, 1], [-1, 1, -1], [1, -1, 1]], dtype=here.dtype)
    torch.testing.assert_close(here, odd * there, rtol=0, atol=1e-8)
    assert here[:, 0, 2].abs().min() > 1e-6


@pytest.mark.parametrize("head", ["quasi-diabatic, residual: true", "direct"])
def test_a_training_with_signs_goes_on_from_one_with_labels(
    folder: Path, capsys: pytest.CaptureFixture[str], head: str
) -> None:
    """The body is taken, the readouts that tell atoms apart begin anew, with signs."""
    write_water(folder / "water.h5")
    # Of steps this small no weight knows.
    still = ["optimiser.learning_rate=1e-12", f"head={{kind: {head}}}", "data.file=water.h5"]
    assert train(folder, *still) == 0
    (folder / "model").rename(folder / "labels")
    signs = [*still, "seed=4", "network.site_labels=signs", "network.offdiagonal_limit_ev=2"]
    capsys.readouterr()
    assert train(folder, *signs, "network.channels=2", "initial_weights=labels") == 2
    assert "to be trained in architecture" in capsys.readouterr().err
    assert train(folder, *signs, "initial_weights=labels") == 0
    assert "of 2 exchanges of equal atoms couplings change sign" in capsys.readouterr().err
    old, new = (load_model(folder / name).state_dict() for name in ("labels", "model"))
    alike = {
        name for name in new if name in old and torch.allclose(old[name], new[name], atol=1e-8)
    }
    signed = tuple(name.removesuffix("site_sign") for name in new if name.endswith("site_sign"))
    anew = {name for name in new if name.startswith(signed)}
    assert anew
    assert set(new) - anew <= alike
    assert not {name for name in anew if name.endswith(("outer", "weight"))} & alike


def test_the_matrix_of_the_labels_is_learned_in_their_basis(folder: Path) -> None:
    """Its diabats, not only its eigenvalues."""
    changes = ["loss.target=diabatic", "optimiser.epochs=60", "network={kind: perceptron}"]
    assert train(folder, *changes, "data.permute_equal_atoms=false") == 0
    dataset = read_dataset(folder / "labels.h5")
    matrix = load_model(folder / "model").hamiltonian(torch.from_numpy(dataset["positions"]))
    found = matrix.detach().numpy()
    reference = dataset["diabatic_hamiltonian"]
    diagonals = [m.diagonal(axis1=1, axis2=2) for m in (found, reference)]
    error = np.abs(diagonals[0] - diagonals[1]).mean()
    assert error < 0.4 * np.abs(diagonals[1] - diagonals[1].mean(0)).mean()


def test_a_head_without_a_basis_asks_for_coupling_vectors(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, "head.kind=direct") == 0
    change = ["--set", "dynamics.electronic=local-diabatization"]
    command = ["run", "surface-hopping", str(folder / "run.yaml"), "--output", str(folder / "run")]
    assert run([*command, *change]) == 2
    assert "nac-vectors" in capsys.readouterr().err


def springs() -> np.ndarray:
    """Hessian of springs between all atoms of the start, Hartree/Bohr²."""
    rows = [line.split()[1:] for line in XYZ.splitlines()[2:]]
    positions = np.array(rows, dtype=float) / ANGSTROM_PER_BOHR
    hessian = np.zeros((18, 18))
    for i, j in zip(*np.triu_indices(6, k=1), strict=True):
        along = np.zeros((6, 3))
        along[i] = positions[i] - positions[j]
        along[j] = -along[i]
        unit = along.ravel() / np.linalg.norm(along[i])
        hessian += 0.2 * np.outer(unit, unit)
    return hessian


def test_a_network_with_dipoles_absorbs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A spectrum of Wigner samples, and a start by oscillator strengths."""
    assert train(folder, "head={kind: quasi-diabatic, dipoles: true}") == 0
    model, samples = str(folder / "model"), str(folder / "samples.h5")
    assert run(["evaluate", model, str(folder / "labels.h5")]) == 0
    assert "Transition dipoles of 32 frames" in "".join(capsys.readouterr())
    np.savetxt(folder / "hessian.txt", springs())
    geometry = [str(folder / "start.xyz"), "--hessian", str(folder / "hessian.txt")]
    options = ["-n", "20", "--model", model, "--low-modes-below", "30", "--output", samples]
    assert run(["sample", "wigner", *geometry, *options]) == 0
    capsys.readouterr()
    assert run(["analyze", "spectrum", samples, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    excited = DYNAMICS.replace("state: 1", "excitation: {selection: oscillator-strength}")
    assert excited != DYNAMICS
    (folder / "run.yaml").write_text(excited)
    command = ["run", "surface-hopping", str(folder / "run.yaml"), "--output", str(folder / "run")]
    assert run(command) == 0
    assert "f/E² of the potential" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["head.kind=direct", "network={kind: perceptron}"], "no vectors at its atoms"),
        (["head.kind=direct", "diabats=3"], "as many diabats as states"),
        (["head={kind: quasi-diabatic, odd_diabats: [2]}"], "counted from 0"),
        (["head={kind: quasi-diabatic, odd_diabats: [1], dipoles: true}"], "axial vectors"),
        (["loss.target=diabatic", "loss.derivatives=sampled"], "needs derivatives full"),
        (["loss.target=diabatic", "head.kind=direct"], "by the quasi-diabatic head"),
        (["loss.target=diabatic", "diabats=3"], "as many diabats as states"),
        (["head={kind: direct, dipoles: true}", "data.file=without.h5"], "transition_dipoles"),
        (["loss.target=diabatic", "data.file=without.h5"], "no training frame has"),
        (["loss.target=diabatic", "data.file=wrong.h5"], "eigenvalues of diabatic_hamiltonian"),
    ],
)
def test_heads_that_do_not_fit_are_refused(
    folder: Path, changes: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, *changes) != 0
    assert words in capsys.readouterr().err
    assert not (folder / "model").exists()
