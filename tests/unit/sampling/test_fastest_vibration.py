"""Which vibration a time step is measured by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.morse import MorsePotential

from namd.config.initial_conditions import OscillatorsConfig
from namd.potentials.calculator import ase_potential
from namd.potentials.spin_boson import bath_frequencies, spin_boson
from namd.potentials.tully import tully
from namd.sampling.conditions import InitialConditions
from namd.sampling.fastest_vibration import fastest_vibration
from namd.sampling.initial_conditions import make_initial_conditions

BATH = {"cutoff": 0.002, "oscillators": 4}
POTENTIAL = spin_boson(bias=0.001, coupling=0.0, spectrum="debye", reorganization=0.001, **BATH)
FASTEST = bath_frequencies("debye", **BATH)[-1]


@pytest.fixture(name="sampled")
def make_sampled(tmp_path: Path) -> InitialConditions:
    config = OscillatorsConfig(method="oscillators", state=1)
    return make_initial_conditions(
        config, POTENTIAL, trajectories=2, seed=1, base=tmp_path, cache=tmp_path / "none.h5"
    )


def test_modes_that_are_known_are_used(sampled: InitialConditions) -> None:
    found = fastest_vibration(sampled, tully(1))  # the potential is not asked
    assert found is not None
    assert found.frequency == pytest.approx(FASTEST, rel=1e-12)
    assert found.name == "mode 3"


def test_else_forces_are_differentiated_on_the_surface_of_the_start(
    sampled: InitialConditions,
) -> None:
    """Without coupling both surfaces are harmonic, so any geometry tells the frequency."""
    found = fastest_vibration(replace(sampled, modes=None), POTENTIAL)
    assert found is not None
    assert found.frequency == pytest.approx(FASTEST, rel=1e-8)
    assert found.name == "from the forces of S1 at the first geometry"


def test_a_lone_atom_has_no_vibration(sampled: InitialConditions) -> None:
    modes = sampled.modes
    assert modes is not None
    none = replace(modes, frequencies=modes.frequencies[:0], vectors=modes.vectors[:0])
    assert fastest_vibration(replace(sampled, modes=none), tully(1)) is None


def test_where_nothing_vibrates_or_all_is_dear_nothing_is_said() -> None:
    start = InitialConditions(
        positions=np.full((1, 1, 3), -30.0),
        velocities=np.zeros((1, 1, 3)),
        active_state=np.zeros(1, dtype=np.int64),
    )
    assert fastest_vibration(start, tully(2)) is None
    dimer = ase_potential(Atoms("N2", [[0, 0, 0], [0, 0, 1.2]], calculator=MorsePotential()))
    positions = np.array([[[0, 0, 0], [0, 0, 2.0]]])
    pair = replace(start, positions=positions, velocities=np.zeros_like(positions))
    assert fastest_vibration(pair, dimer) is None
