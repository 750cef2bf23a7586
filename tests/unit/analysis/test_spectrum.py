"""The nuclear-ensemble spectrum against sum rules, a Gaussian ensemble and repeated sampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants

from namd.analysis.excitations import Excitations, vertical_excitations
from namd.analysis.spectrum import SUM_RULE, absorption_spectrum, line_shape, silverman_width
from namd.errors import DataError
from namd.states import StateSpace
from namd.units import EV_PER_HARTREE, MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM

THREE = StateSpace.singlets(3)


def ensemble(samples: int, *, seed: int = 0, spread_ev: float = 0.3) -> Excitations:
    """One state at 4.5 eV with f about 0.5, one at 6 eV with f about 0.1."""
    rng = np.random.default_rng(seed)
    energies = np.array([4.5, 6.0]) + spread_ev * rng.standard_normal((samples, 2))
    strengths = np.array([0.5, 0.1]) * rng.uniform(0.5, 1.5, (samples, 2))
    return Excitations(
        initial="S0", states=("S1", "S2"), energies=energies / EV_PER_HARTREE, strengths=strengths
    )


def test_the_constant_is_that_of_thomas_reiche_and_kuhn() -> None:
    """π e² ħ / (2 ε₀ m c) in SI; the literature's 1.0976 eV Å² (109.76 Mb eV)."""
    si = np.pi * constants.e**2 * constants.hbar / (2 * constants.epsilon_0)
    si /= constants.m_e * constants.c * constants.e * 1e-20
    assert pytest.approx(si, rel=1e-9) == SUM_RULE
    assert round(SUM_RULE, 4) == 1.0976


def test_molar_absorptivity_is_the_textbook_conversion() -> None:
    """σ/cm² = 3.8235e-21 ε/(L mol⁻¹ cm⁻¹)."""
    assert pytest.approx(1e-16 / 3.82353e-21, rel=1e-5) == MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM


def test_oscillator_strength_of_the_hydrogen_atom() -> None:
    """1s → 2p: ΔE = 3/8, |⟨1s|z|2p⟩|² = 2¹⁵/3¹⁰, f = 0.13873 for each of the three components."""
    dipoles = np.zeros((1, 6, 3))
    for k in range(3):
        dipoles[0, k, k] = np.sqrt(2**15 / 3**10)
    energies = np.array([[-0.5, -0.125, -0.125, -0.125]])
    found = vertical_excitations(energies, dipoles, StateSpace.singlets(4))
    np.testing.assert_allclose(found.strengths, [[2**13 / 3**9 / 3] * 3], rtol=1e-12)
    assert found.states == ("S1", "S2", "S3")


def test_excitations_out_of_an_excited_state_take_its_own_pairs() -> None:
    dipoles = np.arange(9.0).reshape(1, 3, 3)
    found = vertical_excitations(np.array([[0.0, 0.1, 0.3]]), dipoles, THREE, initial=1)
    assert (found.initial, found.states) == ("S1", ("S2",))
    np.testing.assert_allclose(found.strengths, [[2 / 3 * 0.2 * (36 + 49 + 64)]])
    with pytest.raises(DataError, match="no state lies above"):
        vertical_excitations(np.zeros((1, 3)), dipoles, THREE, initial=2)


@pytest.mark.parametrize(("states", "pairs"), [(2, 3), (3, 1)])
def test_arrays_of_other_states_are_refused(states: int, pairs: int) -> None:
    with pytest.raises(DataError, match="has the shape"):
        vertical_excitations(np.zeros((4, states)), np.zeros((4, pairs, 3)), THREE)


def test_silverman_s_width_shrinks_with_the_sample_and_follows_the_narrowest_band() -> None:
    rng = np.random.default_rng(3)
    narrow = np.array([4.0, 6.0]) + np.array([0.1, 0.4]) * rng.standard_normal((1000, 2))
    # 0.9 · 0.1 · 1000^(−1/5) as a standard deviation.
    assert silverman_width(narrow) == pytest.approx(0.9 * 0.1 * 1000**-0.2 * 2.3548, rel=0.1)
    assert silverman_width(narrow[:30]) > 1.3 * silverman_width(narrow)


@pytest.mark.parametrize("line", ["gaussian", "lorentzian"])
def test_lines_have_unit_area_and_the_stated_width(line: str) -> None:
    x = np.linspace(-500, 500, 2_000_001)
    shape = line_shape(x, line=line, width=0.2)
    assert np.trapezoid(shape, x) == pytest.approx(1.0, abs=2e-4)
    assert line_shape(np.array([0.1]), line=line, width=0.2)[0] == pytest.approx(shape.max() / 2)


def test_the_cross_section_integrates_to_the_oscillator_strengths() -> None:
    """∫σ dE → 1.0976 eV Å² Σf for narrow lines; ∫σE dE = 1.0976 ΣfΔE for lines of any width."""
    excitations = ensemble(300)
    expected = excitations.strengths.mean(0).sum()
    narrow = absorption_spectrum(excitations, width_ev=0.02)
    assert narrow.integral == pytest.approx(SUM_RULE * expected, rel=1e-4)
    broad = absorption_spectrum(excitations, width_ev=0.4)
    first = np.trapezoid(broad.cross_section * broad.energy_ev, broad.energy_ev)
    weighted = (excitations.strengths * excitations.energies).sum(1).mean() * EV_PER_HARTREE
    assert first == pytest.approx(SUM_RULE * weighted, rel=1e-4)


@given(seed=st.integers(0, 2**32 - 1), states=st.integers(1, 3))
def test_states_add_up_and_order_is_free(seed: int, states: int) -> None:
    rng = np.random.default_rng(seed)
    energies = rng.uniform(0.05, 0.3, (6, states))
    excitations = Excitations(
        initial="S0",
        states=StateSpace.singlets(states + 1).labels[1:],
        energies=energies,
        strengths=rng.uniform(0, 1, (6, states)),
    )
    found = absorption_spectrum(excitations, width_ev=0.2)
    np.testing.assert_allclose(sum(b.cross_section for b in found.bands), found.cross_section)
    assert (found.lower <= found.cross_section).all()
    assert (found.upper >= found.cross_section).all()
    order = rng.permutation(6)
    turned = Excitations(
        initial="S0",
        states=excitations.states,
        energies=energies[order],
        strengths=excitations.strengths[order],
    )
    again = absorption_spectrum(turned, width_ev=0.2)
    np.testing.assert_allclose(again.cross_section, found.cross_section, rtol=1e-10)
    np.testing.assert_allclose(again.upper, found.upper, rtol=1e-6)


def test_a_gaussian_ensemble_gives_its_convolution() -> None:
    """Energies of spread s under lines of width w: σE is a Gaussian of variance s² + (w/2.355)²."""
    excitations = ensemble(40_000, spread_ev=0.2)
    found = absorption_spectrum(excitations, width_ev=0.3, range_ev=(3.5, 5.4))
    variance = 0.2**2 + 0.3**2 / (8 * np.log(2))
    x = found.energy_ev
    shape = np.exp(-((x - 4.5) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    # ⟨f ΔE g⟩ with f and ΔE independent; ΔE tilts the Gaussian: its mean under the line.
    tilted = 4.5 + (x - 4.5) * 0.2**2 / variance
    expected = SUM_RULE * 0.5 * tilted / x * shape
    np.testing.assert_allclose(
        found.bands[0].cross_section, expected, atol=0.02 * expected.max(), rtol=0
    )
    assert found.maximum_ev == pytest.approx(4.48, abs=0.03)


def test_intervals_cover_the_converged_spectrum_in_95_of_100_cases() -> None:
    truth = absorption_spectrum(ensemble(20_000, seed=999), range_ev=(4.0, 5.0), width_ev=0.2)
    covered = np.mean(
        [
            np.logical_and(
                (
                    one := absorption_spectrum(
                        ensemble(60, seed=k), range_ev=(4.0, 5.0), width_ev=0.2
                    )
                ).lower
                <= truth.cross_section,
                one.upper >= truth.cross_section,
            ).mean()
            for k in range(150)
        ]
    )
    assert 0.91 < covered < 0.97


def test_an_ensemble_that_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(DataError, match="no ensemble"):
        absorption_spectrum(ensemble(1))
    holes = ensemble(5)
    holes.energies[2, 0] = np.nan
    assert holes.known().tolist() == [True, True, False, True, True]
    with pytest.raises(DataError, match="missing"):
        absorption_spectrum(holes)
    assert absorption_spectrum(holes.select(holes.known())).samples == 4
    with pytest.raises(DataError, match="no range"):
        absorption_spectrum(ensemble(5), range_ev=(5.0, 4.0))
    with pytest.raises(DataError, match="no shape"):
        absorption_spectrum(ensemble(5), width_ev=0.0)
