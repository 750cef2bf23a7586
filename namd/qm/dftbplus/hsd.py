"""Input of DFTB+ for one SSR(2,2) calculation: energies, gradients and coupling of both states.

The method is SI-SA-REKS(2,2) with two ensemble states, perfectly spin-paired (PPS) and open-shell
singlet (OSS), averaged with equal weights.

References
----------
I. S. Lee, M. Filatov, S. K. Min, J. Chem. Theory Comput. 15, 3021 (2019),
DOI 10.1021/acs.jctc.9b00132. V. Lutsker, B. Aradi, T. A. Niehaus, J. Chem. Phys. 143, 184107
(2015), DOI 10.1063/1.4935095 (long-range correction).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from namd.config.engine import DftbplusConfig
from namd.units import ANGSTROM_PER_BOHR

KNOWN_SPIN_CONSTANTS: dict[str, list[float]] = {
    "H": [-0.07925],
    "C": [-0.04559, -0.02930, -0.02930, -0.02755],
}
"""Of the ob2-1-1 set, Hartree."""

SHELLS = {1: "s", 4: "p", 9: "d"}
"""Highest shell by the number of spin constants."""

_PARSER_VERSION = 9
"""Language of the input; every later DFTB+ converts it."""


def elements_of(symbols: Sequence[str]) -> list[str]:
    """Elements in the order of the input."""
    return sorted(set(symbols))


def spin_constants(element: str, config: DftbplusConfig) -> list[float] | None:
    """Spin constants of an element, Hartree; ``None`` if nobody knows them."""
    return config.spin_constants.get(element, KNOWN_SPIN_CONSTANTS.get(element))


def parameter_file(first: str, second: str, config: DftbplusConfig) -> str:
    """Name of the Slater–Koster file of two elements."""
    return f"{first}{config.separator}{second}{config.suffix}"


def geometry_text(symbols: Sequence[str], positions: Float[np.ndarray, "atom 3"]) -> str:
    """Geometry in DFTB+'s gen format.

    Parameters
    ----------
    symbols
        Elements of the atoms.
    positions
        Bohr; written in Å.
    """
    kinds = elements_of(symbols)
    lines = [f"{len(symbols)} C", " ".join(kinds)]
    for number, (symbol, place) in enumerate(zip(symbols, positions, strict=True), start=1):
        x, y, z = place * ANGSTROM_PER_BOHR
        lines.append(f"{number} {kinds.index(symbol) + 1} {x:.12f} {y:.12f} {z:.12f}")
    return "\n".join(lines) + "\n"


def input_text(
    symbols: Sequence[str],
    config: DftbplusConfig,
    *,
    parameters: Path,
    charge: int,
    level_shift: float,
    restart: bool,
) -> str:
    """Text of ``dftb_in.hsd``.

    Parameters
    ----------
    symbols
        Elements of the atoms.
    config
        Settings of the method; every element has spin constants.
    parameters
        Folder of the Slater–Koster files.
    charge
        Total charge in e.
    level_shift
        Of the virtual orbitals in the SCF, Hartree.
    restart
        Begin from the orbitals in ``eigenvec.bin``.
    """
    elements = elements_of(symbols)
    constants = {e: spin_constants(e, config) or [] for e in elements}
    spins = "\n".join(f"    {e} = {{ {' '.join(map(str, c))} }}" for e, c in constants.items())
    shells = "\n".join(f'    {e} = "{SHELLS[len(c)]}"' for e, c in constants.items())
    exchange = "  RangeSeparated = LC { Screening = MatrixBased {} }\n"
    return f"""Geometry = GenFormat {{
  <<< "geometry.gen"
}}
Hamiltonian = DFTB {{
  SCC = Yes
  SCCTolerance = {config.scc_tolerance}
  MaxSCCIterations = {config.scc_iterations}
  SpinConstants = {{
    ShellResolvedSpin = Yes
{spins}
  }}
{exchange if config.range_separated else ""}  Charge = {charge}
  MaxAngularMomentum = {{
{shells}
  }}
  SlaterKosterFiles = Type2FileNames {{
    Prefix = "{parameters}/"
    Separator = "{config.separator}"
    Suffix = "{config.suffix}"
  }}
}}
Analysis = {{
  CalculateForces = Yes
  WriteEigenvectors = Yes
}}
Options = {{ TimingVerbosity = -1 }}
REKS = SSR22 {{
  Energy = {{
    Functional = {{ "PPS" "OSS" }}
    StateInteractions = Yes
    IncludeAllStates = No
  }}
  TargetState = 1
  ReadEigenvectors = {"Yes" if restart else "No"}
  FONmaxIter = 50
  shift = {level_shift}
  SpinTuning = {{}}
  Gradient = ConjugateGradient {{
    CGmaxIter = {config.cp_reks_iterations}
    Tolerance = {config.cp_reks_tolerance}
    Preconditioner = Yes
    SaveMemory = Yes
  }}
  RelaxedDensity = No
  NonAdiabaticCoupling = Yes
  TransitionDipole = Yes
  VerbosityLevel = 1
}}
ParserOptions = {{ ParserVersion = {_PARSER_VERSION} }}
"""
