"""Two states that do not couple at all cross: a trajectory passes, and nothing happens to it."""

import math

import numpy as np
import pytest
import torch

from namd.dynamics.batch import start
from namd.dynamics.options import StepOptions
from namd.dynamics.registry import DECOHERENCE, FRUSTRATED, HOPPING, RESCALING, make
from namd.dynamics.step import step
from namd.molecule import Molecule
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

MASS, SLOPE, VELOCITY, BEGIN, TIMESTEP, STEPS = 2000.0, 0.002, 0.005, -2.0, 10.0, 100


def crossing(coupling: float):
    """Diabats +s x and −s x with a constant coupling."""
    slopes = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    slopes[0, 0, 0, 0], slopes[1, 1, 0, 0] = SLOPE, -SLOPE
    return linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([MASS])),
        StateSpace.singlets(2),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=0.0,
        energies=torch.tensor([[0.0, coupling], [coupling, 0.0]], dtype=torch.float64),
        slopes=slopes,
    )


def cross(coupling: float, **methods: str):
    """Once through the crossing on the first diabat, the lower state before it."""
    registries = {
        "hopping": HOPPING,
        "decoherence": DECOHERENCE,
        "rescaling": RESCALING,
        "frustrated": FRUSTRATED,
    }
    options = StepOptions(
        timestep=TIMESTEP,
        masses=torch.tensor([MASS], dtype=torch.float64),
        seed=3,
        **{name: make(registries[name], method) for name, method in methods.items()},
    )
    potential = crossing(coupling)
    positions = torch.zeros(1, 1, 3, dtype=torch.float64)
    velocities = torch.zeros_like(positions)
    positions[..., 0], velocities[..., 0] = BEGIN, VELOCITY
    batch = start(potential, positions, velocities, torch.tensor([0]), options=options)
    hops = []
    for _ in range(STEPS):
        result = step(batch, potential, options)
        batch = result.batch
        hops += result.hops.accepted[result.hops.attempted].tolist()
    return batch, hops


@pytest.mark.parametrize("coupling", [0.0, 1e-12])
@pytest.mark.parametrize(
    "methods",
    [
        {},
        {"decoherence": "edc"},
        {"rescaling": "velocity"},
        {"rescaling": "gradient-difference"},
        {"hopping": "unsmash", "frustrated": "reverse"},
    ],
    ids=lambda methods: "-".join(methods.values()) or "default",
)
def test_it_stays_on_its_diabat(methods: dict[str, str], coupling: float) -> None:
    """x(t) = x + v t − s t²/2M, one hop upwards over a gap that one step opens."""
    batch, hops = cross(coupling, **({"decoherence": "none"} | methods))
    assert hops == [True]
    assert batch.active_state.tolist() == [1]
    time = TIMESTEP * STEPS
    expected = BEGIN + VELOCITY * time - SLOPE * time**2 / (2 * MASS)
    assert batch.positions[0, 0, 0].item() == pytest.approx(expected, abs=5e-3)
    assert batch.amplitudes.abs().square().sum().item() == pytest.approx(1.0, abs=1e-12)


def test_a_vanishing_coupling_is_the_limit_of_small_ones() -> None:
    none, tiny = (cross(c, decoherence="none")[0] for c in (0.0, 1e-12))
    torch.testing.assert_close(none.positions, tiny.positions, rtol=0, atol=1e-9)
    torch.testing.assert_close(none.velocities, tiny.velocities, rtol=0, atol=1e-12)
    assert math.isfinite(none.energies.sum().item())
