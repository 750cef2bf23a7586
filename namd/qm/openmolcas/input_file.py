"""Input of OpenMolcas for one geometry: all states, their gradients, and the coupling of each pair.

The modules, in their order: GATEWAY and SEWARD (geometry, integrals), SCF where there are no
orbitals to start from, RASSCF, RASSI (dipole matrix), and for each state and pair MCLR
(response of orbitals and coefficients) and ALASKA (gradient). MCLR is called by name because the
call that ALASKA makes on its own has a threshold of 1e-4.

References
----------
G. Li Manni et al., J. Chem. Theory Comput. 19, 6933 (2023), DOI 10.1021/acs.jctc.3c00182.
Couplings: I. Fdez. Galván, M. G. Delcey, T. B. Pedersen, F. Aquilante, R. Lindh, J. Chem. Theory
Comput. 12, 3636 (2016), DOI 10.1021/acs.jctc.6b00384. Gradients with Cholesky integrals: M. G.
Delcey, T. B. Pedersen, F. Aquilante, R. Lindh, J. Chem. Phys. 143, 044110 (2015),
DOI 10.1063/1.4927228.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from namd.config.engine import OpenmolcasConfig
from namd.molecule import Molecule


def inactive_orbitals(molecule: Molecule, config: OpenmolcasConfig) -> int:
    """How many orbitals are doubly occupied in every configuration; negative where that fails."""
    electrons = int(molecule.atomic_numbers.sum()) - molecule.charge
    return (electrons - config.active_electrons) // 2


def gateway_text(
    symbols: Sequence[str], positions: Float[np.ndarray, "atom 3"], config: OpenmolcasConfig
) -> str:
    """Geometry and basis.

    Parameters
    ----------
    symbols
        Elements of the atoms.
    positions
        Bohr.
    config
        Basis and kind of integrals.
    """
    atoms = "\n".join(
        f"{symbol} {x:.12f} {y:.12f} {z:.12f}"
        for symbol, (x, y, z) in zip(symbols, positions.tolist(), strict=True)
    )
    return f"""&GATEWAY
Coord
{len(symbols)}
bohr
{atoms}
Basis = {config.basis}
Group = NoSym
{"RICD" if config.cholesky else "NoCD"}
"""


def input_text(
    molecule: Molecule,
    positions: Float[np.ndarray, "atom 3"],
    config: OpenmolcasConfig,
    *,
    warm: bool,
) -> str:
    """Text of the whole input.

    Parameters
    ----------
    molecule
        The atoms, with their charge.
    positions
        Bohr.
    config
        Settings of the method.
    warm
        Begin from the orbitals in the file INPORB instead of a Hartree–Fock calculation.
    """
    states = range(1, config.states + 1)
    parts = [
        gateway_text(molecule.symbols, positions, config),
        "&SEWARD\n",
        "" if warm else f"&SCF\nCharge = {molecule.charge}\n",
        _rasscf(config, inactive=inactive_orbitals(molecule, config), warm=warm),
        _dipoles(),
    ]
    for root in states:
        parts.append(_response(f"SALA = {root}", config))
        parts.append(f"&ALASKA\nROOT = {root}\nPNEW\n")
    if config.couplings:
        for first in states:
            for second in range(first + 1, config.states + 1):
                parts.append(_response(f"NAC = {first} {second}", config))
                parts.append(f"&ALASKA\nNAC = {first} {second}\nPNEW\n")
    return "\n".join(part for part in parts if part)


def _rasscf(config: OpenmolcasConfig, *, inactive: int, warm: bool) -> str:
    orbitals = config.gradient_tolerance
    swaps = [] if warm else _swaps(config.active_space, first=inactive + 1)
    lines = [
        "&RASSCF",
        "Spin = 1",
        f"NActEl = {config.active_electrons} 0 0",
        f"Inactive = {inactive}",
        f"Ras2 = {config.active_orbitals}",
        f"CIRoot = {config.states} {config.states} 1",
        f"ThRs = {config.energy_tolerance:g} {orbitals:g} {orbitals:g}",
        f"Iter = {config.max_iterations} 100",
        "LumOrb" if warm else "",
    ]
    if swaps:
        lines.append(f"Alter = {len(swaps)}")
        lines += [f"1 {one} {other}" for one, other in swaps]
    return "\n".join(line for line in lines if line) + "\n"


def _swaps(wanted: Sequence[int] | None, *, first: int) -> list[tuple[int, int]]:
    """Pairs of orbitals to be exchanged so that the wanted ones are the active ones."""
    if wanted is None:
        return []
    window = set(range(first, first + len(wanted)))
    return list(zip(sorted(window - set(wanted)), sorted(set(wanted) - window), strict=True))


def _dipoles() -> str:
    """Dipole matrix over the states of RASSCF, whose signs the couplings share."""
    components = "\n".join(f"'Mltpl  1' {component}" for component in (1, 2, 3))
    return f"&RASSI\nOneL\nMEIn\nProperties\n3\n{components}\n"


def _response(what: str, config: OpenmolcasConfig) -> str:
    return f"&MCLR\n{what}\nThreshold = {config.response_tolerance:g}\n"
