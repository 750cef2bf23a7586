"""Signs of eigenvectors and couplings never reach a trajectory, also with three states."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from namd.dynamics.decoherence.augmented import AugmentedDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.electronic.curvature import Curvature
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.norm_preserving import NormPreserving
from namd.dynamics.hopping.global_flux import GlobalFlux
from namd.dynamics.hopping.tully_rate import TullyRate
from namd.dynamics.hopping.unsmash import UncoupledSpheres
from namd.dynamics.momentum.frustrated import Reverse
from namd.errors import ConfigError, DataError
from namd.potentials.signs import signs_of_couplings

SPHERES = {
    "hopping": UncoupledSpheres(),
    "decoherence": NoDecoherence(),
    "frustrated": Reverse(),
}
METHODS = {
    "local diabatisation": {"electronic": LocalDiabatization()},
    "nac vectors": {"electronic": NacVectors()},
    "nac vectors, velocities before the hop": {
        "electronic": NacVectors(velocities_before_hop=True)
    },
    "augmented decoherence": {"decoherence": AugmentedDecoherence()},
    "npi": {"electronic": NormPreserving()},
    "curvature, energies": {"electronic": Curvature()},
    "curvature, gradients": {"electronic": Curvature(form="gradient")},
    "tully rate": {"electronic": NacVectors(), "hopping": TullyRate()},
    "global flux": {"hopping": GlobalFlux()},
    "unsmash": SPHERES,
    "npi, unsmash": {"electronic": NormPreserving(), **SPHERES},
    "nac vectors, unsmash": {"electronic": NacVectors(), **SPHERES},
}
WITHOUT_BASIS = [name for name in METHODS if name.startswith("nac")]


@pytest.fixture(scope="module", name="travel")
def make_travel(begin, evolve):
    def travel(options, potential):
        """The crowd after forty steps, and its hops."""
        return evolve(begin(options, potential), potential, options, steps=40)

    return travel


def assert_same_path(travel, options, *potentials):
    (plain, records), (turned, again) = (travel(options, each) for each in potentials)
    assert sum(int(r.accepted.sum()) for r in records) > 20
    for first, second in zip(records, again, strict=True):
        assert torch.equal(first.accepted, second.accepted)
        assert torch.equal(first.to_state, second.to_state)
    torch.testing.assert_close(turned.positions, plain.positions, rtol=0, atol=1e-12)
    torch.testing.assert_close(turned.velocities, plain.velocities, rtol=0, atol=1e-14)
    torch.testing.assert_close(turned.amplitudes.abs(), plain.amplitudes.abs(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("method", METHODS)
@settings(
    max_examples=1,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_signs_of_three_states_do_not_matter(crowd, travel, flipped, method, seed):
    options = replace(crowd.options, **METHODS[method])
    assert_same_path(travel, options, crowd.potential, flipped(crowd.potential, seed))


@pytest.mark.parametrize("method", WITHOUT_BASIS)
def test_couplings_alone_give_the_signs_where_states_have_no_basis(crowd, travel, flipped, method):
    """With steps so short that no coupling turns by a right angle in one of them."""
    options = replace(crowd.options, timestep=1.0, **METHODS[method])
    without = flipped(crowd.potential, 3, basis=False)
    runs = [travel(options, potential)[0] for potential in (crowd.potential, without)]
    assert runs[1].eigenvectors.shape[1] == 0
    difference = (runs[0].amplitudes.abs() - runs[1].amplitudes.abs()).abs().amax(1)
    assert (difference < 1e-11).double().mean() > 0.9


@given(
    states=st.integers(1, 5),
    seed=st.integers(0, 2**16),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=5, max_size=5),
)
def test_signs_are_found_for_all_couplings_together(states, seed, signs):
    """One coupling of many that points the other way does not turn a state."""
    generator = torch.Generator().manual_seed(seed)
    pairs = states * (states - 1) // 2
    h = torch.randn(1, pairs, 4, 3, dtype=torch.float64, generator=generator)
    s = torch.tensor([signs[:states]], dtype=torch.float64)
    first, second = torch.triu_indices(states, states, offset=1)
    turned = h * (s[:, first] * s[:, second])[:, :, None, None]
    if states > 2:
        turned[:, 0] *= -0.01
    found = signs_of_couplings(h, turned, states=states)
    assert torch.equal(found, s * s[:, :1])


def test_a_method_is_refused_where_the_potential_cannot_serve_it(crowd, begin, flipped):
    bare = flipped(crowd.potential, 0, basis=False)
    with pytest.raises(ConfigError, match="quasi-diabatic basis"):
        begin(crowd.options, bare)


def test_trajectories_started_for_another_method_are_refused(crowd, begin, evolve):
    options = replace(crowd.options, electronic=NacVectors())
    with pytest.raises(DataError, match="couplings do not fit"):
        evolve(crowd.batch, crowd.potential, options, steps=1)
    carrying = replace(crowd.options, electronic=NacVectors(velocities_before_hop=True))
    batch = begin(options)
    with pytest.raises(DataError, match="do not remember time_derivative_coupling"):
        evolve(batch, crowd.potential, carrying, steps=1)
