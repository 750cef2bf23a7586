"""Decoherence: lifetimes, norm and limits of the energy-based one, moments of the sudden one."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.batch import kinetic_energy
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.instantaneous import InstantaneousDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.decoherence.protocol import StepCircumstances
from namd.errors import ConfigError


def damp(method, amplitudes, *, active, energies, kinetic, timestep=20.0):
    return method.damped(
        torch.tensor([amplitudes], dtype=torch.complex128),
        active_state=torch.tensor([active]),
        energies=torch.tensor([energies], dtype=torch.float64),
        kinetic_energy=torch.tensor([kinetic], dtype=torch.float64),
        timestep=timestep,
    )[0]


@pytest.mark.parametrize(("convention", "factor"), [("population", 0.5), ("amplitude", 1.0)])
def test_amplitudes_decay_with_the_gap_to_the_active_state(convention, factor):
    method = EnergyBasedDecoherence(constant=0.1, convention=convention)
    c = damp(method, [0.5, 0.5j, 0.5**0.5], active=1, energies=[-0.1, 0.0, 0.3], kinetic=0.05)
    lifetimes = [(1 + 0.1 / 0.05) / gap for gap in (0.1, 0.3)]
    assert c[0].item() == pytest.approx(0.5 * math.exp(-factor * 20 / lifetimes[0]), rel=1e-13)
    assert c[2].item() == pytest.approx(
        math.sqrt(0.5) * math.exp(-factor * 20 / lifetimes[1]), rel=1e-13
    )
    own = math.sqrt(1 - abs(c[0].item()) ** 2 - abs(c[2].item()) ** 2)
    assert c[1].item() == pytest.approx(1j * own, rel=1e-13)


@given(
    phases=st.lists(st.floats(0, 6.28), min_size=3, max_size=3),
    active=st.integers(0, 2),
    kinetic=st.floats(0, 1),
)
def test_norm_is_one_and_phases_stay(phases, active, kinetic):
    amplitudes = [3**-0.5 * complex(math.cos(p), math.sin(p)) for p in phases]
    c = damp(
        EnergyBasedDecoherence(),
        amplitudes,
        active=active,
        energies=[0, 0.05, 0.2],
        kinetic=kinetic,
    )
    assert c.abs().square().sum().item() == pytest.approx(1, abs=1e-14)
    for after, before in zip(c.tolist(), amplitudes, strict=True):
        assert after / abs(after) == pytest.approx(before / abs(before), abs=1e-12)


def test_nuclei_at_rest_and_degenerate_states_do_not_decohere():
    amplitudes = [0.6, 0.8j]
    method = EnergyBasedDecoherence()
    for energies, kinetic in (([0.0, 0.2], 0.0), ([0.1, 0.1], 0.3)):
        c = damp(method, amplitudes, active=0, energies=energies, kinetic=kinetic)
        assert c.tolist() == pytest.approx(amplitudes, abs=1e-15)


def test_an_active_state_without_amplitude_leaves_the_others_theirs():
    """What they would lose has nowhere to go: c_a = 0 has no phase."""
    c = damp(
        EnergyBasedDecoherence(), [0.0, 0.6, 0.8j], active=0, energies=[0, 0.1, 0.2], kinetic=0.1
    )
    assert c.tolist() == [0.0, 0.6, 0.8j]


def circumstances(crowd, *, attempted=False, accepted=False):
    traj = len(crowd.batch)
    return StepCircumstances(
        attempted=torch.full((traj,), attempted),
        accepted=torch.full((traj,), accepted),
        masses=crowd.options.masses,
        timestep=crowd.options.timestep,
        seed=1,
    )


def test_none_does_nothing(crowd):
    step = circumstances(crowd, attempted=True, accepted=True)
    assert NoDecoherence().damp(crowd.batch, crowd.batch, step=step) is crowd.batch


def test_the_step_gives_the_state_and_the_kinetic_energy_after_the_hop(crowd):
    method = EnergyBasedDecoherence()
    mixed = torch.full_like(crowd.batch.amplitudes, 3**-0.5)
    after = replace(crowd.batch, amplitudes=mixed, active_state=(crowd.batch.active_state + 1) % 3)
    expected = method.damped(
        mixed,
        active_state=after.active_state,
        energies=after.energies,
        kinetic_energy=kinetic_energy(after, crowd.options.masses),
        timestep=crowd.options.timestep,
    )
    found = method.damp(crowd.batch, after, step=circumstances(crowd))
    assert torch.equal(found.amplitudes.abs(), expected.abs())
    assert (expected.abs() - mixed.abs()).abs().max() > 1e-3


def test_descriptions_name_constant_and_convention():
    assert NoDecoherence().describe() == "none"
    text = EnergyBasedDecoherence(constant=0.2, convention="amplitude").describe()
    assert "0.2" in text
    assert "amplitude" in text
    assert "attempted" in InstantaneousDecoherence("attempted").describe()


def test_wrong_numbers_and_names_are_refused():
    with pytest.raises(ConfigError, match="must not be negative"):
        EnergyBasedDecoherence(constant=-0.1)
    with pytest.raises(ConfigError, match="population, amplitude"):
        _unchecked(EnergyBasedDecoherence, constant=0.1, convention="energy")

    with pytest.raises(ConfigError, match="accepted, attempted"):
        _unchecked(InstantaneousDecoherence, collapse="never")


def _unchecked(method_class, **parameters):
    """Make the object as a run does, where no type checker stands before ``__post_init__``."""
    method = object.__new__(method_class)
    for name, value in parameters.items():
        object.__setattr__(method, name, value)
    method.__post_init__()


@pytest.mark.parametrize(
    ("collapse", "attempted", "accepted", "collapses"),
    [
        ("accepted", True, True, True),
        ("accepted", True, False, False),
        ("accepted", False, False, False),
        ("attempted", True, True, True),
        ("attempted", True, False, True),
        ("attempted", False, False, False),
    ],
)
def test_instantaneous_collapses_at_its_hops_only(crowd, collapse, attempted, accepted, collapses):
    mixed = torch.tensor([0.6, 0.8j, 0.0], dtype=torch.complex128).expand(len(crowd.batch), 3)
    after = replace(crowd.batch, amplitudes=mixed)
    step = circumstances(crowd, attempted=attempted, accepted=accepted)
    found = InstantaneousDecoherence(collapse).damp(crowd.batch, after, step=step).amplitudes
    unit = torch.nn.functional.one_hot(crowd.batch.active_state, 3)
    expected = unit.to(mixed) if collapses else mixed
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("collapse", ["accepted", "attempted"])
def test_a_run_collapses_whenever_it_hops(crowd, evolve, collapse):
    options = replace(crowd.options, decoherence=InstantaneousDecoherence(collapse))
    batch, seen, mixed = crowd.batch, 0, 0
    for _ in range(45):
        batch, (record,) = evolve(batch, crowd.potential, options, steps=1)
        hopped = getattr(record, collapse)
        own = batch.amplitudes.gather(1, batch.active_state[:, None]).squeeze(1)
        assert torch.equal(own[hopped], torch.ones_like(own[hopped]))
        assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12
        seen += int(hopped.sum())
        mixed += int((own[~hopped].abs() < 0.99).sum())
    assert seen > 20
    assert mixed > 100
