"""The engine ``pyscf``: state-averaged CASSCF with analytic gradients and couplings.

Couplings are h_ij = ⟨i|∇H|j⟩ with the response of orbitals and coefficients and without the
determinant (CSF) term, which is what electron translation factors leave: they are invariant under
translations. The norm of the term that is left out stands in the notes of each label.

The active space is followed along a chain: a warm start takes the orbitals of the neighbour,
projected into the new basis, and the converged active orbitals must span nearly the same space.

References
----------
PySCF: Q. Sun et al., J. Chem. Phys. 153, 024109 (2020), DOI 10.1063/5.0006074. Translation factors:
S. Fatehi, J. E. Subotnik, J. Phys. Chem. Lett. 3, 2039 (2012), DOI 10.1021/jz3006173.
"""

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from namd.config.engine import PyscfConfig
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.active_space import check_electrons
from namd.qm.protocol import Answer, EngineInfo, Guess, Label, LostGuessError
from namd.states import StateSpace

_SPIN_PENALTY = 2.0
"""Hartree that ⟨S²⟩ is multiplied with: triplets are lifted by twice as much.

PySCF's own 0.2 leaves triplets of π→π* kind below doubly excited singlets, in whose place they are
averaged then: ethylene's third "singlet" in a minimal basis was one.
"""

_SPIN_TOLERANCE = 1e-3
"""Largest ⟨S²⟩ of a root that is taken for a singlet."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PyscfEngine:
    """An :class:`~namd.qm.protocol.Engine`, made by :func:`make_pyscf`.

    Parameters
    ----------
    molecule
        The atoms, with their charge.
    config
        Basis, active space, tolerances.
    """

    molecule: Molecule
    config: PyscfConfig

    def describe(self) -> EngineInfo:
        """SA-CASSCF, with transition dipoles and, where asked for, couplings."""
        config = self.config
        space = f"({config.active_electrons},{config.active_orbitals})"
        fitted = ", density fitting" if config.density_fitting else ""
        pairs = config.states > 1
        return EngineInfo(
            name="pyscf",
            level_of_theory=f"SA{config.averaged}-CASSCF{space}/{config.basis}{fitted}",
            states=StateSpace.singlets(config.states),
            provides=("interstate_coupling",) * (pairs and config.couplings)
            + ("transition_dipoles",) * pairs,
            versions={"pyscf": version("pyscf")},
        )

    def label(
        self, positions: Float[np.ndarray, "atom 3"], *, guess: Guess | None = None
    ) -> Answer:
        """Compute all states (positions in Bohr), from the orbitals of a neighbour if given.

        Raises
        ------
        EngineError
            If an iteration does not converge.
        LostGuessError
            If the active space is not that of the neighbour any more.
        """
        try:
            solved, overlap = self._solve(positions, guess)
            return self._answer(solved, positions, overlap=overlap)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
            raise EngineError(f"PySCF: {type(error).__name__}: {error}") from error

    def _molecule(self, positions: np.ndarray) -> Any:
        from pyscf import gto  # noqa: PLC0415  (an extra)

        return gto.M(
            atom=list(zip(self.molecule.symbols, positions.tolist(), strict=True)),
            unit="Bohr",
            basis=self.config.basis,
            charge=self.molecule.charge,
            verbose=0,
        )

    def _solve(self, positions: np.ndarray, guess: Guess | None) -> tuple[Any, float | None]:
        """Converged wave functions, and how much of the neighbour's active space they kept."""
        from pyscf import mcscf, scf  # noqa: PLC0415

        config = self.config
        molecule = self._molecule(positions)
        field = scf.RHF(molecule)
        if config.density_fitting:
            field = field.density_fit(auxbasis=config.auxiliary_basis)
        field.chkfile = None
        field.conv_tol = config.energy_tolerance
        field.kernel()
        if not field.converged and guess is None:
            raise EngineError("Hartree–Fock did not converge")
        solver = mcscf.CASSCF(field, config.active_orbitals, config.active_electrons)
        solver = solver.state_average_([1 / config.averaged] * config.averaged)
        solver.fix_spin_(shift=_SPIN_PENALTY, ss=0)
        solver.chkfile = None
        solver.conv_tol, solver.conv_tol_grad = config.energy_tolerance, config.gradient_tolerance
        solver.max_cycle_macro = config.max_iterations
        start, coefficients = field.mo_coeff, None
        if guess is not None:
            coefficients = guess["coefficients"]
            neighbour = self._molecule(np.asarray(guess["positions"]))
            start = mcscf.project_init_guess(solver, guess["orbitals"], prev_mol=neighbour)
        elif config.active_space is not None:
            start = solver.sort_mo(config.active_space)
        solver.kernel(start, coefficients)
        if not solver.converged:
            raise EngineError(f"CASSCF did not converge in {config.max_iterations} iterations")
        _expect_singlets(solver)
        return solver, None if guess is None else self._overlap(solver, start)

    def _overlap(self, solver: Any, start: np.ndarray) -> float:
        """Smallest singular value of the overlap of the active space with that it started from."""
        active = slice(solver.ncore, solver.ncore + solver.ncas)
        metric = solver.mol.intor_symmetric("int1e_ovlp")
        overlap = start[:, active].T @ metric @ solver.mo_coeff[:, active]
        kept = float(np.linalg.svd(overlap, compute_uv=False).min())
        if kept < self.config.min_active_overlap:
            raise LostGuessError(
                f"the active space is lost: of the neighbour's only {kept:.2f} is left",
                hint="make steps between frames smaller, or see what the active orbitals are",
            )
        return kept

    def _answer(self, solver: Any, positions: np.ndarray, *, overlap: float | None) -> Answer:
        """Gradients, couplings and dipoles of converged wave functions."""
        notes = {} if overlap is None else {"active overlap": f"{overlap:.4f}"}
        gradient = solver.nuc_grad_method()
        gradients = []
        for state in range(self.config.states):
            gradients.append(gradient.kernel(state=state))
            if not gradient.converged:
                raise EngineError(f"the response equations of state {state} did not converge")
        info = self.describe()
        coupling = None
        if "interstate_coupling" in info.provides:
            coupling, notes["determinant term"] = _couplings(solver, info.states)
        return Answer(
            label=Label(
                energies=np.array(solver.e_states[: self.config.states]),
                forces=-np.array(gradients),
                interstate_coupling=coupling,
                transition_dipoles=_dipoles(solver, info.states) if len(info.states) > 1 else None,
                notes=notes,
            ),
            guess={
                "orbitals": solver.mo_coeff,
                "coefficients": list(solver.ci),
                "positions": positions,
            },
        )


def make_pyscf(
    config: PyscfConfig, *, molecule: Molecule, base: Path, scratch: Path | None
) -> PyscfEngine:
    """Make sure that PySCF is there and knows the basis.

    Parameters
    ----------
    config
        Settings.
    molecule
        The atoms, with their charge.
    base, scratch
        Not used: nothing is read or written.

    Raises
    ------
    ConfigError
        If PySCF is not installed, the basis is not known, or the molecule has no closed shell or
        fewer electrons than the active space.
    """
    del base, scratch
    try:
        from pyscf import gto  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ConfigError(
            "PySCF is not installed",
            where="engine.name = pyscf",
            hint="install it with `pip install pyscf`, or namd with its extra qm",
        ) from error
    check_electrons(molecule, active=config.active_electrons)
    for element in sorted(set(molecule.symbols)):
        try:
            with warnings.catch_warnings(action="ignore"):  # advice on where to find more
                gto.basis.load(config.basis, element)
        except (KeyError, RuntimeError) as error:
            raise ConfigError(
                f"PySCF has no such basis for {element}",
                where=f"engine.basis = {config.basis}",
                hint="give the name as PySCF writes it, e.g. cc-pvdz",
            ) from error
    return PyscfEngine(molecule=molecule, config=config)


def _expect_singlets(solver: Any) -> None:
    """Refuse other roots: the Hamiltonian of the active space has those of all spins."""
    spins, _ = solver.fcisolver.states_spin_square(solver.ci, solver.ncas, solver.nelecas)
    for number, spin in enumerate(spins):
        if spin > _SPIN_TOLERANCE:
            raise EngineError(
                f"root {number} is no singlet: ⟨S²⟩ = {spin:.2g}",
                hint="the active space has fewer singlets than states to average; average fewer",
            )


def _couplings(solver: Any, states: StateSpace) -> tuple[np.ndarray, str]:
    """Interstate couplings of all pairs, and the norms of the determinant terms in words."""
    method = solver.nac_method()
    couplings, terms = [], []
    for i, j in states.pairs:
        # The sign is that of ⟨i|∇H|j⟩ whichever state comes first (a test has it by overlaps).
        couplings.append(method.kernel(state=(i, j), use_etfs=True, mult_ediff=True))
        if not method.converged:
            raise EngineError(f"the response equations of the pair {i}, {j} did not converge")
        terms.append(float(np.linalg.norm(method.nac_csf(state=(i, j)))))
    return np.array(couplings), ", ".join(f"{term:.1e} hartree/bohr" for term in terms)


def _dipoles(solver: Any, states: StateSpace) -> np.ndarray:
    """⟨i|μ|j⟩ = −⟨i|Σr|j⟩ of all pairs, e·Bohr."""
    active = solver.mo_coeff[:, solver.ncore : solver.ncore + solver.ncas]
    length = solver.mol.intor_symmetric("int1e_r", comp=3)
    in_orbitals = np.einsum("mt,xmn,nu->xtu", active, length, active)
    rows = []
    for i, j in states.pairs:
        density = solver.fcisolver.trans_rdm1(
            solver.ci[i], solver.ci[j], solver.ncas, solver.nelecas
        )
        rows.append(-np.einsum("xtu,ut->x", in_orbitals, density))
    return np.array(rows)
