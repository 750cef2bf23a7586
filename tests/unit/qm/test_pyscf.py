"""SA-CASSCF with PySCF, against finite differences of energies and overlaps of wave functions."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.config.engine import PyscfConfig
from namd.config.labelling import LabellingConfig
from namd.config.loading import validate
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.protocol import Engine, LostGuessError, check_arrays
from namd.qm.pyscf_casscf import PyscfEngine, make_pyscf

LIH = Molecule.from_numbers(np.array([3, 1]))
PLACES = np.array([[0.0, 0.1, -0.2], [0.3, 0.0, 2.9]])
CORE = 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"active_electrons": 3}, "must be even"),
        ({"active_electrons": 6}, "at most twice"),
        ({"averaged_states": 1}, "must be states at least"),
        ({"active_space": [2, 2]}, "active_orbitals different orbitals"),
        ({"density_fitting": True}, "couplings: false"),
        ({"functional": "b3lyp"}, "unknown key"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], what: str) -> None:
    engine = {"name": "pyscf", "basis": "sto-3g", **change}
    with pytest.raises(ConfigError, match=what):
        validate({"engine": engine}, LabellingConfig, where="x.yaml")


def engine(**settings: Any) -> PyscfEngine:
    pytest.importorskip("pyscf")
    section = {"basis": "sto-3g", "gradient_tolerance": 1e-6, **settings}
    return make_pyscf(PyscfConfig.model_validate(section), molecule=LIH, base=Path(), scratch=None)


def overlaps(made: PyscfEngine, first: Any, second: Any) -> np.ndarray:
    """⟨i(R)|j(R')⟩ of the (2,2) wave functions in two guesses.

    With the mean of both metrics in place of the overlap of both bases: its derivative is that
    without the determinant term.
    """

    def metric(guess: Any) -> Any:
        return made._molecule(guess["positions"]).intor_symmetric("int1e_ovlp")

    mean = (metric(first) + metric(second)) / 2
    orbitals = first["orbitals"].T @ mean @ second["orbitals"]
    core = [*range(CORE)]
    strings = np.array(
        [
            [
                np.linalg.det(orbitals[np.ix_([*core, CORE + p], [*core, CORE + q])])
                for q in range(2)
            ]
            for p in range(2)
        ]
    )
    both = (np.array(guess["coefficients"]) for guess in (first, second))
    return np.einsum("iab,ac,bd,jcd->ij", next(both), strings, strings, next(both))


def test_forces_couplings_and_their_sign_are_those_of_finite_differences() -> None:
    made = engine()
    assert isinstance(made, Engine)
    info = made.describe()
    assert info.level_of_theory == "SA2-CASSCF(2,2)/sto-3g"
    centre = made.label(PLACES)
    check_arrays(centre.label.arrays(), info, atoms=2)
    direction = np.random.default_rng(0).standard_normal((2, 3))
    direction /= np.linalg.norm(direction)
    step = 0.02
    sides = [made.label(PLACES + s * step * direction, guess=centre.guess) for s in (-1, 1)]
    slopes = (sides[1].label.energies - sides[0].label.energies) / (2 * step)
    along = np.sum(centre.label.forces * direction, axis=(1, 2))
    assert np.abs(along + slopes).max() < 1e-4

    tables = [overlaps(made, centre.guess, side.guess) for side in sides]
    aligned = [table * np.sign(np.diag(table)) for table in tables]
    derivative = (aligned[1][0, 1] - aligned[0][0, 1]) / (2 * step)
    assert centre.label.interstate_coupling is not None
    coupling = centre.label.interstate_coupling[0]
    gap = centre.label.energies[1] - centre.label.energies[0]
    assert abs(derivative) > 1e-2
    assert np.sum(coupling * direction) / gap == pytest.approx(derivative, rel=1e-3)
    assert np.abs(coupling.sum(axis=0)).max() < 1e-10
    assert "hartree/bohr" in centre.label.notes["determinant term"]
    assert float(sides[0].label.notes["active overlap"]) > 0.99


def test_more_states_are_averaged_than_labelled() -> None:
    """Two states of three are those that three labelled ones have; their mean is minimal."""
    made, all_three = engine(averaged_states=3), engine(states=3)
    assert made.describe().level_of_theory == "SA3-CASSCF(2,2)/sto-3g"
    two, three = made.label(PLACES).label, all_three.label(PLACES).label
    check_arrays(two.arrays(), made.describe(), atoms=2)
    np.testing.assert_allclose(two.energies, three.energies[:2], atol=1e-9)
    np.testing.assert_allclose(two.forces, three.forces[:2], atol=1e-6)
    assert two.interstate_coupling is not None
    assert three.interstate_coupling is not None
    np.testing.assert_allclose(
        np.abs(two.interstate_coupling[0]), np.abs(three.interstate_coupling[0]), atol=1e-5
    )
    averaged_less = engine().label(PLACES).label
    assert averaged_less.energies.mean() < two.energies.mean() - 1e-4


def test_states_are_singlets() -> None:
    """H2, minimal basis, R = 1.4 bohr: three of the four states of the active space are singlets.

    The triplet lies between them. Integrals over molecular orbitals: Szabo and Ostlund, Modern
    Quantum Chemistry, appendix D.
    """
    pytest.importorskip("pyscf")
    molecule = Molecule.from_numbers(np.array([1, 1]))
    places = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.4]])

    def energies(states: int) -> np.ndarray:
        section = PyscfConfig(basis="sto-3g", states=states, couplings=False)
        made = make_pyscf(section, molecule=molecule, base=Path(), scratch=None)
        return made.label(places).label.energies

    h, j, exchange, repulsion = (-1.2528, -0.4756), (0.6746, 0.6975, 0.6636), 0.1813, 1 / 1.4
    closed = np.array([[2 * h[0] + j[0], exchange], [exchange, 2 * h[1] + j[1]]])
    lowest, highest = np.linalg.eigvalsh(closed) + repulsion
    middle = sum(h) + j[2] + exchange + repulsion
    np.testing.assert_allclose(energies(3), [lowest, middle, highest], atol=3e-4)
    with pytest.raises(EngineError, match="root 3 is no singlet"):
        energies(4)


def test_a_lost_active_space_is_no_label() -> None:
    made = engine()
    guess = made.label(PLACES).guess
    orbitals = guess["orbitals"].copy()
    orbitals[:, [0, CORE + 1]] = orbitals[:, [CORE + 1, 0]]  # the 1s of Li is no active orbital
    with pytest.raises(LostGuessError, match="active space is lost"):
        made.label(PLACES, guess={**guess, "orbitals": orbitals})


def test_density_fitting_gives_forces_without_couplings() -> None:
    fitted = engine(density_fitting=True, couplings=False)
    assert fitted.describe().provides == ("transition_dipoles",)
    label = fitted.label(PLACES).label
    exact = engine(couplings=False).label(PLACES).label
    assert label.interstate_coupling is None
    assert 0 < np.abs(label.energies - exact.energies).max() < 1e-3
    assert np.abs(label.forces.sum(axis=1)).max() < 1e-8


def test_what_does_not_converge_is_a_reason() -> None:
    with pytest.raises(EngineError, match="did not converge in 1 iterations"):
        engine(max_iterations=1).label(PLACES)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="no such basis for H"):
        engine(basis="no-such-basis")
    odd = Molecule.from_numbers(np.array([3, 1]), charge=1)
    with pytest.raises(ConfigError, match="3 electrons, expected an even number"):
        make_pyscf(PyscfConfig(basis="sto-3g"), molecule=odd, base=Path(), scratch=None)
    few = PyscfConfig(basis="sto-3g", active_electrons=6, active_orbitals=4)
    with pytest.raises(ConfigError, match="only 4 electrons"):
        make_pyscf(few, molecule=LIH, base=Path(), scratch=None)


def test_without_pyscf_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyscf", None)
    with pytest.raises(ConfigError, match="PySCF is not installed") as caught:
        make_pyscf(PyscfConfig(basis="sto-3g"), molecule=LIH, base=Path(), scratch=None)
    assert "pip install pyscf" in str(caught.value.hint)
