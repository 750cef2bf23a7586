"""The loss: zero for the truth in any gauge, not zero for anything else."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.config.training import LossWeights
from namd.nn.adiabatic import Adiabatic
from namd.train.loss import align_coupling, multistate_loss, rotation_invariant_distance
from namd.units import EV_PER_HARTREE

MOLECULES, ATOMS = 4, 3
WEIGHTS = LossWeights()
ANGLES = st.floats(0.0, 2 * math.pi)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.05 * torch.randn(*shape, dtype=torch.float64, generator=generator)


def electronic_structure(states: int, *, gap_ev: float, seed: int = 0) -> Adiabatic:
    """Random forces and couplings on levels that are ``gap_ev`` apart."""
    levels = torch.arange(states, dtype=torch.float64) * gap_ev / EV_PER_HARTREE
    return Adiabatic(
        energies=levels + noise(MOLECULES, 1, seed=seed + 1),
        forces=noise(MOLECULES, states, ATOMS, 3, seed=seed + 2),
        interstate_coupling=noise(MOLECULES, states * (states - 1) // 2, ATOMS, 3, seed=seed + 3),
    )


def pair_signs(signs: torch.Tensor) -> torch.Tensor:
    """s_i s_j of every pair i < j, from one sign per molecule and state."""
    first, second = torch.triu_indices(signs.shape[1], signs.shape[1], offset=1)
    return (signs[:, first] * signs[:, second])[..., None, None]


def loss(predicted: Adiabatic, reference: Adiabatic, *, late=False, weights=WEIGHTS):
    return multistate_loss(
        predicted,
        energies=reference.energies,
        forces=reference.forces,
        coupling=reference.interstate_coupling,
        weights=weights,
        late=late,
    )


def rotate(e: Adiabatic, first: int, angle: float) -> Adiabatic:
    """The same surfaces with the states ``first`` and ``first + 1`` mixed by ``angle``."""
    states = e.forces.shape[1]
    i, j = torch.triu_indices(states, states, offset=1)
    gradient = torch.diag_embed(-e.forces.movedim(1, -1)).movedim((-2, -1), (1, 2)).clone()
    gradient[:, i, j] = e.interstate_coupling
    gradient[:, j, i] = e.interstate_coupling
    u = torch.eye(states, dtype=torch.float64)
    c, s = math.cos(angle), math.sin(angle)
    block = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    u[first : first + 2, first : first + 2] = block
    turned = torch.einsum("ki,bklax,lj->bijax", u, gradient, u)
    return Adiabatic(
        energies=e.energies,
        forces=-turned.diagonal(dim1=1, dim2=2).movedim(-1, 1),
        interstate_coupling=turned[:, i, j],
    )


@given(states=st.integers(2, 4), bits=st.integers(0, 2**16 - 1), gap_ev=st.sampled_from([0.01, 1]))
@settings(deadline=None, max_examples=40)
def test_the_truth_costs_nothing_whatever_the_signs_of_the_states(states, bits, gap_ev):
    truth = electronic_structure(states, gap_ev=gap_ev)
    flips = torch.tensor([(bits >> k) & 1 for k in range(MOLECULES * states)])
    signs = 1.0 - 2.0 * flips.double().reshape(MOLECULES, states)
    flipped = Adiabatic(
        energies=truth.energies,
        forces=truth.forces,
        interstate_coupling=truth.interstate_coupling * pair_signs(signs),
    )
    terms = loss(truth, flipped)
    for name in terms.__dataclass_fields__:
        assert abs(getattr(terms, name)) < 1e-12, name


@pytest.mark.parametrize("pair", [0, 1, 2])
def test_signs_that_no_choice_of_states_gives_are_an_error(pair: int):
    """Of three couplings either none or two change sign; one alone is another molecule."""
    truth = electronic_structure(3, gap_ev=1.0)
    odd = truth.interstate_coupling.clone()
    odd[:, pair] *= -1
    wrong = Adiabatic(energies=truth.energies, forces=truth.forces, interstate_coupling=odd)
    assert loss(truth, wrong).coupling > 0.5
    assert loss(truth, wrong).force < 1e-12


@given(bits=st.integers(0, 2**8 - 1))
@settings(deadline=None, max_examples=20)
def test_alignment_takes_the_nearest_of_all_gauges(bits: int):
    """Against every choice of signs, one by one."""
    states = 4
    ours, theirs = (noise(1, 6, ATOMS, 3, seed=bits + k) for k in (0, 1000))
    aligned = align_coupling(ours, theirs, states=states)
    distances = [
        (ours - theirs * pair_signs(torch.tensor([[1.0, *s]]))).square().sum()
        for s in torch.cartesian_prod(*[torch.tensor([1.0, -1.0])] * (states - 1)).tolist()
    ]
    torch.testing.assert_close((ours - aligned).square().sum(), torch.stack(distances).min())


@given(angle=ANGLES, mirrored=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_rotated_or_mirrored_pair_is_at_distance_zero(angle: float, mirrored: bool):
    pair = rotate(electronic_structure(2, gap_ev=0.0), 0, 0.0)
    turned = rotate(pair, 0, angle)
    sign = -1.0 if mirrored else 1.0

    def g(e: Adiabatic) -> torch.Tensor:
        return (e.forces[:, 0] - e.forces[:, 1]) / 2

    h, h_turned = pair.interstate_coupling[:, 0], sign * turned.interstate_coupling[:, 0]
    assert rotation_invariant_distance(g(pair), h, g(turned), h_turned).abs().max() < 1e-14


def test_the_distance_is_the_least_over_all_rotations_and_mirrors():
    g, h, g_ref, h_ref = (noise(5, ATOMS, 3, seed=k) for k in range(4))
    angles = torch.linspace(0, 2 * math.pi, 3601, dtype=torch.float64)[:, None, None, None]
    least = torch.full((5,), math.inf, dtype=torch.float64)
    for sign in (1.0, -1.0):
        z = torch.complex(g_ref, sign * h_ref) * torch.exp(1j * angles)
        found = (torch.complex(g, h) - z).abs().square().sum((-1, -2)).min(0).values
        least = torch.minimum(least, found)
    distance = rotation_invariant_distance(g, h, g_ref, h_ref)
    assert (distance > 1e-3).all()
    torch.testing.assert_close(distance, least, rtol=1e-4, atol=0)


@given(seed=st.integers(0, 1000), sign=st.sampled_from([1.0, -1.0]))
@settings(deadline=None, max_examples=30)
def test_where_no_rotation_helps_the_distance_is_the_ordinary_one(seed: int, sign: float):
    """⟨z, z_ref⟩ real and positive: errors along z itself, or across it, are not rotated away."""
    g, h = noise(4, ATOMS, 3, seed=seed), noise(4, ATOMS, 3, seed=seed + 5000)
    across = noise(4, ATOMS, 3, seed=seed + 9000)
    for one in (g, h):  # an error of g that overlaps with neither g nor h
        across = (
            across - one * ((across * one).sum((1, 2)) / one.square().sum((1, 2)))[:, None, None]
        )
    overlap = (g * h).sum((1, 2)) / g.square().sum((1, 2))
    h = h - overlap[:, None, None] * g
    across = across - h * ((across * h).sum((1, 2)) / h.square().sum((1, 2)))[:, None, None]
    g_ref, h_ref = 1.1 * g + 0.5 * across, sign * 1.1 * h
    ordinary = (g - g_ref).square().sum((1, 2)) + (h - sign * h_ref).square().sum((1, 2))
    distance = rotation_invariant_distance(g, h, g_ref, h_ref)
    torch.testing.assert_close(distance, ordinary, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("states", "first"), [(2, 0), (3, 0), (3, 1), (4, 1)])
def test_below_the_threshold_the_mixing_of_the_pair_does_not_matter(states: int, first: int):
    """Only there: one pair is degenerate, the other states are far away."""
    truth = electronic_structure(states, gap_ev=2.0, seed=10)
    guess = electronic_structure(states, gap_ev=2.0, seed=20)
    near, far = truth.energies.clone(), truth.energies.clone()
    near[:, first + 1] = near[:, first] + 0.9 * WEIGHTS.degenerate_gap_ev / EV_PER_HARTREE
    far[:, first + 1] = far[:, first] + 1.1 * WEIGHTS.degenerate_gap_ev / EV_PER_HARTREE

    def change(energies: torch.Tensor) -> float:
        values = []
        for angle in (0.0, 1.1):
            turned = rotate(truth, first, angle)
            labels = Adiabatic(
                energies=energies,
                forces=turned.forces,
                interstate_coupling=turned.interstate_coupling,
            )
            values.append(loss(guess, labels).total)
        return abs(float(values[1] - values[0]))

    assert change(near) < 1e-10
    assert change(far) > 1e-2


def test_the_mean_force_of_a_degenerate_pair_is_learned():
    truth = electronic_structure(2, gap_ev=0.01)
    shifted = Adiabatic(
        energies=truth.energies,
        forces=truth.forces + 0.02,
        interstate_coupling=truth.interstate_coupling,
    )
    assert loss(shifted, truth).force > 0.5
    assert loss(shifted, truth).coupling < 1e-12


def test_terms_by_hand():
    """One molecule, one atom, two states: every term on paper."""
    zero = torch.zeros(1, 2, 1, 3, dtype=torch.float64)
    gap, off = 1.0 / EV_PER_HARTREE, 0.03 / EV_PER_HARTREE
    reference = Adiabatic(
        energies=torch.tensor([[0.0, gap]], dtype=torch.float64),
        forces=zero,
        interstate_coupling=zero[:, :1],
    )
    predicted = Adiabatic(
        energies=reference.energies + torch.tensor([[0.0, off]], dtype=torch.float64),
        forces=zero,
        interstate_coupling=zero[:, :1],
    )
    huber = math.hypot(0.03, 0.02) - 0.02
    weight = 1 + WEIGHTS.small_gap / (1 + (1.0 / WEIGHTS.small_gap_ev) ** 2)
    early, late = loss(predicted, reference), loss(predicted, reference, late=True)
    assert float(early.energy) == pytest.approx(huber / 2)
    assert float(early.gap) == pytest.approx(weight * huber)
    assert float(early.total) == pytest.approx(huber / 2 + weight * huber)
    assert float(late.total) == pytest.approx(WEIGHTS.late_factor * float(early.total))


def test_one_state_has_energies_and_forces_only():
    one = Adiabatic(
        energies=noise(MOLECULES, 1),
        forces=noise(MOLECULES, 1, ATOMS, 3),
        interstate_coupling=noise(MOLECULES, 0, ATOMS, 3),
    )
    other = electronic_structure(1, gap_ev=0.0, seed=5)
    terms = loss(one, other)
    assert terms.gap == terms.coupling == 0
    assert terms.total > 0
    assert loss(one, one).total == 0
