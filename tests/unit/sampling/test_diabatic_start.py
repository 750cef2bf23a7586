"""Active states of trajectories that start in a diabatic state."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from namd.config.initial_conditions import InitialConditionsConfig
from namd.errors import ConfigError
from namd.potentials.morse import morse
from namd.potentials.protocol import Surfaces
from namd.potentials.spin_boson import spin_boson
from namd.sampling.conditions import InitialConditions
from namd.sampling.diabatic_start import draw_adiabatic
from namd.sampling.initial_conditions import make_initial_conditions


def at(x: float, trajectories: int) -> np.ndarray:
    return np.full((trajectories, 1, 1), x) * [1.0, 0.0, 0.0]


def test_states_are_drawn_with_the_squares_of_the_overlaps() -> None:
    """Beside a crossing, where the third diabat has parts in two adiabatic states."""
    n, model = 20000, morse(2)
    positions = at(3.4, n)
    drawn = draw_adiabatic(model, positions, 2, trajectory_id=np.arange(n), seed=4)
    first = torch.zeros(1, dtype=torch.int64)
    vectors = model.surfaces(torch.tensor(positions[:1]), first).eigenvectors
    assert vectors is not None
    expected = vectors[0, 2].square().numpy()
    assert 0.1 < np.sort(expected)[1] < 0.5
    found = np.bincount(drawn, minlength=3) / n
    assert (np.abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / n) + 1e-12).all()


def test_a_trajectory_does_not_know_the_others() -> None:
    identity = np.arange(300)
    positions = np.linspace(3.2, 3.5, 300)[:, None, None] * [1.0, 0.0, 0.0]
    model = morse(2)
    together = draw_adiabatic(model, positions, 0, trajectory_id=identity, seed=9)
    chosen = [250, 3, 77]
    alone = draw_adiabatic(model, positions[chosen], 0, trajectory_id=identity[chosen], seed=9)
    assert alone.tolist() == together[chosen].tolist()
    assert len(set(together.tolist())) > 1
    other = draw_adiabatic(model, positions, 0, trajectory_id=identity, seed=10)
    assert (other != together).any()


def conditions(**section: object) -> InitialConditions:
    bath = spin_boson(
        bias=1e-4, coupling=1e-3, spectrum="debye", cutoff=3e-4, reorganization=1e-4, oscillators=3
    )
    config = TypeAdapter(InitialConditionsConfig).validate_python(
        {"method": "oscillators", "temperature_k": 300, "state": 0, **section}
    )
    return make_initial_conditions(
        config, bath, trajectories=200, seed=2, base=Path(), cache=Path("unused")
    )


def test_the_configuration_asks_for_it() -> None:
    diabatic, adiabatic = conditions(basis="diabatic"), conditions()
    assert set(diabatic.active_state) == {0, 1}
    assert (diabatic.diabatic_state == 0).all()
    assert (adiabatic.active_state == 0).all()
    assert adiabatic.diabatic_state is None
    np.testing.assert_array_equal(diabatic.positions, adiabatic.positions)


class WithoutSome:
    """A Morse model that gives only some of its adiabatic states, or no basis."""

    def __init__(self, kept: int) -> None:
        self.whole, self.kept = morse(2), kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def surfaces(self, *arguments: Any, **options: Any) -> Surfaces:
        given = self.whole.surfaces(*arguments, **options)
        assert given.eigenvectors is not None
        if not self.kept:
            return replace(given, eigenvectors=None)
        lowest = given.eigenvectors[:, :, : self.kept]
        return replace(given, energies=given.energies[:, : self.kept], eigenvectors=lowest)


def test_potentials_without_a_whole_basis_are_refused() -> None:
    keys = {"trajectory_id": np.arange(1), "seed": 0}
    with pytest.raises(ConfigError, match="no diabatic states"):
        draw_adiabatic(WithoutSome(0), at(3.0, 1), 0, **keys)
    with pytest.raises(ConfigError, match="of the 3 adiabatic states of the potential only 2"):
        draw_adiabatic(WithoutSome(2), at(3.0, 1), 0, **keys)
