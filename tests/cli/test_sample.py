"""``namd sample wigner`` and what its files are good for: starting runs, and spectra."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.io.samples import read_samples
from namd.sampling.geometry import Geometry
from namd.units import EV_PER_HARTREE

MINIMA = "models/stilbene-ssr/data/minima.h5"
KAPPA, OMEGA, DIPOLE, GAP = (0.004, -0.002), (0.005, 0.002), 1.2, 0.16


def sample(*arguments: str | Path) -> int:
    return run(["sample", "wigner", *map(str, arguments)])


@pytest.fixture
def vibronic(tmp_path: Path) -> Path:
    """Run configuration of a two-state model: S1 displaced along two modes, bright along y."""
    (tmp_path / "LVC.template").write_text(
        "V0.txt\n2\nepsilon\n2\n"
        f" 1 1 0.0\n 1 2 {GAP}\n"
        f"kappa\n2\n 1 2 1 {KAPPA[0]}\n 1 2 4 {KAPPA[1]}\nlambda\n0\n"
        f"DMY R\n 0.0 {DIPOLE}\n {DIPOLE} 0.0\n"
    )
    frequencies = [OMEGA[0], 0, 0, OMEGA[1], 0, 0]
    (tmp_path / "V0.txt").write_text(
        "Geometry\n X 0 0 0 0 1.0\n X 0 0 0 0 2.0\n"
        f"Frequencies\n{' '.join(map(str, frequencies))}\nMass-weighted normal modes\n"
        + "\n".join(" ".join(map(str, row)) for row in np.eye(6))
    )
    path = tmp_path / "model.yaml"
    path.write_text(
        "potential: {vibronic: {template: LVC.template}}\n"
        "initial_conditions: {method: oscillators, excitation: {window_ev: [4.2, 4.5]}}\n"
        "dynamics: {timestep_fs: 0.1, duration_fs: 1}\n"
        "output: {every_steps: 5}\n"
        "trajectories: 30\nseed: 6\ndevice: cpu\n"
    )
    return path


def test_samples_are_those_a_run_starts_from(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = [MINIMA, "--name", "cis", "--low-modes-below", "30", "--seed", "1"]
    assert sample(*options, "--number", "20", "--output", tmp_path / "cis.h5") == 0
    shown = capsys.readouterr()
    assert "72 modes" in shown.err
    assert "1 of them frozen (below the cut-off): 26 cm⁻¹" in shown.err
    assert "20 samples of C14H12" in shown.out
    found = read_samples(tmp_path / "cis.h5")
    assert (len(found), found.seed, found.energies) == (20, 1, None)
    assert found.notes[1].startswith("1 of them frozen")
    # Sample k does not depend on the number of samples.
    assert sample(*options, "-n", "4", "--output", tmp_path / "few.h5") == 0
    np.testing.assert_array_equal(read_samples(tmp_path / "few.h5").positions, found.positions[:4])
    momenta = found.molecule.masses[:, None] * found.velocities
    np.testing.assert_allclose(momenta.sum(1), 0, atol=1e-10)


def test_extended_xyz_holds_the_same_points(tmp_path: Path) -> None:
    from namd.sampling.given import read_points

    for name in ("cis.h5", "cis.xyz"):
        assert sample(MINIMA, "--name", "cis", "-n", "3", "--output", tmp_path / name) == 0
    exact = read_samples(tmp_path / "cis.h5")
    read = read_points(tmp_path / "cis.xyz", group=None, count=3)
    np.testing.assert_allclose(read.positions, exact.positions, atol=1e-7)
    np.testing.assert_allclose(read.velocities, exact.velocities, atol=1e-8)


def test_the_spectrum_of_a_displaced_oscillator_is_its_franck_condon_envelope(
    vibronic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """E = ε + Σ κ Q with Var(Q) = ½: mean ε, variance Σκ²/2, f = ⅔ ε μ²."""
    assert sample(vibronic, "-n", "4000", "--output", tmp_path / "s.h5") == 0
    assert "2 oscillators of the model" in capsys.readouterr().err
    assert run(["analyze", "spectrum", str(tmp_path / "s.h5"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (band,) = found["bands"]
    spread = np.sqrt(0.5 * np.square(KAPPA).sum()) * EV_PER_HARTREE
    assert abs(band["energy_ev"] - GAP * EV_PER_HARTREE) < 4 * spread / np.sqrt(4000)
    assert band["energy_spread_ev"] == pytest.approx(spread, rel=0.05)
    assert band["strength"] == pytest.approx(2 / 3 * GAP * DIPOLE**2, rel=0.01)
    assert found["maximum_ev"] == pytest.approx(GAP * EV_PER_HARTREE, abs=spread / 2)
    assert found["taken"] == "wigner sample"
    # They start trajectories too, chosen by the same labels.
    start = "{method: file, path: s.h5, excitation: {window_ev: [4.3, 4.4]}}"
    (tmp_path / "again.yaml").write_text(
        vibronic.read_text().replace(
            "{method: oscillators, excitation: {window_ev: [4.2, 4.5]}}", start
        )
    )
    command = ["run", "surface-hopping", str(tmp_path / "again.yaml"), "--output"]
    assert run([*command, str(tmp_path / "run")]) == 0
    assert "by f/E² of the file: 4000 candidates" in capsys.readouterr().err


def test_a_run_keeps_how_its_trajectories_were_excited(
    vibronic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert run(["run", "surface-hopping", str(vibronic), "--output", str(folder)]) == 0
    shown = capsys.readouterr().err
    assert "excitation from S0 within 4.2–4.5 eV, by f/E² of the potential: 300 cand" in shown
    with h5py.File(folder / "ensemble.h5") as file:
        record: dict[str, Any] = json.loads(file.attrs["initial_conditions"])
        candidates = file["initial/candidate"][()]
        gaps = np.diff(file["frames/energies"][0], axis=1)[:, 0] * EV_PER_HARTREE
        assert (file["initial/active_state"][()] == 1).all()
    assert record["excitation"]["started"] == {"S1": 30}
    assert record["notes"][-1] in shown
    assert len(set(candidates)) == 30
    assert ((gaps >= 4.2) & (gaps <= 4.5)).all()
    resumed = ["run", "surface-hopping", str(vibronic), "--output", str(folder), "--resume"]
    assert run(resumed) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([MINIMA, "--name", "dhp"], 3, "there is no group 'dhp'"),
        ([MINIMA, "--name", "cis", "--relax"], 2, "on which ground state?"),
        (["pyrazine", "--temperature", "300"], 2, "a run configuration says this itself"),
        (["tully-1"], 2, "starts from model-particle"),
        (["nowhere.h5"], 3, "no such file"),
        ([MINIMA, "--name", "cis"], 3, "ending in one of: .h5"),
    ],
)
def test_what_cannot_be_sampled_is_told(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    output = str(tmp_path / ("s.txt" if "ending in" in message else "s.h5"))
    assert sample(*arguments, "--output", output) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    arguments = [MINIMA, "--name", "cis", "-n", "2", "--output", tmp_path / "s.h5"]
    assert sample(*arguments) == 0
    assert sample(*arguments) == 2
    assert sample(*arguments, "--force") == 0
    xyz = [*arguments[:-1], tmp_path / "s.xyz", "--model", "stilbene-ssr"]
    assert sample(*xyz) == 3  # energies have no place in it


def test_no_torch_is_imported_without_a_model(tmp_path: Path) -> None:
    script = (
        "import sys; from namd.cli.main import run; code = run(sys.argv[1:]); "
        "sys.exit('imported torch' if {'torch', 'e3nn', 'numba'} & set(sys.modules) else code)"
    )
    arguments = ["sample", "wigner", MINIMA, "--name", "cis", "-n", "2"]
    done = subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, "-c", script, *arguments, "--output", str(tmp_path / "s.h5")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_energies_of_the_shipped_model_about_its_own_minimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gaps near those of the labels, 4.45 eV; --relax takes the potential's minimum instead."""
    relaxed = []

    def already_relaxed(potential: Any, guess: Geometry, *, device: str) -> Geometry:
        relaxed.append((potential.describe()["name"], device))
        return guess

    monkeypatch.setattr("namd.sampling.model_hessian.relaxed_geometry", already_relaxed)
    options = ["--model", "stilbene-ssr", "--relax", "--low-modes-below", "60"]
    output = tmp_path / "s.h5"
    assert sample(MINIMA, "--name", "cis", *options, "-n", "20", "--output", output) == 0
    assert [name for name, _ in relaxed] == ["stilbene-ssr"]
    found = read_samples(output)
    assert found.energies is not None
    assert found.states is not None
    assert found.states.labels == ("S0", "S1")
    gaps = np.diff(found.energies, axis=1)[:, 0] * EV_PER_HARTREE
    assert 4.2 < gaps.mean() < 4.7
    assert found.potential["name"] == "stilbene-ssr"
