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

    E_k = c_k + ½ K_k |R − R0|², so that F = −K_k (R − R0) and the trapezoid of F is exact.
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
    arrays = {
        "positions": positions,
        "energies": OFFSET + 0.5 * STIFFNESS * (displacement**2).sum((1, 2))[:, None],
        "forces": -STIFFNESS[:, None, None] * displacement[:, None],
        "nonadiabatic_coupling": rng.standard_normal((len(positions), 1, 3, 3)),
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
