"""The engine ``openmolcas``: SA-CASSCF labels from the program OpenMolcas.

The active space is followed along a chain: a warm start takes the orbitals of the neighbour instead
of a Hartree–Fock calculation, and the converged active orbitals must span nearly the same space.

Spaces of RASSCF are not offered: the response equations of OpenMolcas 22.10 (MCLR) fail for
state-averaged ones, and gradients by numerical differentiation are no labels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from namd.config.engine import OpenmolcasConfig
from namd.errors import EngineError
from namd.molecule import Molecule
from namd.qm.active_space import check_electrons
from namd.qm.openmolcas.driver import PROJECT, Driver, find_driver, probe
from namd.qm.openmolcas.input_file import gateway_text, input_text
from namd.qm.openmolcas.orbital_file import active_overlap, read_orbitals
from namd.qm.openmolcas.output import complaint, read_label
from namd.qm.process import scratch_folder
from namd.qm.protocol import Answer, EngineInfo, Guess, LostGuessError
from namd.states import StateSpace

_PROBE_SPACING = 6.0
"""Bohr between the atoms of the geometry that basis and elements are tried with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenmolcasEngine:
    """An :class:`~namd.qm.protocol.Engine`, made by :func:`make_openmolcas`.

    Parameters
    ----------
    molecule
        The atoms, with their charge.
    config
        Settings.
    driver
        The program.
    release
        Of the program.
    scratch
        Folder to compute in; that of the system if ``None``.
    """

    molecule: Molecule
    config: OpenmolcasConfig
    driver: Driver
    release: str
    scratch: Path | None = None

    def describe(self) -> EngineInfo:
        """SA-CASSCF, with transition dipoles and, where asked for, couplings."""
        return EngineInfo(
            name="openmolcas",
            level_of_theory=level_of_theory(self.config),
            states=StateSpace.singlets(self.config.states),
            provides=("interstate_coupling",) * self.config.couplings + ("transition_dipoles",),
            versions={"OpenMolcas": self.release},
        )

    def label(
        self, positions: Float[np.ndarray, "atom 3"], *, guess: Guess | None = None
    ) -> Answer:
        """Compute all states (positions in Bohr), from the orbitals of a neighbour if given.

        Raises
        ------
        EngineError
            If an iteration does not converge, or the program fails or takes too long.
        LostGuessError
            If the active space is not that of the neighbour any more.
        """
        output, orbitals = self._run(positions, guess)
        notes = {} if guess is None else {"active overlap": f"{self._kept(guess, orbitals):.4f}"}
        label = read_label(output, self.describe(), atoms=len(self.molecule), notes=notes)
        return Answer(label=label, guess={"orbitals": orbitals})

    def _run(self, positions: np.ndarray, guess: Guess | None) -> tuple[str, str]:
        """One call of the program: what it printed, and its orbital file."""
        text = input_text(self.molecule, positions, self.config, warm=guess is not None)
        with scratch_folder(self.scratch) as folder:
            if guess is not None:
                (folder / "INPORB").write_text(guess["orbitals"], encoding="utf-8")
            ended = self.driver.run(text, folder=folder, timeout=self.config.timeout_s)
            reason = complaint(ended.output)
            if ended.code != 0 or reason:
                raise EngineError(f"OpenMolcas: {reason or ended.ending}")
            orbitals = folder / f"{PROJECT}.RasOrb"
            if not orbitals.exists():
                raise EngineError("OpenMolcas left no orbital file")
            return ended.output, orbitals.read_text(encoding="utf-8")

    def _kept(self, guess: Guess, orbitals: str) -> float:
        """How much of the neighbour's active space is left."""
        kept = active_overlap(read_orbitals(guess["orbitals"]), read_orbitals(orbitals))
        if kept < self.config.min_active_overlap:
            raise LostGuessError(
                f"the active space is lost: of the neighbour's only {kept:.2f} is left",
                hint="make steps between frames smaller, or see what the active orbitals are",
            )
        return kept


def level_of_theory(config: OpenmolcasConfig) -> str:
    """The method in words: those of PySCF's engine where both compute the same numbers."""
    method = f"CASSCF({config.active_electrons},{config.active_orbitals})"
    fitted = ", acCD integrals" if config.cholesky else ""
    return f"SA{config.states}-{method}/{config.basis}{fitted}"


def make_openmolcas(
    config: OpenmolcasConfig, *, molecule: Molecule, base: Path, scratch: Path | None
) -> OpenmolcasEngine:
    """Find the program, and make sure that it serves this molecule and basis.

    Parameters
    ----------
    config
        Settings.
    molecule
        The atoms, with their charge.
    base
        Folder that paths of the configuration are relative to.
    scratch
        Folder to compute in.

    Raises
    ------
    ConfigError
        If the program is missing, too old or does not start, it does not know the basis, or the
        molecule has no closed shell or fewer electrons than the active space.
    """
    check_electrons(molecule, active=config.active_electrons)
    driver = find_driver(config, base=base)
    elements = list(dict.fromkeys(molecule.symbols))
    places = np.zeros((len(elements), 3))
    places[:, 2] = _PROBE_SPACING * np.arange(len(elements))
    release = probe(
        driver,
        gateway_text(elements, places, config.model_copy(update={"cholesky": False})),
        where=f"engine.program = {config.program}",
        basis=config.basis,
        scratch=scratch,
    )
    return OpenmolcasEngine(
        molecule=molecule, config=config, driver=driver, release=release, scratch=scratch
    )
