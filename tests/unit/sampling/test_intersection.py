"""Searches for minima and intersections on potentials whose answers are known in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from namd.errors import ConfigError, PhysicsError
from namd.molecule import Molecule
from namd.potentials.calculator import Electronics, StateProperties
from namd.potentials.electronics import engine_electronics, potential_electronics
from namd.potentials.vibronic import linear_vibronic
from namd.qm.protocol import Answer, EngineInfo, Label
from namd.sampling.branching_plane import branching_plane
from namd.sampling.intersection import find_intersection, projected_gradient
from namd.sampling.relaxation import StationaryPoint, relax_state
from namd.sampling.searches import search_all
from namd.states import StateSpace
from namd.units import EV_PER_HARTREE

K, OFFSET = 0.3, 0.08
HYDROGENS = np.array([1, 1, 1])


def vectors(tilted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """s, g and h of W = (K r²/2 + s·r) 1 + (Δ/2 + g·r) σz + h·r σx, g and h not orthogonal."""
    random = np.random.default_rng(5)
    g, h, s = 0.06 * random.normal(size=(3, 3, 3))
    return (s if tilted else 0.0 * s), g, h


def model(tilted: bool = True) -> tuple[Electronics, np.ndarray, float]:
    """The model with the geometry and energy of its lowest intersection.

    On the seam g·r = −Δ/2 and h·r = 0; there K r²/2 + s·r is least.
    """
    s, g, h = vectors(tilted)
    slopes = np.array([[s + g, h], [h, s - g]])
    potential = linear_vibronic(
        Molecule.from_numbers(HYDROGENS),
        StateSpace.singlets(2),
        reference=torch.zeros(3, 3, dtype=torch.float64),
        stiffness=K,
        energies=torch.tensor([[OFFSET / 2, 0.0], [0.0, -OFFSET / 2]], dtype=torch.float64),
        slopes=torch.as_tensor(slopes),
    )
    rows = np.stack([g.ravel(), h.ravel()])
    free = -s.ravel() / K
    back = np.linalg.pinv(rows) @ (np.array([-OFFSET / 2, 0.0]) - rows @ free)
    place = free + back
    energy = 0.5 * K * place @ place + s.ravel() @ place
    return potential_electronics(potential), place.reshape(3, 3), float(energy)


@pytest.mark.parametrize("tilted", [False, True])
@pytest.mark.parametrize("method", ["projection", "penalty"])
def test_the_lowest_intersection_of_a_linear_model(method: str, tilted: bool) -> None:
    electronics, place, energy = model(tilted)
    start = place + 0.4 * np.random.default_rng(1).normal(size=(3, 3))
    found = find_intersection(
        electronics, HYDROGENS, start, method=method, tolerance=1e-7, gap_tolerance=1e-7
    )
    assert found.method == method
    np.testing.assert_allclose(found.positions, place, atol=1e-6)
    np.testing.assert_allclose(found.properties.energies, energy, atol=1e-6)
    assert found.gap < 1e-7


def test_a_penalised_search_that_has_not_converged_is_no_intersection() -> None:
    electronics, place, _ = model()
    start = place + 0.4 * np.random.default_rng(1).normal(size=(3, 3))
    with pytest.raises(PhysicsError, match=r"not converged after 1 steps.*along the seam"):
        find_intersection(
            electronics, HYDROGENS, start, method="penalty", gap_tolerance=1.0, max_steps=1
        )


def test_the_branching_plane_of_the_linear_model() -> None:
    electronics, place, _ = model()
    s, g, h = vectors(True)
    found = find_intersection(electronics, HYDROGENS, place + 0.1, tolerance=1e-7)
    plane = found.plane
    assert plane is not None
    assert abs((plane.g * plane.h).sum()) < 1e-12
    assert np.linalg.norm(plane.g) >= np.linalg.norm(plane.h)
    # The cone is the same in any gauge: gg + hh is what the squared gap is made of.
    cone = np.outer(plane.g, plane.g) + np.outer(plane.h, plane.h)
    np.testing.assert_allclose(cone, np.outer(g, g) + np.outer(h, h), atol=1e-8)
    np.testing.assert_allclose(plane.pitch**2, 0.5 * np.trace(cone), rtol=1e-8)
    # Whether it is peaked is seen by walking around it.
    flat, steep = (each.ravel() / np.linalg.norm(each) for each in (plane.g, plane.h))
    angles = np.linspace(0, 2 * np.pi, 721)
    around = np.cos(angles)[:, None] * flat + np.sin(angles)[:, None] * steep
    slope = around @ (s + K * found.positions).ravel()
    opening = np.sqrt(np.einsum("ai,ij,aj->a", around, cone, around))
    assert plane.peakedness == pytest.approx(((slope / opening) ** 2).max(), rel=1e-3)
    assert plane.shape == ("peaked" if (opening + slope).min() > 0 else "sloped")


def test_a_round_untilted_cone_and_a_plane_that_is_none() -> None:
    unit = np.eye(9).reshape(9, 3, 3)
    plane = branching_plane(-unit[0], unit[0], unit[1])
    assert plane is not None
    assert (plane.pitch, plane.asymmetry, plane.tilt, plane.peakedness) == (1, 0, 0, 0)
    tilted = branching_plane(unit[0], 3 * unit[0], unit[1])  # s = 2 along the first direction
    assert tilted is not None
    assert (tilted.peakedness, tilted.tilt, tilted.shape) == (pytest.approx(4), 2, "sloped")
    assert branching_plane(-unit[0], unit[0], 0.5 * unit[0]) is None


def test_the_projected_gradient_vanishes_at_the_intersection_alone() -> None:
    electronics, place, _ = model()
    nearby = place + 1e-9
    assert np.abs(projected_gradient(electronics(nearby), lower=0)).max() < 1e-7
    # One step of the assumed curvature closes the gap: linear model, no limit to the step.
    away = place + 0.02
    _, g, h = vectors(True)
    step = -projected_gradient(electronics(away), lower=0) / (70 / EV_PER_HARTREE * 0.5291772**2)
    assert abs((g * (away + step)).sum() + OFFSET / 2) < 1e-6
    assert abs((h * (away + step)).sum()) < 1e-6


def test_a_search_turns_with_the_molecule() -> None:
    electronics, place, _ = model()
    turn = Rotation.from_euler("xyz", [0.3, -1.1, 2.0]).as_matrix()

    def turned(positions: np.ndarray) -> StateProperties:
        found = electronics(positions @ turn)
        assert found.couplings is not None
        return StateProperties(
            energies=found.energies,
            gradients=found.gradients @ turn.T,
            couplings=-found.couplings @ turn.T,  # the sign of a coupling is arbitrary
        )

    start = place + 0.2
    one = find_intersection(electronics, HYDROGENS, start, tolerance=1e-7)
    two = find_intersection(turned, HYDROGENS, start @ turn.T, tolerance=1e-7)
    np.testing.assert_allclose(two.positions, one.positions @ turn.T, atol=1e-6)


class WithoutCouplings:
    """An engine of two parabolas along the distance of two atoms that cross at 3 Bohr."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            name="parabolas", level_of_theory="test", states=StateSpace.singlets(2), provides=()
        )

    def label(self, positions: np.ndarray, *, guess: int | None = None) -> Answer:
        axis = positions[1] - positions[0]
        r = float(np.linalg.norm(axis))
        along = np.stack([-axis / r, axis / r])
        curves = [(0.1 * (r - 2) ** 2, 0.2 * (r - 2)), (0.1 * (r - 4) ** 2, 0.2 * (r - 4))]
        (lower, dlower), (upper, dupper) = sorted(curves)
        forces = -np.stack([dlower * along, dupper * along])
        label = Label(energies=np.array([lower, upper]), forces=forces)
        return Answer(label=label, guess=(guess or 0) + 1)


def test_an_engine_without_couplings_is_searched_by_penalty() -> None:
    electronics = engine_electronics(WithoutCouplings())
    start = np.array([[0.0, 0, 0], [0.3, 0, 2.7]])
    found = find_intersection(
        electronics, np.array([1, 1]), start, gap_tolerance=1e-6, tolerance=1e-6
    )
    assert (found.method, found.plane) == ("penalty", None)
    assert np.linalg.norm(found.positions[1] - found.positions[0]) == pytest.approx(3, abs=1e-5)
    with pytest.raises(ConfigError, match="needs couplings"):
        find_intersection(electronics, np.array([1, 1]), start, method="projection")


def test_an_engine_goes_on_from_its_own_guess() -> None:
    seen: list[object] = []

    class Watched(WithoutCouplings):
        def label(self, positions: np.ndarray, *, guess: int | None = None) -> Answer:
            seen.append(guess)
            return super().label(positions, guess=guess)

    electronics = engine_electronics(Watched())
    for length in (3.5, 3.6, 3.6, 3.5):  # and where it is, it computes nothing again
        electronics(np.array([[0.0, 0, 0], [0, 0, length]]))
    assert seen == [None, 1, 2]


def test_searches_begin_and_end_cold() -> None:
    """An engine whose warm calls stay on a surface shifted by 0.02 hartree is found out."""
    guesses: list[object] = []

    class Hysteretic(WithoutCouplings):
        def label(self, positions: np.ndarray, *, guess: int | None = None) -> Answer:
            guesses.append(guess)
            answer = super().label(positions, guess=guess)
            energies = answer.label.energies - (0.02 if guess else 0.0)
            return replace(answer, label=replace(answer.label, energies=energies))

    def search(electronics: Electronics, positions: np.ndarray) -> StationaryPoint:
        return relax_state(electronics, np.array([1, 1]), positions, state=0, tolerance=1e-6)

    start = np.array([[0.0, 0, 0], [0, 0, 2.3]])
    starts = {3: start, 5: start[::-1]}
    found = list(search_all(search, starts, cold=lambda **_: engine_electronics(Hysteretic())))
    assert [each.start for each in found] == [3, 5]
    assert [each.cold_deviation for each in found] == pytest.approx([0.02, 0.02])
    assert not any(each.confirmed for each in found)
    assert guesses.count(None) == 4
    steady = search_all(search, starts, cold=lambda **_: engine_electronics(WithoutCouplings()))
    assert all(each.confirmed and each.found for each in steady)


@pytest.mark.parametrize("state", [0, 1])
def test_minima_of_either_state_of_a_displaced_oscillator(state: int) -> None:
    """Far from the intersection the upper state of two uncoupled parabolas is one of them."""
    slope = np.zeros((3, 3))
    slope[1, 2] = 0.05
    potential = linear_vibronic(
        Molecule.from_numbers(HYDROGENS),
        StateSpace.singlets(2),
        reference=torch.zeros(3, 3, dtype=torch.float64),
        stiffness=K,
        energies=torch.tensor([[0.0, 0.0], [0.0, 0.4]], dtype=torch.float64),
        slopes=torch.as_tensor(np.array([[0 * slope, 0 * slope], [0 * slope, slope]])),
    )
    found = relax_state(
        potential_electronics(potential), HYDROGENS, 0.2 + np.eye(3), state=state, tolerance=1e-8
    )
    np.testing.assert_allclose(found.positions, -state * slope / K, atol=1e-6)
    lowest = 0.4 - 0.05**2 / (2 * K) if state else 0.0
    assert found.properties.energies[state] == pytest.approx(lowest, abs=1e-9)


def test_a_morse_bond_has_its_known_length() -> None:
    depth, stiff, length = 0.17, 1.0, 1.4

    def morse(positions: np.ndarray) -> StateProperties:
        axis = positions[1] - positions[0]
        r = np.linalg.norm(axis)
        decay = np.exp(-stiff * (r - length))
        pull = 2 * depth * stiff * decay * (1 - decay) * axis / r
        return StateProperties(
            energies=np.array([depth * (1 - decay) ** 2]), gradients=np.stack([-pull, pull])[None]
        )

    start = np.array([[0.0, 0, 0], [0.4, 1.0, 1.2]])
    found = relax_state(morse, np.array([1, 1]), start, state=0, tolerance=1e-8)
    assert np.linalg.norm(found.positions[1] - found.positions[0]) == pytest.approx(
        length, abs=1e-6
    )
    with pytest.raises(ConfigError, match="no state 1"):
        relax_state(morse, np.array([1, 1]), start, state=1)
    with pytest.raises(PhysicsError, match="not converged after 1 steps"):
        relax_state(morse, np.array([1, 1]), start, state=0, max_steps=1)


def test_surfaces_that_never_meet_are_no_intersection() -> None:
    electronics, place, _ = model()

    def apart(positions: np.ndarray) -> StateProperties:
        found = electronics(positions)
        return replace(
            found,
            energies=found.energies[0] + np.array([0.0, 0.1]),
            gradients=found.gradients[[0, 0]],
            couplings=None,
        )

    with pytest.raises(PhysicsError, match=r"gap of 2\.72"):
        find_intersection(apart, HYDROGENS, place)
