"""The engine ``dftbplus``: SSR(2,2)-LC-DFTB2 labels, the lowest of several SCF solutions.

At small gaps the SCF has several solutions within a tenth of an electronvolt. The label is the one
of the lowest state-averaged energy among: a run with the first level shift; below one gap another
with the second shift; below a smaller gap a restart from the orbitals of the first with the third.
A start that does not converge is left out; one that fails otherwise (out of time, killed) makes the
geometry a failure, since the label would depend on chance. It does not depend on neighbouring
geometries: there is no guess.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from namd.config.engine import DftbplusConfig
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.dftbplus.hsd import (
    elements_of,
    geometry_text,
    input_text,
    parameter_file,
    spin_constants,
)
from namd.qm.dftbplus.output import (
    NotConvergedError,
    Solution,
    check_convergence,
    error_message,
    read_solution,
    release_of,
)
from namd.qm.process import find_program, run_program, scratch_folder
from namd.qm.protocol import Answer, EngineInfo, Guess
from namd.states import StateSpace
from namd.units import EV_PER_HARTREE

OLDEST_RELEASE = (24, 1)
"""The output of earlier ones was never compared."""

SAME_SOLUTION = 1e-6
"""Hartree: state-averaged energies that differ by less are of one solution; its first start counts.

The averaged energy is stationary, those of the states are not: two runs that meet in one solution
within the SCF tolerance were seen to differ by 5·10⁻⁷ Hartree in them and by 5·10⁻⁹ in their mean.
"""

_PROBE_TIMEOUT_S = 60.0
_ORBITALS = "eigenvec.bin"


@dataclass(frozen=True, kw_only=True, eq=False)
class DftbplusEngine:
    """An :class:`~namd.qm.protocol.Engine`, made by :func:`make_dftbplus`.

    Parameters
    ----------
    molecule
        The atoms, with their charge.
    config
        Settings.
    program
        The program.
    parameters
        Folder of the Slater–Koster files.
    release
        Of the program.
    scratch
        Folder to compute in; that of the system if ``None``.
    """

    molecule: Molecule
    config: DftbplusConfig
    program: Path
    parameters: Path
    release: str
    scratch: Path | None = None
    states: StateSpace = field(default_factory=lambda: StateSpace.singlets(2))

    def describe(self) -> EngineInfo:
        """SSR(2,2) on (LC-)DFTB2, everything."""
        method = "LC-DFTB2" if self.config.range_separated else "DFTB2"
        parameters = self.config.parameter_set or self.parameters.name
        return EngineInfo(
            name="dftbplus",
            level_of_theory=f"SSR(2,2)-{method}, {parameters}, DFTB+ {self.release}",
            states=self.states,
            provides=("interstate_coupling", "transition_dipoles", "diabatic_hamiltonian"),
            versions={"DFTB+": self.release},
        )

    def label(
        self,
        positions: Float[np.ndarray, "atom 3"],
        *,
        guess: Guess | None = None,  # noqa: ARG002  (labels shall not depend on neighbours)
    ) -> Answer:
        """Compute both states (positions in Bohr).

        Raises
        ------
        EngineError
            If no start of the SCF leads to a solution, or the program fails or takes too long.
        """
        with scratch_folder(self.scratch) as folder:
            found, failures = self._solutions(positions, folder)
        if not found:
            raise EngineError("; ".join(f"{name}: {why}" for name, why in failures.items()))
        lowest = min(solution.averaged_energy for solution in found.values())
        best = next(k for k, s in found.items() if s.averaged_energy < lowest + SAME_SOLUTION)
        notes = {"start": best, "solutions": _relative(found)}
        if failures:
            notes["failed starts"] = ", ".join(failures)
        return Answer(label=replace(found[best].label, notes=notes))

    def _solutions(
        self, positions: Float[np.ndarray, "atom 3"], folder: Path
    ) -> tuple[dict[str, Solution], dict[str, str]]:
        """Solutions of all starts that this geometry needs, and why others failed."""
        found: dict[str, Solution] = {}
        failures: dict[str, str] = {}
        config = self.config
        symbols = self.molecule.symbols
        (folder / "geometry.gen").write_text(geometry_text(symbols, positions), encoding="utf-8")
        first_orbitals = folder.joinpath("first-" + _ORBITALS)

        def attempt(name: str, level_shift: float, *, restart: bool = False) -> None:
            try:
                found[name] = self._run(folder, level_shift=level_shift, restart=restart)
            except NotConvergedError as error:
                failures[name] = error.message

        first = f"shift {config.level_shift:g}"
        attempt(first, config.level_shift)
        gap_ev = found[first].gap * EV_PER_HARTREE if first in found else 0.0
        if first in found and (folder / _ORBITALS).exists():
            shutil.copyfile(folder / _ORBITALS, first_orbitals)
        if gap_ev < config.second_below_gap_ev:
            attempt(f"shift {config.second_level_shift:g}", config.second_level_shift)
        if gap_ev < config.restart_below_gap_ev and first_orbitals.exists():
            shutil.copyfile(first_orbitals, folder / _ORBITALS)
            name = f"restart, shift {config.restart_level_shift:g}"
            attempt(name, config.restart_level_shift, restart=True)
        return found, failures

    def _run(self, folder: Path, *, level_shift: float, restart: bool) -> Solution:
        """One run of the program."""
        text = input_text(
            self.molecule.symbols,
            self.config,
            parameters=self.parameters,
            charge=self.molecule.charge,
            level_shift=level_shift,
            restart=restart,
        )
        (folder / "dftb_in.hsd").write_text(text, encoding="utf-8")
        dipole = folder / "tdp.dat"
        dipole.unlink(missing_ok=True)
        ended = run_program([str(self.program)], folder=folder, timeout=self.config.timeout_s)
        check_convergence(ended.output)
        if ended.code != 0:
            said = error_message(ended.output)
            raise EngineError(f"DFTB+ failed: {said or ended.ending}")
        return read_solution(
            ended.output,
            dipole.read_text(encoding="utf-8") if dipole.exists() else "",
            atoms=len(self.molecule),
        )


def make_dftbplus(
    config: DftbplusConfig, *, molecule: Molecule, base: Path, scratch: Path | None
) -> DftbplusEngine:
    """Find program and parameters, and make sure that they serve this molecule.

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
        If the program, a parameter file or a spin constant is missing, or the program is too old.
    """
    program = find_program(
        config.program,
        base=base,
        where=f"engine.program = {config.program}",
        hint="install DFTB+ 24.1 or later (conda-forge has `dftbplus`), or give its path",
    )
    parameters = (base / Path(config.parameters).expanduser()).resolve()
    elements = elements_of(molecule.symbols)
    lacking = [element for element in elements if spin_constants(element, config) is None]
    if lacking:
        raise ConfigError(
            f"the spin constants of {', '.join(lacking)} are not known",
            where="engine.spin_constants",
            hint="give them from the documentation of the parameters, e.g. N: [s-s, s-p, p-s, p-p]",
        )
    names = [parameter_file(a, b, config) for a in elements for b in elements]
    missing = [name for name in names if not (parameters / name).is_file()]
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} not found",
            where=f"engine.parameters = {parameters}",
            hint="name the folder of the Slater–Koster files; dftb.org has the ob2 set",
        )
    return DftbplusEngine(
        molecule=molecule,
        config=config,
        program=program,
        parameters=parameters,
        release=_release(program),
        scratch=scratch,
    )


def _release(program: Path) -> str:
    """Ask the program, by starting it without input, which release it is."""
    where = f"engine.program = {program}"
    with scratch_folder(None) as folder:
        try:
            ended = run_program([str(program)], folder=folder, timeout=_PROBE_TIMEOUT_S)
        except EngineError as error:
            raise ConfigError(error.message, where=where, hint="is it DFTB+?") from error
    release = release_of(ended.output)
    if release is None:
        said = ended.output.strip().splitlines()
        raise ConfigError(
            f"this is not DFTB+: {said[0] if said else ended.ending}",
            where=where,
            hint="give the path of the program dftb+",
        )
    if release[0].isdigit() and _numbers(release) < OLDEST_RELEASE:
        raise ConfigError(
            f"DFTB+ {release} is too old, expected 24.1 or later",
            where=where,
            hint="install a newer one (conda-forge has `dftbplus`)",
        )
    return release


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())


def _relative(found: Mapping[str, Solution]) -> str:
    """State-averaged energies of all solutions above the lowest, in eV."""
    lowest = min(solution.averaged_energy for solution in found.values())
    heights = {name: (s.averaged_energy - lowest) * EV_PER_HARTREE for name, s in found.items()}
    return ", ".join(f"{name} {height:+.4f} eV" for name, height in heights.items())
