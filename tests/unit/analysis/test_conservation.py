"""Energy conservation: synthetic energies whose drift, fluctuation and jumps are known."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.analysis.conservation import EnergyConservation, energy_conservation, spread
from namd.io.ensemble import read_ensemble
from namd.units import EV_PER_HARTREE

FRAMES = 11  # 0, 10, … 100 fs: 0.1 ps
TIME_PS = np.linspace(0, 0.1, FRAMES)


@pytest.fixture
def measured(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> Callable[..., EnergyConservation]:
    """Measure an ensemble whose total energies, in eV, are given as [frame, traj]."""

    def measure(energy_ev: np.ndarray, **content: object) -> EnergyConservation:
        frames, traj = energy_ev.shape
        path = tmp_path / "e.h5"
        write_ensemble(path, active_state=np.ones((frames, traj), dtype=int), **content)
        with h5py.File(path, "r+") as file:
            file["frames/total_energy"][...] = energy_ev / EV_PER_HARTREE
        return energy_conservation(read_ensemble(path))

    return measure


def test_a_straight_line_is_all_drift(measured: Callable[..., EnergyConservation]) -> None:
    slopes = np.array([-0.4, 0.0, 2.0])
    result = measured(-900.0 + TIME_PS[:, None] * slopes)
    assert result.drift_ev_per_ps == pytest.approx(slopes, abs=1e-9)
    assert result.fluctuation_ev == pytest.approx([0, 0, 0], abs=1e-9)
    assert result.jump_ev == pytest.approx(np.abs(slopes) * 0.01, abs=1e-9)
    assert result.deviation_ev == pytest.approx(np.abs(slopes) * 0.1, abs=1e-9)
    assert result.time_ps == pytest.approx([0.1] * 3)
    assert result.parked == {}


def test_what_is_no_line_is_fluctuation(measured: Callable[..., EnergyConservation]) -> None:
    # A zigzag that is even around the middle has no slope.
    zigzag = 0.03 * (-1.0) ** np.arange(FRAMES)
    result = measured(zigzag[:, None])
    assert result.drift_ev_per_ps == pytest.approx([0], abs=1e-9)
    assert result.fluctuation_ev == pytest.approx([np.std(zigzag)])
    assert result.jump_ev == pytest.approx([0.06])


def test_a_jump_is_found_where_it_is(measured: Callable[..., EnergyConservation]) -> None:
    energy = np.zeros((FRAMES, 2))
    energy[6:, 1] = 0.25
    result = measured(energy)
    assert result.jump_ev == pytest.approx([0, 0.25])
    fit = np.polynomial.Polynomial.fit(TIME_PS, energy[:, 1], 1)
    assert result.drift_ev_per_ps[1] == pytest.approx(fit.convert().coef[1])
    rest = energy[:, 1] - fit(TIME_PS)
    assert result.fluctuation_ev[1] == pytest.approx(np.sqrt(np.mean(rest**2)))


def test_frames_after_the_end_do_not_count(measured: Callable[..., EnergyConservation]) -> None:
    # All drift by 1 eV/ps until they stop: one goes on, one finishes after 45 fs (5 fs after a
    # frame, seen as finished in the next), one is parked after 45 fs with NaN in later frames.
    status = np.zeros((FRAMES, 3), dtype=int)
    status[5:, 1], status[5:, 2] = 1, 2
    status[-1, 0] = 1
    energy = np.repeat(TIME_PS[:, None], 3, axis=1)
    energy[5:, 1], energy[5:, 2] = 0.045, np.nan
    final = [200, 90, 90]
    result = measured(energy, status=status, final_step=final, reason=[0, 0, 3])
    assert result.drift_ev_per_ps == pytest.approx([1, 1, 1])
    assert result.fluctuation_ev == pytest.approx([0, 0, 0], abs=1e-9)
    assert result.time_ps == pytest.approx([0.1, 0.045, 0.04])
    assert result.parked == {"broken molecule": 1}


def test_too_few_frames_have_no_drift(measured: Callable[..., EnergyConservation]) -> None:
    status = np.array([[0, 0], [0, 2], [1, 2]])
    energy = np.array([[0.0, 0.0], [0.1, 9.0], [0.2, 9.0]])
    result = measured(energy, status=status, final_step=[40, 10])
    assert np.isnan(result.drift_ev_per_ps).tolist() == [False, True]
    assert np.isnan(result.fluctuation_ev).tolist() == [False, True]
    assert np.isnan(result.jump_ev).tolist() == [False, True]
    assert result.deviation_ev == pytest.approx([0.2, 0])
    summary = spread(result.drift_ev_per_ps)
    assert summary is not None
    assert summary.median == pytest.approx(10.0)
    assert spread(np.array([np.nan])) is None


@given(slope=st.floats(-5, 5), zero=st.floats(-1e3, 1e3), seed=st.integers(0, 2**32 - 1))
def test_a_constant_and_a_line_shift_only_the_drift(slope: float, zero: float, seed: int) -> None:
    from namd.analysis.conservation import _line

    rng = np.random.default_rng(seed)
    time = np.sort(rng.uniform(0, 1, (20, 4)), axis=0)
    counted = np.arange(20)[:, None] < rng.integers(3, 21, 4)
    energy = rng.normal(size=(20, 4))
    drift, rest = _line(time, energy, counted)
    moved, same = _line(time, energy + zero + slope * time, counted)
    assert moved - drift == pytest.approx(np.full(4, slope), rel=1e-6, abs=1e-7)
    assert same == pytest.approx(rest, rel=1e-6, abs=1e-9)


def test_the_spread_holds_nine_tenths() -> None:
    summary = spread(np.linspace(-1, 3, 41))
    assert summary is not None
    assert (summary.lower, summary.median, summary.upper) == pytest.approx((-0.8, 1.0, 2.8))
    assert summary.largest == 3
