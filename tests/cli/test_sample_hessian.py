"""``namd sample hessian``: a minimum of an engine that ``namd sample wigner`` can sample about."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as build

from namd.cli.main import run
from namd.data.frames import read_frames
from namd.sampling.geometry import read_geometry

STIFFNESS = (0.15, 0.05, -0.05)
ENGINE = """
import numpy as np


def label(symbols, positions, lengths=None, stiffness=None):
    \"\"\"Springs between all pairs of atoms, stiffer in the lower state.\"\"\"
    positions = np.array(positions)
    vectors = positions[:, None] - positions
    r = np.linalg.norm(vectors, axis=-1) + np.eye(len(positions))
    stretch = (r - np.array(lengths)) * (1 - np.eye(len(positions)))
    pull = (stretch / r)[..., None] * vectors
    return {
        "energies": [0.2 * k + s * (stretch**2).sum() / 4 for k, s in enumerate(stiffness)],
        "gradients": [s * pull.sum(1) for s in stiffness],
    }
"""
SECTION = """engine:
  callable: springs:label
  arguments: {{lengths: {lengths}, stiffness: {stiffness}}}
  positions_unit: bohr
  level_of_theory: springs
  states: 3
  energies: {{key: energies, unit: hartree}}
  forces: {{key: gradients, unit: hartree/bohr, kind: gradient}}
charge: 2
"""


@pytest.fixture
def springs(tmp_path: Path) -> Path:
    """An engine whose minimum is ethylene, and a geometry beside it."""
    atoms = build("C2H4")
    atoms.write(tmp_path / "minimum.xyz")
    positions = read_frames(tmp_path / "minimum.xyz").positions[0]
    lengths = np.linalg.norm(positions[:, None] - positions, axis=-1)
    text = SECTION.format(lengths=lengths.tolist(), stiffness=list(STIFFNESS))
    (tmp_path / "engine.yaml").write_text(text)
    (tmp_path / "springs.py").write_text(ENGINE)
    atoms.rattle(0.03, seed=1)
    atoms.write(tmp_path / "guess.xyz")
    return tmp_path


def exact(positions: np.ndarray, stiffness: float) -> np.ndarray:
    """Hessian of springs at rest: s Σ_pairs (u u)ᵀ with u = ∇r."""
    hessian = np.zeros((positions.size, positions.size))
    for i in range(len(positions)):
        for j in range(i):
            unit = (positions[i] - positions[j]) / np.linalg.norm(positions[i] - positions[j])
            u = np.zeros_like(positions)
            u[i], u[j] = unit, -unit
            hessian += stiffness * np.outer(u, u)
    return hessian


@pytest.mark.parametrize("state", [0, 1])
def test_from_a_guess_to_samples(
    state: int, springs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    minimum, samples = springs / "minimum.h5", springs / "samples.h5"
    options = ["--config", str(springs / "engine.yaml"), "--relax", "--state", str(state)]
    command = ["sample", "hessian", str(springs / "guess.xyz"), *options]
    assert run([*command, "--output", str(minimum)]) == 0
    shown = capsys.readouterr()
    assert "C2H4, 12 modes" in shown.out
    assert "imaginary" not in shown.err
    found = read_geometry(minimum)
    assert found.charge == 2
    assert found.hessian is not None
    np.testing.assert_allclose(
        found.hessian, exact(found.positions, STIFFNESS[state]), atol=2e-3 * STIFFNESS[state]
    )
    assert run(["sample", "wigner", str(minimum), "-n", "5", "--output", str(samples)]) == 0
    assert read_frames(samples).molecule.charge == 2


def test_what_is_no_minimum_is_told(springs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = springs / "out.h5"
    options = ["--config", str(springs / "engine.yaml"), "--output", str(output)]
    command = ["sample", "hessian", str(springs / "guess.xyz"), *options]
    assert run(command) == 3  # of strong forces, turning the molecule changes the Hessian
    assert "a geometry with large forces" in " ".join(capsys.readouterr().err.split())
    assert not output.exists()
    command[2] = str(springs / "minimum.xyz")
    assert run([*command, "--state", "2"]) == 0
    assert "12 imaginary (negative) wavenumbers: this is no minimum" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--output", "o.xyz"], 3, "ending in one of: .h5, .hdf5"),
        (["--output", "o.h5"], 2, "on which surfaces"),
        (["--config", "engine.yaml", "--state", "3", "--output", "o.h5"], 2, "no state 3"),
    ],
)
def test_what_makes_no_sense_is_said(
    options: list[str], code: int, message: str, springs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [str(springs / word) if word == "engine.yaml" else word for word in options]
    assert run(["sample", "hessian", str(springs / "guess.xyz"), *options]) == code
    assert message in capsys.readouterr().err
    assert not Path("o.h5").exists()
