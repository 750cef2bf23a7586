"""Frames as SHARC's output.dat, and what of them it cannot hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from namd.data.formats.sharc import read_sharc, to_sharc, write_sharc
from namd.data.formats.stated import Stated
from namd.errors import DataError
from namd.io.sharc import read_sharc_output

SHARC = Path(__file__).parents[3] / "data" / "sharc2-ch2nh2-output.dat"
STATED = Stated(level_of_theory="MR-CISD", charge=1)
STEP = 20.670686894780374  # 0.5 fs


@pytest.fixture
def walk(make_labelled):
    """Eight frames of CH2NH2+ in two states on the way, with neither dipoles nor amplitudes."""
    rng = np.random.default_rng(5)
    active = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    arrays = {
        "time": STEP * np.arange(3, 11),
        "velocities": 1e-3 * rng.standard_normal((8, 6, 3)),
        "active_state": active,
        "group": np.full(8, "walk"),
        "source": np.full(8, "traj"),
    }
    return make_labelled(8, arrays=arrays)


def test_a_real_trajectory_comes_back(tmp_path):
    dataset = read_sharc(SHARC, STATED)
    write_sharc(dataset, tmp_path / "sharc2-ch2nh2-output.dat")
    back = read_sharc(tmp_path / "sharc2-ch2nh2-output.dat", STATED)
    assert set(back) == set(dataset)
    for name in set(dataset) - {"group", "source"}:
        np.testing.assert_allclose(back[name], dataset[name], rtol=1e-13, atol=1e-15, err_msg=name)
    assert back["group"].tolist() == dataset["group"].tolist()


def test_what_frames_do_not_know_is_unknown_in_the_file(walk, tmp_path):
    write_sharc(walk, tmp_path / "walk.output.dat")
    trajectory = read_sharc_output(tmp_path / "walk.output.dat")
    assert trajectory.step.tolist() == list(range(3, 11))
    np.testing.assert_allclose(trajectory.timestep, STEP, rtol=1e-13)
    for unknown in ("hop_probabilities", "random_number", "dipoles", "amplitudes"):
        assert np.isnan(getattr(trajectory, unknown)).all()
    masses = walk.molecule.masses[:, None]
    kinetic = 0.5 * (masses * walk["velocities"] ** 2).sum((1, 2))
    np.testing.assert_allclose(trajectory.kinetic_energy, kinetic, rtol=1e-12)
    back = read_sharc(tmp_path / "walk.output.dat", STATED)
    assert "dipoles" not in back
    assert "amplitudes" not in back
    np.testing.assert_allclose(back["time"], walk["time"], rtol=1e-12)
    np.testing.assert_array_equal(back["active_state"], walk["active_state"])


def test_forces_that_are_unknown_are_the_zeros_of_sharc(walk, tmp_path):
    forces = walk["forces"].copy()
    forces[2, 1] = np.nan
    dataset = replace(walk, arrays={**walk.arrays, "forces": forces})
    assert (to_sharc(dataset).gradients[2, 1] == 0).all()
    write_sharc(dataset, tmp_path / "output.dat")
    np.testing.assert_array_equal(read_sharc(tmp_path / "output.dat", STATED)["forces"], forces)


def test_couplings_are_antisymmetric_and_made_of_h_where_only_that_is_known(walk):
    h = walk.interstate_coupling
    arrays = {name: walk[name] for name in walk if name != "nonadiabatic_coupling"}
    d = to_sharc(replace(walk, arrays={**arrays, "interstate_coupling": h})).nonadiabatic_coupling
    np.testing.assert_allclose(d[:, 0, 1], walk["nonadiabatic_coupling"][:, 0], rtol=1e-12)
    np.testing.assert_array_equal(d, -d.swapaxes(1, 2))
    assert to_sharc(replace(walk, arrays=arrays)).nonadiabatic_coupling is None


@pytest.mark.parametrize(("chosen", "steps"), [([1, 3, 5], 2), ([0, 2, 4], 1), ([0, 2, 5], 1)])
def test_a_thinned_trajectory_keeps_its_times(walk, chosen, steps):
    trajectory = to_sharc(walk.select(np.array(chosen)))
    np.testing.assert_allclose(trajectory.time, walk["time"][chosen], rtol=1e-12)
    np.testing.assert_allclose(trajectory.timestep, steps * STEP, rtol=1e-12)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"group": np.array(["a"] * 4 + ["b"] * 4)}, "of 2 trajectories"),
        ({"velocities": None}, "'velocities' is not known"),
        ({"active_state": np.array([1] * 7 + [-1])}, "'active_state' is not known"),
        ({"time": np.array([0.0] * 7 + [np.nan])}, "'time' is not known"),
        ({"time": STEP * np.arange(8)[::-1]}, "not growing multiples"),
        ({"time": STEP * np.arange(8.0) ** 1.1}, "not growing multiples"),
    ],
)
def test_what_is_no_trajectory_is_refused_and_leaves_no_file(walk, tmp_path, arrays, message):
    changed = {**walk.arrays, **arrays}
    dataset = replace(walk, arrays={k: v for k, v in changed.items() if v is not None})
    with pytest.raises(DataError, match=message):
        write_sharc(dataset, tmp_path / "output.dat")
    assert not (tmp_path / "output.dat").exists()


def test_triplets_and_single_frames_are_refused(walk):
    with pytest.raises(DataError, match="multiplicity 3"):
        to_sharc(replace(walk, multiplicity=3))
    with pytest.raises(DataError, match="not growing multiples"):
        to_sharc(walk.select(np.array([0])))
