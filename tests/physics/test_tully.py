"""Outcomes of surface hopping on Tully's models against an independent program and exact results.

Surface-hopping references: 2000 trajectories each of an independent FSSH program without
decoherence, standard error at most 0.011. Exact references: monoenergetic scattering by finite
differences with exact outgoing boundaries, unitary to 1e-10. Columns: transmitted on the lower and
upper state, reflected on the lower and upper.
"""

import pytest
import torch

from namd.dynamics.batch import start
from namd.dynamics.decoherence.augmented import AugmentedDecoherence
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.norm_preserving import NormPreserving
from namd.dynamics.hopping.global_flux import GlobalFlux
from namd.dynamics.hopping.landau_zener import LandauZener
from namd.dynamics.hopping.tully_rate import TullyRate
from namd.dynamics.hopping.unsmash import UncoupledSpheres
from namd.dynamics.momentum.frustrated import Reverse
from namd.dynamics.step import StepOptions, step
from namd.potentials.tully import MASS, tully

TRAJECTORIES = 800
START = -12.0  # where the coupling of every model has died out, also the long one of model 3
FINISH = 10.0


def channels(model, momentum, *, decoherence, traj=TRAJECTORIES, **methods):
    """Fractions in the four channels once everyone has left."""
    potential = tully(model)
    positions = torch.zeros(traj, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = START
    velocities = torch.zeros_like(positions)
    velocities[:, 0, 0] = momentum / MASS
    options = StepOptions(
        timestep=0.2 * MASS / momentum,
        masses=torch.tensor([MASS], dtype=torch.float64),
        seed=5,
        decoherence=decoherence,
        **methods,
    )
    batch = start(
        potential,
        positions,
        velocities,
        torch.zeros(traj, dtype=torch.int64),
        options=options,
    )
    lower = torch.zeros(traj, dtype=torch.int64)
    batch = start(potential, positions, velocities, lower, options=options)
    for count in range(4000):
        batch = step(batch, potential, options).batch
        x, v = batch.positions[:, 0, 0], batch.velocities[:, 0, 0]
        if count % 50 == 0 and ((x.abs() > FINISH) & (x * v > 0)).all():
            break
    else:
        pytest.fail("a trajectory did not leave")
    passed, lower = batch.positions[:, 0, 0] > 0, batch.active_state == 0
    masks = (passed & lower, passed & ~lower, ~passed & lower, ~passed & ~lower)
    return [mask.double().mean().item() for mask in masks]


@pytest.mark.parametrize(
    ("model", "momentum", "expected"),
    [
        (1, 10.0, (0.8255, 0.1745, 0.0, 0.0)),
        (2, 16.0, (0.903, 0.097, 0.0, 0.0)),
        (2, 30.0, (0.3205, 0.6795, 0.0, 0.0)),
        (3, 14.0, (0.652, 0.0, 0.154, 0.194)),
    ],
)
def test_bare_surface_hopping(model, momentum, expected):
    found = channels(model, momentum, decoherence=NoDecoherence())
    for value, reference in zip(found, expected, strict=True):
        variance = reference * (1 - reference) * (1 / TRAJECTORIES + 1 / 2000)
        assert abs(value - reference) <= 3 * variance**0.5 + 1e-12


def test_decoherence_repairs_the_reflection_of_model_3():
    """Exact at k = 24: 0.1709 returns on the lower state; a false interference hides it in FSSH."""
    damped = channels(3, 24.0, decoherence=EnergyBasedDecoherence())
    bare = channels(3, 24.0, decoherence=NoDecoherence())
    assert abs(bare[2] - 0.1709) > 0.1
    assert abs(damped[2] - 0.1709) < 0.06


def test_augmented_surface_hopping_repairs_model_3_and_leaves_model_2_alone():
    """Exact: R lower 0.1572 at k = 20 of model 3, T lower 0.9554 at k = 20 of model 2."""
    assert abs(channels(3, 20.0, decoherence=AugmentedDecoherence())[2] - 0.1572) < 0.05
    assert abs(channels(3, 20.0, decoherence=NoDecoherence())[2] - 0.1572) > 0.1
    assert abs(channels(2, 20.0, decoherence=AugmentedDecoherence())[0] - 0.9554) < 0.03


def test_decoherence_harms_model_2():
    """Stueckelberg oscillations live on coherence between the two crossings: exact 0.9554."""
    bare = channels(2, 20.0, decoherence=NoDecoherence())
    damped = channels(2, 20.0, decoherence=EnergyBasedDecoherence(constant=0.0))
    assert abs(bare[0] - 0.9554) < 0.03
    assert abs(damped[0] - 0.9554) > 0.1


@pytest.mark.parametrize(
    "methods",
    [
        {"electronic": NacVectors()},
        {"electronic": NacVectors(), "hopping": TullyRate()},
        {"electronic": NormPreserving()},
        {"hopping": GlobalFlux()},
    ],
    ids=["nac vectors", "nac vectors and Tully's rate", "npi", "global flux"],
)
def test_every_way_to_the_same_hops(methods):
    """Two crossings in a row, where the phase between them decides."""
    traj, expected = 400, (0.3205, 0.6795)
    found = channels(2, 30.0, decoherence=NoDecoherence(), traj=traj, **methods)
    for value, reference in zip(found, (*expected, 0.0, 0.0), strict=True):
        variance = reference * (1 - reference) * (1 / traj + 1 / 2000)
        assert abs(value - reference) <= 3 * variance**0.5 + 1e-12


def test_landau_zener_passes_a_single_crossing():
    """Exact at k = 20: 0.5068 and 0.4932; the gap alone has no phase, and needs none here."""
    methods = {"electronic": None, "hopping": LandauZener()}
    found = channels(1, 20.0, decoherence=NoDecoherence(), **methods)
    assert abs(found[0] - 0.5068) < 0.06
    assert abs(found[1] - 0.4932) < 0.06


@pytest.mark.parametrize(
    ("model", "momentum", "exact"),
    [(1, 10.0, (0.8445, 0.1555)), (2, 30.0, (0.3337, 0.6663)), (1, 20.0, (0.5068, 0.4932))],
)
def test_uncoupled_spheres_pass_crossings_as_quantum_mechanics_does(model, momentum, exact):
    methods = {"hopping": UncoupledSpheres(), "frustrated": Reverse()}
    found = channels(model, momentum, decoherence=NoDecoherence(), traj=400, **methods)
    for value, reference in zip(found, (*exact, 0.0, 0.0), strict=True):
        assert abs(value - reference) <= 3 * (reference * (1 - reference) / 400) ** 0.5 + 0.01
