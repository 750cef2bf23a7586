"""The ``excitation`` and ``boltzmann`` parts of a configuration, from section to trajectories."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from namd.config.initial_conditions import InitialConditionsConfig
from namd.errors import DataError, ModelError, PhysicsError
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.vibronic import linear_vibronic
from namd.sampling.conditions import InitialConditions
from namd.sampling.initial_conditions import make_initial_conditions
from namd.states import StateSpace
from namd.units import EV_PER_HARTREE, HARTREE_PER_KELVIN

REST = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.2]])
GAPS = (0.15, 0.20)


def molecule_with_two_bright_states(*, dipoles: bool = True) -> DiabaticPotential:
    """CO-like: S1 and S2 tuned by the bond, f/E² of S2 half of that of S1 at the minimum."""
    axis = np.zeros((2, 3))
    axis[0, 2], axis[1, 2] = -1.0, 1.0
    slopes = np.zeros((3, 3, 2, 3))
    slopes[1, 1], slopes[2, 2] = 0.05 * axis, -0.05 * axis
    dipole = np.zeros((3, 3, 3))
    dipole[0, 1, 0] = dipole[1, 0, 0] = 1.0
    dipole[0, 2, 1] = dipole[2, 0, 1] = np.sqrt(0.5 * GAPS[1] / GAPS[0])
    stiffness = 1.2 * np.outer(axis, axis)
    return linear_vibronic(
        Molecule.from_numbers(np.array([6, 8])),
        StateSpace.singlets(3),
        reference=torch.as_tensor(REST),
        stiffness=torch.as_tensor(stiffness),
        energies=torch.diag(torch.tensor([0.0, *GAPS], dtype=torch.float64)),
        slopes=torch.as_tensor(slopes),
        dipoles=torch.as_tensor(dipole) if dipoles else None,
    )


def made(
    folder: Path, potential: Any = None, *, trajectories: int = 50, **section: Any
) -> InitialConditions:
    config = TypeAdapter(InitialConditionsConfig).validate_python(section)
    return make_initial_conditions(
        config,
        potential or molecule_with_two_bright_states(),
        trajectories=trajectories,
        seed=4,
        base=folder,
        cache=folder / "hessian.h5",
    )


def oscillators(**excitation: Any) -> dict[str, Any]:
    return {"method": "oscillators", "excitation": excitation}


def test_both_states_are_populated_by_their_brightness(tmp_path: Path) -> None:
    found = made(tmp_path, trajectories=1500, **oscillators(candidates=6000))
    counts = np.bincount(found.active_state, minlength=3)
    assert counts[0] == 0
    assert counts.sum() == 1500
    # Adiabatic surfaces near the minimum: S2 is accepted about half as often as S1.
    assert 0.4 < counts[2] / counts[1] < 0.65
    record = found.record()["excitation"]
    assert record["started"] == {"S1": int(counts[1]), "S2": int(counts[2])}
    assert record["candidates"] == 6000
    assert record["in_window"] == 12000
    assert "by f/E² of the potential: 6000 candidates" in found.notes[-1]
    assert f"started S1 {counts[1]}, S2 {counts[2]}" in found.notes[-1]
    # One geometry may start two trajectories; each is a row of the candidates of the same seed.
    assert found.candidate is not None
    every = made(tmp_path, trajectories=6000, method="oscillators", state=0)
    np.testing.assert_array_equal(found.positions, every.positions[found.candidate])
    np.testing.assert_array_equal(found.velocities, every.velocities[found.candidate])


def test_every_start_lies_in_the_window(tmp_path: Path) -> None:
    window = (GAPS[0] * EV_PER_HARTREE - 0.2, GAPS[0] * EV_PER_HARTREE + 0.2)
    potential = molecule_with_two_bright_states(dipoles=False)
    section = oscillators(selection="window", window_ev=window)
    found = made(tmp_path, potential, **section)
    energies = potential.surfaces(
        torch.as_tensor(found.positions), torch.zeros(50, dtype=torch.int64)
    ).energies.numpy()
    excited = (energies[np.arange(50), found.active_state] - energies[:, 0]) * EV_PER_HARTREE
    assert (excited >= window[0]).all()
    assert (excited <= window[1]).all()
    assert "by energies of the potential alone" in found.notes[-1]
    again = made(tmp_path, potential, **section)
    np.testing.assert_array_equal(again.positions, found.positions)


def test_strengths_of_a_potential_without_dipoles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has transition dipoles") as caught:
        made(tmp_path, molecule_with_two_bright_states(dipoles=False), **oscillators())
    assert "selection: window" in (caught.value.hint or "")


def test_too_few_accepted_are_told_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="of 60 candidates are accepted, 500 trajectories"):
        made(tmp_path, trajectories=500, **oscillators(candidates=60))


@pytest.mark.parametrize("excitation", [{"states": [3]}, {"from_state": 2}])
def test_states_that_do_not_exist_are_refused(tmp_path: Path, excitation: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="has the states S0, S1, S2"):
        made(tmp_path, **oscillators(**excitation))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"method": "oscillators"}, "either state"),
        ({"method": "oscillators", "state": 1, "excitation": {}}, "either state"),
        (
            {"method": "oscillators", "basis": "diabatic", "excitation": {}},
            "goes with state",
        ),
        (oscillators(selection="window"), "needs window_ev"),
        (oscillators(window_ev=[5.0, 4.0]), "lower energy first"),
        (oscillators(from_state=1, states=[1]), "above from_state"),
    ],
)
def test_contradictions_are_told(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(InitialConditionsConfig).validate_python(section)


def write_labelled(path: Path, **arrays: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    positions = REST + 0.05 * rng.normal(size=(40, 2, 3))
    energies = np.tile([0.0, *GAPS], (40, 1)) + 0.005 * rng.normal(size=(40, 3))
    dipoles = np.zeros((40, 3, 3))
    dipoles[:, 0, 0] = 1.0  # S0–S1 only
    with h5py.File(path, "w") as file:
        file["atomic_numbers"] = np.array([6, 8])
        content = {
            "positions": positions,
            "velocities": 1e-4 * rng.normal(size=(40, 2, 3)),
            "energies": energies,
            "transition_dipoles": dipoles,
        }
        for name, values in (content | arrays).items():
            file[name] = values


def test_labels_of_a_file_come_before_those_of_the_potential(tmp_path: Path) -> None:
    write_labelled(tmp_path / "labels.h5")
    section = {"method": "file", "path": "labels.h5", "excitation": {}}
    found = made(tmp_path, trajectories=20, **section)
    assert set(found.active_state) == {1}  # the potential would also have started some in S2
    assert "f/E² of the file: 40 candidates" in found.notes[-1]
    assert found.record()["excitation"]["labels"] == "file"
    with h5py.File(tmp_path / "labels.h5") as file:
        np.testing.assert_array_equal(found.positions, file["positions"][()][found.candidate])


def test_labels_of_other_states_are_refused(tmp_path: Path) -> None:
    write_labelled(
        tmp_path / "two.h5",
        energies=np.tile([0.0, 0.2], (40, 1)),
        transition_dipoles=np.ones((40, 1, 3)),
    )
    with pytest.raises(DataError, match="energies of 2 states, the potential has 3"):
        made(tmp_path, method="file", path="two.h5", excitation={})


def boltzmann(**changes: Any) -> dict[str, Any]:
    geometry = {"file": "co.h5"}
    return {"method": "boltzmann", "geometry": geometry, "temperature_k": 500.0, **changes}


def write_minimum(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["atomic_numbers"], file["positions"] = np.array([6, 8]), REST
        axis = np.array([0, 0, -1.0, 0, 0, 1.0])
        file["hessian"] = 1.2 * np.outer(axis, axis)


def test_boltzmann_at_a_fixed_geometry_keeps_only_the_vibration(tmp_path: Path) -> None:
    write_minimum(tmp_path / "co.h5")
    found = made(tmp_path, trajectories=4000, **boltzmann(state=1))
    np.testing.assert_array_equal(found.positions, np.tile(REST, (4000, 1, 1)))
    masses = molecule_with_two_bright_states().molecule.masses
    kinetic = 0.5 * np.einsum("a,tax,tax->t", masses, found.velocities, found.velocities)
    kt = 500.0 * HARTREE_PER_KELVIN
    assert abs(kinetic.mean() - kt / 2) < 4 * kt * np.sqrt(0.5 / 4000)
    np.testing.assert_allclose(found.velocities[..., :2], 0, atol=1e-12)
    assert (found.active_state == 1).all()
    free = made(tmp_path, remove_translation=False, remove_rotation=False, **boltzmann(state=1))
    assert np.abs(free.velocities[..., :2]).min() > 0
    assert free.notes[0].endswith("total linear and angular momentum kept")


def test_boltzmann_in_the_harmonic_ensemble(tmp_path: Path) -> None:
    write_minimum(tmp_path / "co.h5")
    found = made(tmp_path, trajectories=4000, positions="harmonic", **boltzmann(state=1))
    stretch = np.linalg.norm(found.positions[:, 1] - found.positions[:, 0], axis=1) - 2.2
    kt = 500.0 * HARTREE_PER_KELVIN
    assert stretch.var() == pytest.approx(kt / 1.2, rel=0.1)
    assert "classical harmonic positions: 1 mode" in found.notes[0]
    with h5py.File(tmp_path / "co.h5", "a") as file:
        file["hessian"][...] *= -1
    with pytest.raises(PhysicsError, match="imaginary"):
        made(tmp_path, positions="harmonic", **boltzmann(state=1))
    frozen = made(tmp_path, positions="harmonic", imaginary_modes="freeze", **boltzmann(state=1))
    assert "imaginary and frozen" in frozen.notes[1]
    with h5py.File(tmp_path / "co.h5", "a") as file:
        del file["hessian"]
    with pytest.raises(DataError, match="no Hessian"):
        made(tmp_path, positions="harmonic", **boltzmann(state=1))
