"""Trajectories that leave what a committee knows are parked there; nobody else notices."""

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.data.frames import read_frames
from namd.io.ensemble import read_ensemble
from namd.io.parked import read_parked
from namd.units import EV_PER_HARTREE

DOUBTFUL = Path(__file__).parents[1] / "data" / "doubtful.py"
SLOPE = 1e-4  # of that file
LIMIT = 0.02  # eV
EDGE = (LIMIT / EV_PER_HARTREE / (2**0.5 * SLOPE)) ** 0.5  # where the deviation reaches it

# Tully's first model at a momentum of 10: those in S1 are slow, and at the end not at the edge.
CONFIG = """
potential: {calculator: {callable: "doubtful:make"}}
initial_conditions: {method: model-particle, position_bohr: -4, momentum_au: 10, state: 0}
dynamics: {timestep_au: 20.0, max_steps: 70, preset: fssh, electronic: nac-vectors, substeps: 10}
output: {every_steps: 7}
trajectories: 20
seed: 5
device: cpu
analysis:
  coordinates:
    - {kind: position, name: x, atom: 0, axis: x}
  classes:
    - {name: transmitted, bounds: [{coordinate: x, at_least_angstrom: 0}]}
    - {name: reflected, bounds: [{coordinate: x, below_angstrom: 0}]}
"""
Captured = pytest.CaptureFixture[str]


def hop(folder: Path, name: str, *changes: str) -> int:
    options = [word for change in changes for word in ("--set", change)]
    return run(
        ["run", "surface-hopping", str(folder / "x.yaml"), "--output", str(folder / name), *options]
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run without limits, one with."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copy(DOUBTFUL, folder)
    (folder / "x.yaml").write_text(CONFIG)
    assert hop(folder, "free") == 0
    limits = f"guards.uncertainty={{energy_ev: {LIMIT}, force_ev_per_angstrom: null}}"
    assert hop(folder, "guarded", limits) == 0
    return folder


def test_the_parked_stand_just_beyond_the_limit_with_their_frame(runs: Path) -> None:
    parked = read_parked(runs / "guarded")
    free, guarded = read_ensemble(runs / "free"), read_ensemble(runs / "guarded")
    beyond = free.positions(-1)[:, 0, 0] > EDGE
    assert 0.5 < beyond.mean() < 1
    assert set(parked.trajectory.tolist()) == set(np.flatnonzero(beyond).tolist())
    assert set(parked.reason_names()) == {"outside the trust region"}
    np.testing.assert_array_equal(guarded.active_state[-1, parked.trajectory], parked.active_state)
    x, dt, v = parked.positions[:, 0, 0], 20.0, parked.velocities[:, 0, 0]
    assert ((x > EDGE) & (x < EDGE + 1.01 * dt * v)).all()
    deviation = 2**0.5 * SLOPE * x**2
    for state in (0, 1):
        np.testing.assert_allclose(parked.energy_deviation[:, state], deviation, rtol=1e-9)
    np.testing.assert_allclose(parked.force_deviation, 2 * 2**0.5 * SLOPE * x, rtol=1e-6)
    assert np.abs(parked.gap_deviation).max() < 1e-12
    np.testing.assert_allclose(parked.time, parked.step * dt)
    np.testing.assert_array_equal(guarded.final_step[parked.trajectory], parked.step)
    last = guarded.positions(-1)[parked.trajectory]
    np.testing.assert_allclose(last, parked.positions, rtol=1e-6, atol=1e-6)


def test_nobody_else_notices_to_the_last_bit(runs: Path) -> None:
    parked = read_parked(runs / "guarded")
    with h5py.File(runs / "free/ensemble.h5") as a, h5py.File(runs / "guarded/ensemble.h5") as b:
        assert set(a["frames"]) == set(b["frames"])
        ends = dict(zip(parked.trajectory.tolist(), parked.step.tolist(), strict=True))
        steps = a["frames/step"][()]
        for name in set(a["frames"]) - {"step", "time", "status"}:
            free, guarded = a[f"frames/{name}"][()], b[f"frames/{name}"][()]
            for k in range(20):
                same = steps <= ends.get(k, steps[-1])
                np.testing.assert_array_equal(free[same, k], guarded[same, k])


def test_parked_frames_are_frames_to_be_labelled(runs: Path) -> None:
    parked = read_parked(runs / "guarded")
    for source in (runs / "guarded", runs / "guarded" / "ensemble.h5"):
        frames = read_frames(source)
        np.testing.assert_array_equal(frames.positions, parked.positions)
        np.testing.assert_array_equal(frames.carried["velocities"], parked.velocities)
        assert set(frames.source.tolist()) == {"parked: outside the trust region"}
        assert frames.group[0] == f"guarded-{parked.trajectory[0]:05d}"
        assert len(set(frames.group.tolist())) == len(frames)


def test_a_run_without_parked_ones_has_nothing_to_label(runs: Path, capsys: Captured) -> None:
    capsys.readouterr()
    few = ("sample", "thin", str(runs / "free"), "-n", "3", "--output", str(runs / "few.h5"))
    assert run(few) == 3
    assert "nothing to label" in capsys.readouterr().err
    assert len(read_parked(runs / "free")) == 0


def test_the_scale_of_a_calibration_counts(runs: Path, capsys: Captured) -> None:
    """Twice the expected error is reached at x/√2."""
    scaled = ("potential.calculator.arguments={scale: 2.0}", "trajectories=4")
    assert hop(runs, "scaled", *scaled, f"guards.uncertainty.energy_ev={LIMIT}") == 0
    shown = capsys.readouterr()
    assert re.search(r"not trusted \d in S0.* at .* fs, expecting 2\d meV", shown.out)
    assert "namd label" in shown.err
    parked = read_parked(runs / "scaled")
    assert len(parked) > 0
    np.testing.assert_allclose(parked.positions[:, 0, 0], EDGE / 2**0.5, rtol=0.1)


def test_limits_need_a_potential_that_knows_its_errors(runs: Path, capsys: Captured) -> None:
    plain = "potential={tully: sac}"
    assert hop(runs, "plain", plain, "guards.uncertainty={}") == 2
    shown = capsys.readouterr().err
    assert "estimate of its own errors" in shown
    assert "--members" in shown
    assert hop(runs, "zero", "guards.uncertainty.energy_ev=0") == 2
    assert "guards.uncertainty.energy_ev = 0" in capsys.readouterr().err
