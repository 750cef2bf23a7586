"""A committee: exactly the mean of its members, whatever signs their states come with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.config.architecture import PerceptronArchitecture
from namd.config.potential import PotentialConfig
from namd.dynamics.batch import TrajectoryBatch, start, total_energy
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.frames import frame_of
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.errors import ConfigError, ModelError
from namd.io.ensemble_writer import unit_of
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import save_model
from namd.potentials import slices
from namd.potentials.committee import CommitteePotential
from namd.potentials.deviation import Scales, mean_of
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.dipoles import energies_and_dipoles, has_dipoles
from namd.potentials.from_config import make_potential
from namd.potentials.network import NetworkPotential
from namd.potentials.protocol import Needs
from namd.potentials.signs import turn_couplings
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

ALL = Needs.COUPLINGS | Needs.FORCES
STATES = 3


def member(seed: int, *, spread: float = 0.1) -> DiabaticPotential:
    """Three states of a two-atom model; members differ by ``spread`` of their parameters."""

    def noise(of: int, *shape: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(of)
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    energies = 0.02 * (noise(1, 3, 3) + spread * noise(10 + seed, 3, 3))
    slopes = 0.03 * (noise(2, 3, 3, 2, 3) + spread * noise(20 + seed, 3, 3, 2, 3))
    return linear_vibronic(
        Molecule(atomic_numbers=np.array([1, 1]), masses=np.full(2, 1800.0)),
        StateSpace.singlets(STATES),
        reference=torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]], dtype=torch.float64),
        stiffness=0.1,
        energies=energies + energies.T,
        slopes=slopes + slopes.transpose(0, 1),
    )


class Turned:
    """A member whose states come with other signs."""

    def __init__(self, inner: DiabaticPotential, signs: tuple[int, ...]) -> None:
        self.inner, self.signs = inner, torch.tensor([signs], dtype=torch.float64)
        self.molecule, self.states = inner.molecule, inner.states
        self.force, self.coupling, self.describe = inner.force, inner.coupling, inner.describe

    def surfaces(self, positions, active_state, *, needs=Needs.NOTHING):
        found = self.inner.surfaces(positions, active_state, needs=needs)
        signs = self.signs.expand(len(positions), -1)
        return replace(found, couplings=turn_couplings(found.couplings, signs))


MEMBERS = tuple(member(seed) for seed in range(3))
COMMITTEE = CommitteePotential(MEMBERS)


def geometries(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(count, 2, 3, dtype=torch.float64, generator=generator)
    return 0.5 * noise + torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


def test_energies_and_forces_are_the_means_and_the_deviation_is_that_of_the_members() -> None:
    x, chosen = geometries(6), torch.arange(6) % STATES
    found = COMMITTEE.surfaces(x, chosen, needs=ALL)
    each = [m.surfaces(x, chosen, needs=ALL) for m in MEMBERS]
    for name in ("energies", "force", "forces"):
        stacked = torch.stack([getattr(s, name) for s in each])
        torch.testing.assert_close(getattr(found, name), stacked.mean(0), rtol=1e-13, atol=1e-15)
    energies = torch.stack([s.energies for s in each])
    torch.testing.assert_close(found.energy_deviation, energies.std(0), rtol=1e-10, atol=1e-15)
    gaps = energies[:, :, [1, 2, 2]] - energies[:, :, [0, 0, 1]]
    torch.testing.assert_close(found.gap_deviation, gaps.std(0), rtol=1e-10, atol=1e-15)
    longest = torch.stack([s.force for s in each]).std(0).norm(dim=-1).max(-1).values
    torch.testing.assert_close(found.force_deviation, longest, rtol=1e-10, atol=1e-15)


def test_the_deviation_of_couplings_is_that_in_one_gauge() -> None:
    """Members that differ by a known amount along one axis, whatever sign they come with."""
    inner, x = MEMBERS[0], geometries(4)
    h = inner.surfaces(x, torch.zeros(4, dtype=torch.int64), needs=Needs.COUPLINGS).couplings
    step = 1e-3 * h.abs().amax(dim=(2, 3))

    class Shifted(Turned):
        def surfaces(self, positions, active_state, *, needs=Needs.NOTHING):
            found = self.inner.surfaces(positions, active_state, needs=needs)
            couplings = found.couplings.clone()
            couplings[:, :, 1, 2] += step
            signs = self.signs.expand(len(positions), -1)
            return replace(found, couplings=turn_couplings(couplings, signs))

    pair = CommitteePotential((inner, Shifted(inner, (1, -1, 1))))
    found = pair.surfaces(x, torch.zeros(4, dtype=torch.int64), needs=Needs.COUPLINGS)
    torch.testing.assert_close(found.coupling_deviation, step / 2**0.5)
    plain = COMMITTEE.surfaces(x, torch.zeros(4, dtype=torch.int64))
    assert plain.coupling_deviation is None


def test_scales_multiply_the_deviations_and_nothing_else() -> None:
    x, chosen = geometries(3), torch.zeros(3, dtype=torch.int64)
    scales = Scales(energy=2.0, gap=3.0, force=4.0, coupling=5.0)
    scaled = CommitteePotential(MEMBERS, scales=scales)
    plain, found = (c.surfaces(x, chosen, needs=ALL) for c in (COMMITTEE, scaled))
    for name, factor in (("energy", 2.0), ("gap", 3.0), ("force", 4.0), ("coupling", 5.0)):
        ours, theirs = (getattr(s, f"{name}_deviation") for s in (plain, found))
        torch.testing.assert_close(theirs, factor * ours, rtol=1e-15, atol=0)
    for name in ("energies", "force", "forces", "couplings"):
        assert torch.equal(getattr(plain, name), getattr(found, name))
    assert scaled.describe()["digest"] != COMMITTEE.describe()["digest"]


class WithDipoles(Turned):
    has_dipoles = True

    def energies_and_dipoles(self, positions):
        chosen = torch.zeros(len(positions), dtype=torch.int64)
        energies = self.inner.surfaces(positions, chosen).energies
        dipoles = torch.arange(1.0, 10.0, dtype=torch.float64).reshape(1, 3, 3)
        signs = self.signs.expand(len(positions), -1)
        turned = turn_couplings(dipoles.expand(len(positions), -1, -1)[:, :, None], signs)
        return energies, turned[:, :, 0]


def test_dipoles_of_members_with_other_signs_do_not_cancel() -> None:
    members = [WithDipoles(MEMBERS[0], signs) for signs in ((1, 1, 1), (1, -1, 1), (-1, 1, 1))]
    committee = CommitteePotential(tuple(members))
    assert has_dipoles(committee)
    _, found = energies_and_dipoles(committee, geometries(2))
    assert torch.equal(found, members[0].energies_and_dipoles(geometries(2))[1])
    assert not has_dipoles(COMMITTEE)


@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_members_that_agree_are_one_to_the_last_bit(count: int) -> None:
    x, chosen = geometries(5), torch.zeros(5, dtype=torch.int64)
    alone = MEMBERS[0].surfaces(x, chosen, needs=ALL)
    alike = CommitteePotential(MEMBERS[:1] * count).surfaces(x, chosen, needs=ALL)
    for name in ("energies", "force", "forces", "couplings"):
        assert torch.equal(getattr(alike, name), getattr(alone, name))
    for name in ("energy", "gap", "force", "coupling"):
        assert getattr(alike, f"{name}_deviation").abs().max() == 0


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(*[st.sampled_from((-1, 1))] * STATES), min_size=2, max_size=2))
def test_signs_of_the_other_members_do_not_matter(signs: list[tuple[int, ...]]) -> None:
    x, chosen = geometries(6), torch.zeros(6, dtype=torch.int64)
    turned = CommitteePotential(
        (MEMBERS[0], *(Turned(m, s) for m, s in zip(MEMBERS[1:], signs, strict=True)))
    )
    expected = COMMITTEE.surfaces(x, chosen, needs=Needs.COUPLINGS).couplings
    assert torch.equal(turned.surfaces(x, chosen, needs=Needs.COUPLINGS).couplings, expected)


def test_couplings_of_members_that_nearly_agree_do_not_cancel() -> None:
    x, chosen = geometries(6), torch.zeros(6, dtype=torch.int64)
    alike = CommitteePotential(tuple(member(seed, spread=1e-4) for seed in range(4)))
    h = alike.surfaces(x, chosen, needs=Needs.COUPLINGS).couplings
    one = alike.members[0].surfaces(x, chosen, needs=Needs.COUPLINGS).couplings
    torch.testing.assert_close(h, one, rtol=0, atol=0.02 * one.abs().max().item())


def march(
    state: int, *, timestep: float, steps: int
) -> tuple[TrajectoryBatch, StepOptions, float, int]:
    """Trajectories from rest, their largest change of the total energy, and their hops."""
    x = geometries(4)
    masses = torch.as_tensor(COMMITTEE.molecule.masses)
    options = StepOptions(timestep=timestep, masses=masses, seed=1, electronic=NacVectors())
    active = torch.full((4,), state)
    batch = start(COMMITTEE, x, torch.zeros_like(x), active, options=options)
    before, largest, hops = total_energy(batch, masses), 0.0, 0
    for _ in range(steps):
        result = step(batch, COMMITTEE, options)
        batch, hops = result.batch, hops + int(result.hops.accepted.sum())
        largest = max(largest, (total_energy(batch, masses) - before).abs().max().item())
    return batch, options, largest, hops


def test_the_energy_is_conserved_to_second_order_because_forces_are_its_gradients() -> None:
    coarse, fine = (march(0, timestep=dt, steps=int(240 / dt))[2] for dt in (4.0, 2.0))
    assert coarse < 1e-4
    assert coarse / fine == pytest.approx(4.0, rel=0.05)


def test_trajectories_hop_between_the_mean_surfaces_and_save_the_deviation() -> None:
    batch, options, largest, hops = march(2, timestep=1.0, steps=300)
    assert hops > 0
    assert largest < 2e-4
    found = COMMITTEE.surfaces(batch.positions, batch.active_state)
    assert torch.equal(batch.energy_deviation, found.energy_deviation)
    frame = frame_of(batch, step=300, timestep=1.0, masses=options.masses, velocities=True)
    assert frame["energy_deviation"].shape == (4, STATES)
    assert unit_of("energy_deviation") == "hartree"
    single = start(MEMBERS[0], batch.positions, batch.velocities, batch.active_state)
    assert "energy_deviation" not in frame_of(
        single, step=0, timestep=1.0, masses=options.masses, velocities=True
    )


def test_overlaps_do_not_exist_and_methods_that_need_them_are_refused() -> None:
    x = geometries(1)
    masses = torch.as_tensor(COMMITTEE.molecule.masses)
    options = StepOptions(timestep=4.0, masses=masses, seed=1)
    with pytest.raises(ConfigError, match=r"quasi-diabatic basis.*nac-vectors"):
        start(COMMITTEE, x, x, torch.zeros(1, dtype=torch.int64), options=options)


def test_strangers_and_loners_are_refused() -> None:
    first = MEMBERS[0]
    heavier = replace(
        first, molecule=Molecule(atomic_numbers=np.array([1, 1]), masses=np.full(2, 3600.0))
    )
    other = replace(
        first, molecule=Molecule(atomic_numbers=np.array([1, 9]), masses=np.full(2, 1800.0))
    )
    fewer = replace(first, states=StateSpace.singlets(2))
    for stranger, words in (
        (heavier, "masses"),
        (other, "atoms: H F, expected H H"),
        (fewer, "states: S0 S1, expected S0 S1 S2"),
    ):
        with pytest.raises(ModelError, match=words):
            CommitteePotential((first, stranger))
    with pytest.raises(ConfigError, match="at least two"):
        CommitteePotential((first,))


def save_network(folder: Path, *, seed: int, level: str = "CASSCF") -> None:
    information = ModelInformation(
        name=folder.name,
        molecule=Molecule.from_numbers(np.array([8, 1, 1])),
        states=StateSpace.singlets(2),
        level_of_theory=level,
        architecture=PerceptronArchitecture(hidden=8, layers=1),
        diabats=2,
    )
    save_model(DiabaticModel(information, seed=seed), folder)


def test_a_configuration_names_the_members(tmp_path: Path) -> None:
    for seed, name in enumerate(("first", "second")):
        save_network(tmp_path / name, seed=seed)
    save_network(tmp_path / "third", seed=3, level="XMS-CASPT2")
    config = PotentialConfig(committee=["first", "second"])
    made = make_potential(config, base=tmp_path, device="cpu")
    assert isinstance(made, CommitteePotential)
    assert all(isinstance(each, NetworkPotential) for each in made.members)
    told = made.describe()
    assert told["name"] == "committee of first, second"
    assert told["level_of_theory"] == "CASSCF"
    assert told["digest"] not in {each.describe()["digest"] for each in made.members}
    with pytest.raises(ModelError, match="level of theory: XMS-CASPT2, expected CASSCF"):
        make_potential(PotentialConfig(committee=["first", "third"]), base=tmp_path, device="cpu")


def test_networks_are_evaluated_in_one_call_with_the_numbers_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate(("first", "second", "third")):
        save_network(tmp_path / name, seed=seed)
    names = ["first", "second", "third"]
    committee = make_potential(PotentialConfig(committee=names), base=tmp_path, device="cpu")
    assert isinstance(committee, CommitteePotential)
    generator = torch.Generator().manual_seed(1)
    x = 2.0 * torch.randn(20, 3, 3, dtype=torch.float64, generator=generator)
    chosen = torch.zeros(20, dtype=torch.int64)
    each = [member.surfaces(x, chosen, needs=ALL) for member in committee.members]
    calls = []

    def counted(function, items):
        calls.append(len(items))
        return [function(item) for item in items]

    monkeypatch.setattr(slices, "side_by_side", counted)
    found = committee.surfaces(x, chosen, needs=ALL)
    assert calls == [9]  # three slices of eight for each of three members
    for name in ("energies", "force", "forces"):
        assert torch.equal(getattr(found, name), mean_of([getattr(s, name) for s in each]))
