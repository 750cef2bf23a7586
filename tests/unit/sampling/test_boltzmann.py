"""Maxwell–Boltzmann momenta and classical positions: equipartition, exact removal, invariance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from namd.errors import PhysicsError
from namd.sampling.boltzmann import harmonic_positions, maxwell_boltzmann
from namd.sampling.normal_modes import NormalModes, normal_modes
from namd.sampling.wigner import LowModes
from namd.units import HARTREE_PER_INVERSE_CM, HARTREE_PER_KELVIN

MASSES = np.array([22000.0, 1837.0, 1837.0, 29000.0])
BENT = np.array([[0.0, 0, 0], [1.8, 0, 0.4], [-0.5, 1.7, 0], [0.2, -0.3, 2.5]])
LINEAR = np.array([[0.0, 0, 0], [0, 0, 2.0], [0, 0, -2.0], [0, 0, 4.5]])
SAMPLES = 20_000
KT = 300.0 * HARTREE_PER_KELVIN


def momenta(positions: np.ndarray, count: int = SAMPLES, **options: bool) -> np.ndarray:
    places = np.repeat(positions[None], count, axis=0)
    velocities = maxwell_boltzmann(
        places, MASSES, np.arange(count), temperature_k=300.0, seed=2, **options
    )
    return MASSES[:, None] * velocities


def angular(positions: np.ndarray, p: np.ndarray) -> np.ndarray:
    centre = np.einsum("a,...ax->...x", MASSES / MASSES.sum(), positions)
    return np.cross(positions - centre[..., None, :], p).sum(-2)


def test_every_momentum_has_variance_m_kt() -> None:
    p = momenta(BENT, remove_translation=False, remove_rotation=False)
    expected = np.broadcast_to(MASSES[:, None] * KT, (4, 3))
    # The relative standard error of a variance is sqrt(2/n) = 1 %.
    np.testing.assert_allclose(p.var(0), expected, rtol=0.05)
    correlation = np.corrcoef(p.reshape(SAMPLES, 12).T) - np.eye(12)
    assert np.abs(correlation).max() < 0.035


@pytest.mark.parametrize(
    ("positions", "freedom"), [(BENT, 12 - 6), (LINEAR, 12 - 5)], ids=["bent", "linear"]
)
def test_no_rigid_motion_and_kt_half_for_each_remaining_freedom(
    positions: np.ndarray, freedom: int
) -> None:
    p = momenta(positions)
    scale = np.sqrt(MASSES.max() * KT)
    np.testing.assert_allclose(p.sum(1), 0, atol=1e-12 * scale)
    np.testing.assert_allclose(angular(positions, p), 0, atol=1e-11 * scale)
    kinetic = (p**2 / (2 * MASSES[:, None])).sum((1, 2))
    error = KT * np.sqrt(freedom / 2 / SAMPLES)
    assert abs(kinetic.mean() - freedom * KT / 2) < 4 * error
    assert kinetic.var() == pytest.approx(freedom * KT**2 / 2, rel=0.06)


def test_each_removal_leaves_the_other_motion() -> None:
    p = momenta(BENT, remove_rotation=False)
    np.testing.assert_allclose(p.sum(1), 0, atol=1e-10)
    assert np.abs(angular(BENT, p)).mean() > 1.0
    p = momenta(BENT, remove_translation=False)
    assert p.sum(1).var() == pytest.approx(MASSES.sum() * KT, rel=0.05)
    np.testing.assert_allclose(angular(BENT, p), 0, atol=1e-10)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_removal_is_the_same_for_a_turned_and_moved_molecule(seed: int) -> None:
    """The covariance of the momenta turns with the molecule: P → (1 ⊗ R) P (1 ⊗ R)ᵀ."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(rng=seed).as_matrix()
    moved = BENT @ turn.T + rng.normal(size=3)
    raw = rng.normal(size=(1, 4, 3))

    def removed(positions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
        from namd.sampling.boltzmann import _centre, _rigid_rotation

        without = velocities - _centre(velocities, MASSES)
        return without - _rigid_rotation(positions[None], without, MASSES)

    np.testing.assert_allclose(
        removed(moved, raw @ turn.T), removed(BENT, raw) @ turn.T, atol=1e-10
    )


def test_a_trajectory_does_not_depend_on_the_others() -> None:
    many = momenta(BENT, 40)
    places = np.repeat(BENT[None], 2, axis=0)
    few = maxwell_boltzmann(places, MASSES, np.array([31, 7]), temperature_k=300.0, seed=2)
    np.testing.assert_array_equal(many[[31, 7]], MASSES[:, None] * few)


def test_a_single_particle_would_stand_still() -> None:
    with pytest.raises(PhysicsError, match="does not move"):
        maxwell_boltzmann(
            np.zeros((1, 1, 3)), MASSES[:1], np.arange(1), temperature_k=300.0, seed=1
        )


def modes_at(*inverse_cm: float) -> NormalModes:
    flat = normal_modes(BENT, np.zeros((12, 12)), MASSES)
    return NormalModes(
        positions=BENT,
        masses=MASSES,
        frequencies=np.array(inverse_cm) * HARTREE_PER_INVERSE_CM,
        vectors=flat.vectors,
    )


def test_classical_positions_have_variance_kt_over_omega_squared() -> None:
    modes = modes_at(40, 200, 400, 800, 1600, 3200)
    options = {"temperature_k": 300.0, "seed": 5}
    low = LowModes(below_inverse_cm=100.0)
    positions = harmonic_positions(modes, np.arange(SAMPLES), low_modes=low, **options)
    root = np.sqrt(MASSES)[:, None]
    q = np.einsum("tax,max->tm", (positions - BENT) * root, modes.vectors)
    np.testing.assert_allclose(q[:, 0], 0, atol=1e-10)
    np.testing.assert_allclose(q[:, 1:].var(0), KT / modes.frequencies[1:] ** 2, rtol=0.05)
    # Independent of the momenta of the same trajectories.
    p = momenta(BENT).reshape(SAMPLES, -1)
    cross = np.corrcoef(np.hstack((q[:, 1:], p)).T)[:5, 5:]
    assert np.abs(cross).max() < 0.035


def test_imaginary_modes_are_refused_or_frozen_in_positions() -> None:
    modes = modes_at(-300, 200, 400, 800, 1600, 3200)
    options = {"temperature_k": 300.0, "seed": 5}
    with pytest.raises(PhysicsError, match=r"mode 0 \(300i cm⁻¹\)"):
        harmonic_positions(modes, np.arange(3), low_modes=LowModes(), **options)
    frozen = LowModes(imaginary="freeze")
    positions = harmonic_positions(modes, np.arange(3), low_modes=frozen, **options)
    moved = np.einsum("tax,ax,ax->t", positions - BENT, np.sqrt(MASSES)[:, None], modes.vectors[0])
    np.testing.assert_allclose(moved, 0, atol=1e-10)
