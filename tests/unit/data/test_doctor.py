"""Every kind of fault, planted into clean frames, is found where it is; clean frames have none."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.data.dataset import Dataset
from namd.data.doctor.doubles import near_repeats
from namd.data.doctor.examine import examine
from namd.data.doctor.steps import find_jumps
from namd.data.lengths import length_slips
from namd.molecule import Molecule
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE, FS_PER_ATOMIC_TIME

DATA = Path(__file__).parents[2] / "data"
SEVERITIES = ["error", "warning", "note"]


def told(dataset):
    """{(kind, array): (severity, frames)}"""
    return {(f.kind, f.name): (f.severity, f.frames.tolist()) for f in examine(dataset)}


def planted(make_dataset, name, index, change, **make):
    values = make_dataset(**make)[name].copy()
    values[index] = change(values[index])
    return make_dataset(**make, arrays={name: values})


@pytest.mark.parametrize("seed", range(3))
def test_clean_frames_have_no_findings(make_dataset, make_labelled, seed):
    assert examine(make_dataset(seed=seed)) == ()
    assert examine(make_dataset(walks=1, steps=60, single=0, seed=seed)) == ()
    assert examine(make_labelled(states=3, seed=seed)) == ()
    single = make_dataset().lowest_states(1)
    assert examine(single) == ()


@pytest.mark.parametrize(
    ("name", "index", "change", "kind", "expected"),
    [
        ("positions", [3, 5], lambda x: x * 0.529177, "unit-slip", (("error", [3, 5]))),
        ("positions", [3], lambda x: x * 0.529177**2, "unit-slip", (("error", [3]))),
        ("positions", [3], lambda x: x / 0.529177, "unit-slip", (("error", [3]))),
        ("positions", [3], np.zeros_like, "atoms-on-top", (("error", [3]))),
        ("positions", (39, 1), lambda x: x + np.array([0, 9, 0]), "far-atom", (("warning", [39]))),
        ("energies", [7, 9], lambda x: x * EV_PER_HARTREE, "unit-slip", (("error", [7, 9]))),
        ("energies", [7], lambda x: x * 627.5095, "unit-slip", (("error", [7]))),
        ("energies", [7], lambda x: x[..., ::-1], "order", (("error", [7]))),
        ("energies", (7, 1), lambda _: np.nan, "not-finite", (("error", [7]))),
        ("energies", (17, 1), lambda x: x + 0.004, "stray-energy", (("warning", [17]))),
        ("energies", (slice(18, 24), 0), lambda x: x - 0.004, "energy-jump", (("warning", [18]))),
        ("energies", (38, 0), lambda x: x - 3.0, "outlier", (("warning", [38]))),
        ("energies", 38, lambda x: x[..., :1], "equal-energies", (("warning", [38]))),
        ("energies", (38, 1), lambda x: x + 2.0, "wide-gap", (("warning", [38]))),
        ("forces", (7, 0), lambda x: x * 0, "zero-force", (("error", [7]))),
        ("forces", (37, 1), lambda x: x * 1e4, "unit-slip", (("error", [37]))),
        ("forces", (37, 1), lambda x: x * 1e2, "outlier", (("warning", [37]))),
        ("forces", (37, 1), lambda x: x * np.nan, "unknown", (("warning", [37]))),
        ("forces", (37, 1, 0), lambda x: x + 0.1, "net-force", (("warning", [37]))),
        ("nonadiabatic_coupling", [4], lambda x: x * np.nan, "unknown", (("warning", [4]))),
        (
            "nonadiabatic_coupling",
            (4, 0, 0),
            lambda x: x * np.nan,
            "partly-unknown",
            ("warning", [4]),
        ),
        ("nonadiabatic_coupling", (4, 0, 0), lambda x: x + 1, "net-coupling", (("warning", [4]))),
        ("nonadiabatic_coupling", [4], lambda x: x * 1e9, "outlier", (("warning", [4]))),
        ("nonadiabatic_coupling", [4], lambda x: -x, "sign-flip", (("note", [4, 5]))),
    ],
)
def test_a_planted_fault_is_found(*, make_dataset, name, index, change, kind, expected):
    dataset = planted(make_dataset, name, index, change)
    about = "coupling" if name.endswith("coupling") and kind != "partly-unknown" else name
    assert told(dataset)[kind, about] == expected
    severities = [finding.severity for finding in examine(dataset)]
    assert severities == sorted(severities, key=SEVERITIES.index)
    text = json.dumps([finding.as_json() for finding in examine(dataset)], allow_nan=False)
    assert {"kind", "severity", "frames", "message"} <= set(json.loads(text)[0])


def test_atoms_that_collide_are_no_slipped_unit(make_dataset, make_labelled):
    base = make_labelled()
    positions = base["positions"].copy()
    positions[9, 2] = positions[9, 0] + 0.5 * (positions[9, 2] - positions[9, 0])
    assert told(changed(base, "positions", positions))["squeezed", "positions"] == ("warning", [9])
    water = planted(make_dataset, "positions", (39, 1), lambda _: [0, 0, 1.1])
    assert told(water)["bond-length", "positions"] == ("error", [39])


def test_a_slip_is_told_once(make_dataset):
    """What a wrong unit or order does to all other numbers is not told on top of it."""
    for name, change in (
        ("positions", lambda x: x * 0.529177),
        ("energies", lambda x: x * EV_PER_HARTREE),
    ):
        dataset = planted(make_dataset, name, [7, 9], change)
        assert list(told(dataset)) == [("unit-slip", name)]


@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("forces", -1.0, "gradients, not forces"),
        ("forces", EV_PER_HARTREE / ANGSTROM_PER_BOHR, "in eV/Å"),
        ("forces", -1 / ANGSTROM_PER_BOHR, "gradients, not forces, and in Hartree/Å"),
        ("energies", EV_PER_HARTREE, "in eV"),
        ("velocities", ANGSTROM_PER_BOHR / FS_PER_ATOMIC_TIME, "in Å/fs"),
    ],
)
def test_a_unit_slip_of_one_trajectory_is_named(moving, name, factor, words):
    values = moving[name].copy()
    values[20:40] *= factor
    found = [f for f in examine(changed(moving, name, values)) if f.kind == "unit-slip"]
    (finding,) = found
    assert finding.frames.tolist() == list(range(20, 40))
    assert finding.message.startswith(f"the {name} are {words}:")
    assert finding.fixable


def test_velocities_of_samples_follow_from_no_other_frame(make_labelled):
    """Labels of `namd sample wigner`: frames that move, without a time."""
    frames = make_labelled()
    samples = changed(frames, "velocities", np.ones_like(frames["positions"]))
    assert "time" not in samples
    assert examine(samples) == ()


def test_velocities_that_are_no_derivative(moving):
    values = moving["velocities"].copy()
    values[30] *= -3
    assert told(changed(moving, "velocities", values)) == {
        ("velocity", "velocities"): ("warning", [30, 31])
    }


def test_exchanged_forces_and_unresolved_crossings_are_told_apart(crossing):
    """Two straight diabats cross between frames 9 and 10."""
    assert told(crossing) == {("crossing", "energies"): ("note", [10])}
    swapped = crossing["forces"].copy()
    swapped[4] = swapped[4, ::-1]
    found = told(changed(crossing, "forces", swapped))
    assert found["swapped-forces", "forces"] == ("error", [4])
    assert found["crossing", "energies"] == ("note", [10])
    assert ("energy-jump", "energies") not in found


def test_repeats_leaks_and_contradictions(make_dataset):
    base = make_dataset()
    arrays = {name: base[name].copy() for name in base}
    for name in ("positions", "energies", "forces", "nonadiabatic_coupling"):
        arrays[name][37] = arrays[name][36]
    found = told(make_dataset(arrays=arrays))
    assert found == {("leak", "positions"): ("warning", [37])}
    arrays["group"][37] = arrays["group"][36]
    assert told(make_dataset(arrays=arrays)) == {("repeat", "positions"): ("warning", [37])}
    arrays["group"] = base["group"]
    arrays["positions"][37, 0, 0] += 1e-4
    arrays["energies"][37] += 1e-5
    assert told(make_dataset(arrays=arrays)) == {("near-leak", "positions"): ("warning", [37])}
    arrays["energies"][37, 1] += 0.01
    assert told(make_dataset(arrays=arrays)) == {("contradiction", "positions"): ("warning", [37])}


def test_signs_of_single_pairs_are_no_signs_of_states(three_states):
    assert told(three_states) == {}
    values = three_states["nonadiabatic_coupling"].copy()
    values[6:, 1] *= -1
    found = told(changed(three_states, "nonadiabatic_coupling", values))
    assert found["sign-contradiction", "coupling"] == ("warning", [6])


def test_a_wrong_diabatic_hamiltonian(make_labelled):
    base = make_labelled(basis=True)
    w = base["diabatic_hamiltonian"].copy()
    w[7, 0, 0] += 0.01
    assert told(changed(base, "diabatic_hamiltonian", w)) == {
        ("eigenvalues", "diabatic_hamiltonian"): ("warning", [7])
    }


def test_rows_of_a_published_file_in_mixed_units():
    """Rows 1 to 10 of SPaiNN's CH2NH2+ are Bohr · 0.529177², the others Bohr."""
    file = np.load(DATA / "spainn-ch2nh2.npz")
    positions, numbers = file["positions"], file["atomic_numbers"].astype(np.int64)
    assert length_slips(positions, numbers).tolist() == [2] * 10 + [0] * 89
    group = np.array([f"row-{k + 1}" for k in range(99)])
    dataset = Dataset(
        molecule=Molecule.from_numbers(numbers, charge=1),
        states=StateSpace.singlets(3),
        level_of_theory="MR-CISD(6,4)/aug-cc-pVDZ",
        arrays={
            "positions": positions,
            "energies": file["energies"],
            "forces": file["forces"],
            "group": group,
            "source": np.full(99, "db"),
        },
    )
    (error,) = (finding for finding in examine(dataset) if finding.severity == "error")
    assert (error.kind, error.frames.tolist()) == ("unit-slip", list(range(10)))
    assert "0.5292^2" in error.message


def test_known_jumps_of_the_stilbene_trajectories():
    """The largest of S0 and of S1, as the card of the shipped set tells them."""
    file = np.load(DATA / "stilbene-worst-steps.npz")
    arrays = {name: file[name] for name in file if name != "atomic_numbers"}
    dataset = Dataset(
        molecule=Molecule.from_numbers(file["atomic_numbers"]),
        states=StateSpace.singlets(2),
        level_of_theory="SSR(2,2)-LC-DFTB2",
        arrays={**arrays, "source": np.full(len(arrays["group"]), "traj")},
    )
    found = {f.message.split()[3]: f.frames.tolist() for f in find_jumps(dataset)}
    assert 4 in found["S0"]
    assert dataset["group"][4] == "traj-twist-002"
    assert 12 in found["S1"]
    assert dataset["group"][12] == "traj-cis-006"


@settings(max_examples=40)
@given(
    power=st.sampled_from([-2, -1, 0, 1, 2]),
    seed=st.integers(0, 1000),
    turn=st.floats(0, 6.28),
)
def test_powers_of_a_length_are_told_whatever_the_orientation(power, seed, turn):
    water = np.array([[0.0, 0.0, 0.22], [0.0, 1.43, -0.89], [0.0, -1.43, -0.89]])
    rng = np.random.default_rng(seed)
    positions = water + 0.04 * rng.standard_normal((12, 3, 3))
    c, s = np.cos(turn), np.sin(turn)
    positions = positions @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + rng.normal(size=3)
    positions[4] *= ANGSTROM_PER_BOHR**power
    expected = [0] * 12
    expected[4] = power
    assert length_slips(positions, np.array([8, 1, 1])).tolist() == expected
    assert set(length_slips(positions[4:5], np.array([8, 1, 1])).tolist()) == {power}


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_near_repeats_against_the_plain_loop(seed):
    rng = np.random.default_rng(seed)
    seeds = 2.0 * rng.standard_normal((4, 5, 3))
    positions = seeds[rng.integers(0, 4, 15)] + 2e-3 * rng.standard_normal((15, 5, 3))
    dataset = Dataset(
        molecule=Molecule.from_numbers(np.array([6, 1, 1, 1, 1])),
        states=StateSpace.singlets(1),
        level_of_theory="none needed",
        arrays={
            "positions": positions,
            "energies": np.zeros((15, 1)),
            "forces": np.zeros((15, 1, 5, 3)),
            "group": np.full(15, "g"),
            "source": np.full(15, "s"),
        },
    )
    i, j = np.triu_indices(5, k=1)
    inverse = 1 / np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    expected = {
        (b, a)
        for b in range(15)
        for a in range(b)
        if np.linalg.norm(inverse[a] - inverse[b]) < 1e-3
    }
    later, earlier = near_repeats(dataset)
    assert set(zip(later.tolist(), earlier.tolist(), strict=True)) == expected


def changed(dataset, name, values):
    fields = {k: getattr(dataset, k) for k in ("molecule", "states", "level_of_theory")}
    return Dataset(**fields, arrays={**dataset.arrays, name: values})
