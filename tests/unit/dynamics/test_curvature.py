"""Curvature-driven coupling where it is exact: a linear crossing passed at constant velocity."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from namd.dynamics.batch import select, start
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.electronic.curvature import Curvature
from namd.dynamics.step import StepOptions, step
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

SLOPE, COUPLING, VELOCITY = 0.01, 0.005, 1e-3
HEAVY = torch.tensor([1e12], dtype=torch.float64)


def crossing():
    """W = [[kx, c], [c, −kx]]: T = kvc/(2E²) with E² = k²x² + c², at any x."""
    slopes = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    slopes[0, 0, 0, 0], slopes[1, 1, 0, 0] = SLOPE, -SLOPE
    off = torch.tensor([[0.0, COUPLING], [COUPLING, 0.0]], dtype=torch.float64)
    return linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=HEAVY.numpy()),
        StateSpace.singlets(2),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=0.0,
        energies=off,
        slopes=slopes,
    )


def largest_error(method, timestep, *, begin=-1.0):
    potential = crossing()
    positions = torch.tensor([[[begin, 0.0, 0.0]]], dtype=torch.float64)
    velocities = torch.tensor([[[VELOCITY, 0.0, 0.0]]], dtype=torch.float64)
    options = StepOptions(
        timestep=timestep,
        masses=HEAVY,
        seed=1,
        electronic=method,
        decoherence=NoDecoherence(),
    )
    batch = start(potential, positions, velocities, torch.tensor([0]), options=options)
    worst = 0.0
    for k in range(round(2000 / timestep)):
        batch = step(batch, potential, options).batch
        x = batch.positions[0, 0, 0]
        exact = 0.5 * SLOPE * VELOCITY * COUPLING / (SLOPE**2 * x**2 + COUPLING**2)
        if k >= 3:
            found = batch.memory["time_derivative_coupling"]
            assert torch.equal(found, -found.mT)
            worst = max(worst, ((found[0, 0, 1] - exact) / exact).abs().item())
    assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12
    return worst


@pytest.mark.parametrize(("form", "order"), [("energy", 2), ("gradient", 1)])
def test_it_is_the_exact_coupling_of_a_linear_crossing(form, order):
    coarse, fine = (largest_error(Curvature(form=form), dt) for dt in (20.0, 10.0))
    assert fine < 0.02
    assert fine < 1.2 * coarse / 2**order


def test_pairs_beyond_the_threshold_do_not_couple(crowd, begin, evolve):
    threshold = 0.01
    options = replace(crowd.options, electronic=Curvature(gap_threshold=threshold))
    batch, _ = evolve(begin(options), crowd.potential, options, steps=6)
    free = replace(crowd.options, electronic=Curvature())
    other, _ = evolve(begin(free), crowd.potential, free, steps=6)
    found = batch.memory["time_derivative_coupling"][:, 0, 1]
    wide = batch.energies[:, 1] - batch.energies[:, 0] > threshold
    assert (found[wide] == 0).all()
    assert (found[~wide] > 0).any()
    assert (other.memory["time_derivative_coupling"][wide, 0, 1] > 0).any()


@pytest.mark.parametrize("form", ["energy", "gradient"])
def test_nobody_hops_in_the_first_three_steps(crowd, begin, evolve, form):
    class Always:
        def probabilities(self, change):
            p = torch.ones(change.amplitudes_after.shape, dtype=torch.float64)
            return p.scatter(1, change.active_state[:, None], 0.0) / 2

    options = replace(crowd.options, electronic=Curvature(form=form), hopping=Always())
    _, records = evolve(begin(options), crowd.potential, options, steps=4)
    assert [bool(r.attempted.any()) for r in records] == [False, False, False, True]


@pytest.mark.parametrize("form", ["energy", "gradient"])
def test_it_needs_no_basis_and_no_coupling_and_rows_do_not_see_each_other(
    crowd, begin, evolve, flipped, form
):
    options = replace(crowd.options, electronic=Curvature(form=form))
    bare = flipped(crowd.potential, 1, basis=False)
    plain, records = evolve(begin(options), crowd.potential, options, steps=25)
    without, _ = evolve(begin(options, bare), bare, options, steps=25)
    assert torch.equal(plain.amplitudes.abs(), without.amplitudes.abs())
    assert torch.stack([r.accepted for r in records]).any()
    rows = torch.arange(3, 60, 7)
    alone, _ = evolve(select(begin(options), rows), crowd.potential, options, steps=25)
    assert torch.equal(alone.positions, plain.positions[rows])
    assert torch.equal(alone.amplitudes.abs(), plain.amplitudes.abs()[rows])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"substeps": 0}, "at least one substep"),
        ({"gap_threshold": 0.0}, "must be positive"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    with pytest.raises(ConfigError, match=message):
        Curvature(**parameters)
