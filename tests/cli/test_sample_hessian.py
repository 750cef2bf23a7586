"""``namd sample hessian``: a minimum of an engine that ``namd sample wigner`` can sample about."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule as build
from ase.units import Bohr

from namd.cli.main import run
from namd.data.frames import read_frames
from namd.data.reading import read_dataset
from namd.qm.kept_chain import KeptChain
from namd.qm.protocol import Answer
from namd.sampling.geometry import read_geometry

STIFFNESS = (0.15, 0.05, -0.05)
ENGINE = """
import os
import signal
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def label(symbols, positions, lengths=None, stiffness=None):
    \"\"\"Springs between all pairs of atoms, stiffer in the lower state.\"\"\"
    if (HERE / "fail").exists() and positions[0][0] > np.mean(positions) + 0.005:
        raise RuntimeError("not converged")
    with open(HERE / "calls", "a") as calls:
        calls.write(".")
    if (HERE / "stop").exists() and len((HERE / "calls").read_text()) > 20:
        (HERE / "stop").unlink(missing_ok=True)
        os.kill(os.getppid(), signal.SIGTERM)
    positions = np.array(positions)
    shifted = np.abs(positions.mean(0)).max() > 1e-3
    solution = 0.01 if shifted and (HERE / "jump").exists() else 0.0
    vectors = positions[:, None] - positions
    r = np.linalg.norm(vectors, axis=-1) + np.eye(len(positions))
    stretch = (r - np.array(lengths)) * (1 - np.eye(len(positions)))
    pull = (stretch / r)[..., None] * vectors
    return {
        "energies": [
            0.2 * k + s * (stretch**2).sum() / 4 + solution for k, s in enumerate(stiffness)
        ],
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
RUN = """
potential: {calculator: {callable: "ase.calculators.emt:EMT", geometry: guess.xyz}}
initial_conditions: {method: wigner, geometry: {file: minimum.h5}, state: 0}
dynamics: {timestep_fs: 0.5, duration_fs: 1}
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


def test_a_relaxation_before_it_keeps_its_labels(
    springs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--config", str(springs / "engine.yaml"), "--relax"]
    command = ["sample", "hessian", str(springs / "guess.xyz"), *options, "--output"]
    assert run([*command, str(springs / "whole.h5")]) == 0
    label = KeptChain.label

    def interrupted(self: KeptChain, *arguments: Any, **named: Any) -> Answer:
        answer = label(self, *arguments, **named)
        if self._length == 3:
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(KeptChain, "label", interrupted)
        assert run([*command, str(springs / "parts.h5")]) == 130
    assert len(list((springs / "parts.h5.search").glob("*.npz"))) == 3
    capsys.readouterr()
    assert run([*command, str(springs / "parts.h5")]) == 2
    assert "go on with --resume" in capsys.readouterr().err.lower()
    assert run([*command, str(springs / "parts.h5"), "--resume"]) == 0
    whole, parts = (read_geometry(springs / f"{name}.h5") for name in ("whole", "parts"))
    assert np.array_equal(whole.hessian, parts.hessian)
    labels = read_dataset(springs / "parts.h5.labels.h5")
    assert labels.molecule.charge == 2
    assert np.array_equal(labels["positions"][-1], parts.positions)
    assert not (springs / "parts.h5.search").exists()


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


def test_a_saddle_is_left_along_its_mode(springs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ammonia begun flat stays flat: a saddle, from which the umbrella leads to the pyramid."""
    atoms = build("NH3")
    pyramid = atoms.get_all_distances() / Bohr
    text = SECTION.format(lengths=pyramid.tolist(), stiffness=list(STIFFNESS))
    (springs / "engine.yaml").write_text(text)
    atoms.positions[:, 2] = 0.0
    atoms.write(springs / "flat.xyz")
    options = ["--config", str(springs / "engine.yaml"), "--relax"]
    saddle, minimum = springs / "saddle.h5", springs / "minimum.h5"
    command = ["sample", "hessian", str(springs / "flat.xyz"), *options]
    assert run([*command, "--output", str(saddle)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "1 imaginary" in told
    assert "--off-mode 0 --relax" in told
    assert np.ptp(read_geometry(saddle).positions[:, 2]) < 1e-3
    command[2] = str(saddle)
    assert run([*command, "--off-mode", "0", "--output", str(minimum)]) == 0
    assert "imaginary" not in capsys.readouterr().err
    found = read_geometry(minimum).positions
    lengths = np.linalg.norm(found[:, None] - found, axis=-1)
    np.testing.assert_allclose(lengths, pyramid, atol=2e-3)
    assert run([*command, "--off-mode", "6", "--output", str(springs / "no.h5")]) == 2
    assert "has 6, numbered from 0" in " ".join(capsys.readouterr().err.split())
    command.remove("--relax")
    assert run([*command, "--off-mode", "0", "--output", str(springs / "no.h5")]) == 2
    assert "Give --relax, too" in capsys.readouterr().err


def test_a_stopped_hessian_goes_on(springs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is labelled is not labelled again, and neither that nor two workers change a bit."""
    options = ["--config", str(springs / "engine.yaml")]
    command = ["sample", "hessian", str(springs / "minimum.xyz"), *options]
    whole, parts = springs / "whole.h5", springs / "parts.h5"
    assert run([*command, "--output", str(whole), "--no-symmetry"]) == 0
    (springs / "calls").unlink()
    (springs / "stop").touch()
    command += ["--state", "0", "--output", str(parts), "--workers", "2", "--no-symmetry"]
    assert run(command) == 75
    hint = capsys.readouterr().err.split("Go on with --resume:")[1]
    assert shlex.split(hint) == ["namd", *command, "--resume"]
    assert not parts.exists()
    assert run(command) == 2
    assert "begun and not finished" in capsys.readouterr().err
    assert run([*command, "--resume", "--relax"]) == 2
    assert "another geometry, state, --relax" in capsys.readouterr().err
    assert run([*command, "--resume"]) == 0
    assert len((springs / "calls").read_text()) == 1 + 6 * 6
    assert {path.name for path in springs.glob("parts*")} == {"parts.h5"}
    one, other = read_geometry(whole), read_geometry(parts)
    np.testing.assert_array_equal(one.hessian, other.hessian)


def test_of_equivalent_atoms_one_is_moved(
    springs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--config", str(springs / "engine.yaml"), "--output", str(springs / "out.h5")]
    assert run(["sample", "hessian", str(springs / "minimum.xyz"), *options]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "12 of 36 displacements are computed: the geometry has 4 equivalent numberings" in told
    assert len((springs / "calls").read_text()) == 1 + 12
    found = read_geometry(springs / "out.h5")
    np.testing.assert_allclose(
        found.hessian, exact(found.positions, STIFFNESS[0]), atol=2e-3 * STIFFNESS[0]
    )


def test_geometries_that_fail_are_told(springs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (springs / "fail").touch()
    options = ["--config", str(springs / "engine.yaml"), "--output", str(springs / "out.h5")]
    assert run(["sample", "hessian", str(springs / "minimum.xyz"), *options]) == 3
    shown = " ".join(capsys.readouterr().err.split())
    assert "of 13 displaced geometries have no label" in shown
    assert "not converged" in (springs / "out.h5.displaced" / "labels.h5.json").read_text()


def test_another_electronic_solution_is_told(
    springs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (springs / "jump").touch()
    options = ["--config", str(springs / "engine.yaml"), "--output", str(springs / "out.h5")]
    assert run(["sample", "hessian", str(springs / "minimum.xyz"), *options]) == 3
    assert "jumps by 0.27 eV on a displacement, in 12 of 12" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--output", "o.xyz"], 3, "ending in one of: .h5, .hdf5"),
        (["--output", "o.h5"], 2, "on which surfaces"),
        (["--config", "engine.yaml", "--state", "3", "--output", "o.h5"], 2, "no state 3"),
        (["--config", "run.yaml", "--workers", "2", "--output", "o.h5"], 2, "in one process"),
        (["--config", "run.yaml", "--resume", "--output", "o.h5"], 2, "--resume"),
    ],
)
def test_what_makes_no_sense_is_said(
    options: list[str], code: int, message: str, springs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (springs / "run.yaml").write_text(RUN)
    options = [str(springs / word) if word.endswith(".yaml") else word for word in options]
    assert run(["sample", "hessian", str(springs / "guess.xyz"), *options]) == code
    assert message in capsys.readouterr().err
    assert not Path("o.h5").exists()
