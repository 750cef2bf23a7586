"""A small consistent dataset: water on two harmonic surfaces, several trajectories."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from namd.data.dataset import Dataset
from namd.molecule import Molecule
from namd.states import StateSpace

MINIMUM = np.array([[0.0, 0.0, 0.22], [0.0, 1.43, -0.89], [0.0, -1.43, -0.89]])
STIFFNESS = np.array([0.30, 0.22])
OFFSET = np.array([-76.0, -75.8])
STEP = 20.67  # 0.5 fs


def _make(
    walks: int = 3, steps: int = 12, single: int = 4, seed: int = 0, **changes: Any
) -> Dataset:
    """Walks ``traj-k`` along smooth paths and ``single`` frames ``wigner-k`` without a time.

    E_k = c_k + ½ K_k |x|² with x = R − R0 less its mean over the atoms, so that F = −K_k x and the
    trapezoid of F is exact. The coupling is smooth and as free of translations as the forces.
    """
    rng = np.random.default_rng(seed)
    paths, group, source, time = [], [], [], []
    for k in range(walks):
        phase = np.linspace(0, 1.5, steps)[:, None, None] + rng.uniform(0, 6, (3, 3))
        paths.append(MINIMUM + 0.12 * np.sin(phase))
        group += [f"traj-{k}"] * steps
        source += ["traj"] * steps
        time += (STEP * np.arange(steps)).tolist()
    paths.append(MINIMUM + 0.1 * rng.standard_normal((single, 3, 3)))
    group += [f"wigner-{k}" for k in range(single)]
    source += ["wigner"] * single
    time += [np.nan] * single
    positions = np.concatenate(paths)
    displacement = positions - MINIMUM
    displacement -= displacement.mean(axis=1, keepdims=True)
    direction = np.array([[0.4, 0.9, -0.2], [-0.7, 0.1, 0.8], [0.3, -1.0, -0.6]])
    arrays = {
        "positions": positions,
        "energies": OFFSET + 0.5 * STIFFNESS * (displacement**2).sum((1, 2))[:, None],
        "forces": -STIFFNESS[:, None, None] * displacement[:, None],
        "nonadiabatic_coupling": (direction + 2.0 * displacement[:, ::-1])[:, None],
        "time": np.array(time),
        "group": np.array(group),
        "source": np.array(source),
    }
    arrays |= changes.pop("arrays", {})
    fields: dict[str, Any] = {
        "molecule": Molecule.from_numbers(np.array([8, 1, 1])),
        "states": StateSpace.singlets(2),
        "level_of_theory": "two springs",
        "arrays": {name: values for name, values in arrays.items() if values is not None},
        "title": "water",
        "licence": "CC0",
        "provenance": {"note": "made by a test"},
    }
    return Dataset(**(fields | changes))


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    """Factory of the dataset; ``arrays={name: values or None}`` replaces or removes an array."""
    return _make


@pytest.fixture
def moving() -> Dataset:
    """Three walks of 20 frames with velocities, and enough motion for energies to change."""
    base = _make(walks=3, steps=20, single=0)
    velocities = np.concatenate(
        [
            np.gradient(base["positions"][rows], STEP, axis=0, edge_order=2)
            for rows in np.arange(60).reshape(3, 20)
        ]
    )
    return _make(walks=3, steps=20, single=0, arrays={"velocities": velocities})


@pytest.fixture
def crossing() -> Dataset:
    """A bond stretched on two straight diabats, E = ±0.04 x; they cross after frame 9."""
    x = np.linspace(-0.96, 1.04, 20)  # the crossing lies near frame 9, not half-way
    direction = np.array([[0, 0, 1.0], [0, 0, -1.0], [0, 0, 0]]) / 2
    positions = MINIMUM + 0.5 * x[:, None, None] * direction
    lower = 0.16 * np.sign(x)[:, None, None] * direction
    forces = np.stack([lower, -lower], axis=1)
    energies = -76.0 + 0.04 * np.stack([-np.abs(x), np.abs(x)], axis=1)
    return _make(
        walks=1,
        steps=20,
        single=0,
        arrays={
            "positions": positions,
            "energies": energies,
            "forces": forces,
            "nonadiabatic_coupling": np.broadcast_to(direction, (20, 1, 3, 3)).copy(),
        },
    )


@pytest.fixture(scope="session")
def three_states() -> Dataset:
    """One walk of 20 frames on three springs, with smooth couplings of all three pairs."""
    base = _make(walks=1, steps=20, single=0)
    moved = base["positions"] - MINIMUM
    moved -= moved.mean(axis=1, keepdims=True)
    stiffness = np.array([*STIFFNESS, 0.26])
    directions = np.random.default_rng(3).standard_normal((3, 3, 3))
    directions -= directions.mean(axis=1, keepdims=True)
    sum_of_squares = (moved**2).sum((1, 2))[:, None]
    arrays = {
        "energies": np.array([*OFFSET, -75.7]) + 0.5 * stiffness * sum_of_squares,
        "forces": -stiffness[:, None, None] * moved[:, None],
        "nonadiabatic_coupling": directions + moved[:, None, ::-1],
    }
    amplitudes = np.random.default_rng(4).uniform(0.2, 1, (2, 20, 3))
    arrays["amplitudes"] = amplitudes[0] + 1j * amplitudes[1]
    return _make(walks=1, steps=20, single=0, states=StateSpace.singlets(3), arrays=arrays)
