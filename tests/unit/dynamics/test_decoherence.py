"""Decoherence: lifetimes, norm and limits of the energy-based one, moments of the sudden one."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.instantaneous import InstantaneousDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.errors import ConfigError

NOT = torch.tensor([False])


def damp(
    method, amplitudes, *, active, energies, kinetic, timestep=20.0, attempted=NOT, accepted=NOT
):
    return method.damp(
        torch.tensor([amplitudes], dtype=torch.complex128),
        active_state=torch.tensor([active]),
        energies=torch.tensor([energies], dtype=torch.float64),
        kinetic_energy=torch.tensor([kinetic], dtype=torch.float64),
        timestep=timestep,
        attempted=attempted,
        accepted=accepted,
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


def test_an_active_state_without_amplitude_gives_no_nan():
    c = damp(EnergyBasedDecoherence(), [0.0, 1.0], active=0, energies=[0, 0.1], kinetic=0.1)
    assert torch.isfinite(c.abs()).all()


def test_none_does_nothing():
    amplitudes = torch.tensor([[0.6, 0.8]], dtype=torch.complex128)
    zero = torch.zeros(1, dtype=torch.float64)
    kept = NoDecoherence().damp(
        amplitudes,
        active_state=torch.zeros(1, dtype=torch.int64),
        energies=zero[:, None].expand(1, 2),
        kinetic_energy=zero,
        timestep=1.0,
        attempted=NOT,
        accepted=NOT,
    )
    assert kept is amplitudes


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
def test_instantaneous_collapses_at_its_hops_only(collapse, attempted, accepted, collapses):
    amplitudes = [0.6, 0.8j, 0.0]
    c = damp(
        InstantaneousDecoherence(collapse),
        amplitudes,
        active=2,
        energies=[0, 0.05, 0.2],
        kinetic=0.1,
        attempted=torch.tensor([attempted]),
        accepted=torch.tensor([accepted]),
    )
    assert c.tolist() == ([0, 0, 1] if collapses else amplitudes)


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
