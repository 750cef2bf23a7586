"""Read the ``output.dat`` of a SHARC trajectory, versions 2 to 4.

The file has a header of settings and arrays, then one block per time step. A block is a sequence
of sections, each opened by a line ``! <number> <title>``:

=======  =============================================================
section  content, atomic units
=======  =============================================================
0        step number; with an adaptive step (SHARC 3 on) also time and step in fs
1        Hamiltonian in the spin-free (MCH) basis, less ``ezero``
2        U, MCH → diagonal basis
3        dipole matrices X, Y, Z (MCH)
5        coefficients (diagonal basis)
6        hopping probabilities
7        kinetic energy
8        active state (diagonal, MCH), 1-based
9        random number
11, 12   geometry, velocities
15       gradient of one state (MCH)
16       NAC vector ⟨i|∂/∂R j⟩ of one pair (MCH)
=======  =============================================================

A trajectory that was stopped may end in the middle of a block; such a last block is dropped.
Only singlets are read: with higher multiplicities SHARC lists every spin component as a state.

Format and method: S. Mai, P. Marquetand, L. González, WIREs Comput. Mol. Sci. 8, e1370 (2018),
DOI 10.1002/wcms.1370, and the SHARC manual, section "output.dat".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Complex, Float, Int

from namd.errors import DataError
from namd.units import FS_PER_ATOMIC_TIME

SIGNATURE = b"SHARC_version"
_END_OF_SETTINGS = re.compile(r"\*+ End of settings \*+")
_END_OF_HEADER = re.compile(r"\*+ End of header array data \*+")
_NOISE = re.compile(r"\(.*?\)|in a\.u\.")


@dataclass(frozen=True, kw_only=True, eq=False)
class SharcTrajectory:
    """What one SHARC trajectory of singlets says: one row per complete step, MCH basis.

    Parameters
    ----------
    atomic_numbers, masses
        Of the atoms; masses in electron masses.
    step
        Numbers of the steps.
    timestep
        ħ/Hartree; the first one if it adapts.
    substeps
        Electronic substeps per step.
    laser
        Whether a laser field acted.
    time
        ħ/Hartree.
    energies, relative_energies
        Diagonal of the Hamiltonian with and without ``ezero``, Hartree; the phases of the
        amplitudes belong to those without.
    positions, velocities
        Bohr; Bohr·Hartree/ħ.
    dipoles
        Real part of the dipole matrices, e·Bohr.
    active_state
        0-based.
    amplitudes
        c_MCH = U c_diag.
    rotation
        U, MCH → diagonal basis; a permutation with signs where there is no spin–orbit coupling.
    hop_probabilities
        Of the step, per diagonal state (those of the MCH basis where there is no spin–orbit
        coupling).
    random_number
        Drawn in the step.
    kinetic_energy
        Hartree.
    gradients
        ∇E_k, Hartree/Bohr; None if not written.
    nonadiabatic_coupling
        d_ij = ⟨i|∇j⟩ of all ordered pairs, 1/Bohr; None if not written.
    """

    atomic_numbers: Int[np.ndarray, " atom"]
    masses: Float[np.ndarray, " atom"]
    step: Int[np.ndarray, " frame"]
    timestep: float
    substeps: int
    laser: bool
    time: Float[np.ndarray, " frame"]
    energies: Float[np.ndarray, "frame state"]
    relative_energies: Float[np.ndarray, "frame state"]
    positions: Float[np.ndarray, "frame atom 3"]
    velocities: Float[np.ndarray, "frame atom 3"]
    dipoles: Float[np.ndarray, "frame state state 3"]
    active_state: Int[np.ndarray, " frame"]
    amplitudes: Complex[np.ndarray, "frame state"]
    rotation: Complex[np.ndarray, "frame state state"]
    hop_probabilities: Float[np.ndarray, "frame state"]
    random_number: Float[np.ndarray, " frame"]
    kinetic_energy: Float[np.ndarray, " frame"]
    gradients: Float[np.ndarray, "frame state atom 3"] | None
    nonadiabatic_coupling: Float[np.ndarray, "frame state state atom 3"] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Header:
    """The sizes and constants that the blocks are read with."""

    path: Path
    atomic_numbers: Int[np.ndarray, " atom"]
    masses: Float[np.ndarray, " atom"]
    states: int
    timestep: float
    substeps: int
    laser: bool
    zero: float


def read_sharc_output(path: Path | str) -> SharcTrajectory:
    """Read an ``output.dat``.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    SharcTrajectory
        All complete steps.

    Raises
    ------
    DataError
        If the file is no SHARC output, has other states than singlets, holds no complete step, or
        a section cannot be read; the step and the section are named.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("this is not a SHARC output.dat", where=str(path)) from error
    settings_end, header_end = _END_OF_SETTINGS.search(text), _END_OF_HEADER.search(text)
    if not text.startswith(SIGNATURE.decode()) or settings_end is None or header_end is None:
        raise DataError(
            "this is not a SHARC output.dat: the header is missing or cut short",
            where=str(path),
            hint="give the text file output.dat of a trajectory of SHARC 2 to 4",
        )
    header = _read_header(
        path, text[: settings_end.start()], text[settings_end.end() : header_end.start()]
    )
    blocks = [dict(_sections(f"! 0 Step{block}")) for block in _blocks(text[header_end.end() :])]
    return _read_blocks(header, blocks)


def _read_header(path: Path, settings_text: str, arrays_text: str) -> _Header:
    settings = {
        words[0]: words[1:] for line in settings_text.splitlines() if (words := line.split())
    }
    arrays = dict(_sections(arrays_text))
    try:
        singlets, *others = (int(word) for word in settings["nstates_m"])
        atoms = int(settings["natom"][0])
        header = _Header(
            path=path,
            atomic_numbers=_numbers(arrays["Atomic numbers"], (atoms,)).astype(np.int64),
            masses=_numbers(arrays["Atomic masses"], (atoms,)),
            states=singlets,
            timestep=float(settings["dtstep"][0]),
            substeps=int(settings["nsubsteps"][0]),
            laser=settings.get("laser", ["0"])[0] != "0",
            zero=float(settings["ezero"][0]),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"the header cannot be read: {error}",
            where=str(path),
            hint="the output.dat of SHARC names nstates_m, natom, dtstep, nsubsteps, ezero and "
            "the atoms",
        ) from error
    if any(others) or not singlets:
        raise DataError(
            f"the states are not singlets alone (nstates_m {' '.join(settings['nstates_m'])})",
            where=f"{path}  nstates_m",
            hint="namd reads SHARC trajectories of singlets",
        )
    return header


def _blocks(body: str) -> list[str]:
    """Text of each step after its opening ``! 0 Step``."""
    return re.split(r"^! 0 Step", body, flags=re.MULTILINE)[1:]


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield title (units and bases taken out) and lines of each section."""
    for part in re.split(r"^! ", text, flags=re.MULTILINE)[1:]:
        title, *lines = part.splitlines()
        yield " ".join(_NOISE.sub("", title).split()), lines


def _numbers(lines: list[str], shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    return np.array(" ".join(lines).split(), dtype=np.float64).reshape(shape)


def _layout(
    header: _Header, first: Mapping[str, list[str]]
) -> dict[str, tuple[tuple[str, ...], tuple[int, ...]]]:
    """Titles of the sections that make one array, and the shape of each section."""
    states, atoms = range(1, header.states + 1), len(header.atomic_numbers)
    n = header.states
    layout = {
        "step": (("0 Step",), (len(" ".join(first.get("0 Step", [])).split()),)),
        "hamiltonian": (("1 Hamiltonian",), (n, n, 2)),
        "rotation": (("2 U matrix",), (n, n, 2)),
        "dipoles": (tuple(f"3 Dipole moments {axis}" for axis in "XYZ"), (n, n, 2)),
        "coefficients": (("5 Coefficients",), (n, 2)),
        "hop_probabilities": (("6 Hopping Probabilities",), (n,)),
        "kinetic_energy": (("7 Ekin",), ()),
        "state": (("8 states",), (2,)),
        "random_number": (("9 Random number",), ()),
        "positions": (("11 Geometry",), (atoms, 3)),
        "velocities": (("12 Velocities",), (atoms, 3)),
    }
    if any(title.startswith("15 Gradients") for title in first):
        layout["gradients"] = (tuple(f"15 Gradients State {i}" for i in states), (atoms, 3))
    if any(title.startswith("16 NACdr") for title in first):
        pairs = tuple(f"16 NACdr matrix element {i} {j}" for i in states for j in states)
        layout["couplings"] = (pairs, (atoms, 3))
    return layout


def _read_blocks(header: _Header, blocks: list[dict[str, list[str]]]) -> SharcTrajectory:
    layout = _layout(header, blocks[0]) if blocks else {}
    steps = []
    for number, block in enumerate(blocks):
        try:
            steps.append(_read_block(block, layout))
        except (KeyError, ValueError) as error:
            if number == len(blocks) - 1 and number:
                break  # the trajectory was stopped while it wrote this step
            raise DataError(
                f"block {number} cannot be read: {error.args[0]}",
                where=str(header.path),
                hint="the file is damaged: copy it again",
            ) from error
    if not steps:
        raise DataError("the trajectory holds no step", where=str(header.path))

    def column(name: str) -> np.ndarray:
        return np.array([step[name] for step in steps])

    def optional(name: str, *shape: int) -> np.ndarray | None:
        return column(name).reshape(len(steps), *shape) if name in layout else None

    n, atoms = header.states, len(header.atomic_numbers)
    step, *clock = np.moveaxis(column("step")[:, 0], -1, 0)
    diagonal = column("hamiltonian")[:, 0, np.arange(n), np.arange(n), 0]
    rotation = _complex(column("rotation")[:, 0])
    return SharcTrajectory(
        atomic_numbers=header.atomic_numbers,
        masses=header.masses,
        step=step.astype(np.int64),
        timestep=header.timestep,
        substeps=header.substeps,
        laser=header.laser,
        time=clock[0] / FS_PER_ATOMIC_TIME if clock else step * header.timestep,
        energies=diagonal + header.zero,
        relative_energies=diagonal,
        positions=column("positions")[:, 0],
        velocities=column("velocities")[:, 0],
        dipoles=np.moveaxis(column("dipoles")[..., 0], 1, -1),
        active_state=column("state")[:, 0, 1].astype(np.int64) - 1,
        amplitudes=np.einsum("fmd,fd->fm", rotation, _complex(column("coefficients")[:, 0])),
        rotation=rotation,
        hop_probabilities=column("hop_probabilities")[:, 0],
        random_number=column("random_number")[:, 0],
        kinetic_energy=column("kinetic_energy")[:, 0],
        gradients=optional("gradients", n, atoms, 3),
        nonadiabatic_coupling=optional("couplings", n, n, atoms, 3),
    )


def _read_block(
    block: Mapping[str, list[str]],
    layout: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]],
) -> dict[str, Float[np.ndarray, "..."]]:
    """Arrays of one step; a leading axis runs over the sections of each."""
    arrays = {}
    for name, (titles, shape) in layout.items():
        parts = []
        for title in titles:
            if title not in block:
                raise KeyError(f"the section '{title}' is missing")
            try:
                parts.append(_numbers(block[title], shape))
            except ValueError as error:
                raise ValueError(f"section '{title}': {error}") from error
        arrays[name] = np.array(parts)
    return arrays


def _complex(pairs: Float[np.ndarray, "*shape 2"]) -> Complex[np.ndarray, "*shape"]:
    return pairs[..., 0] + 1j * pairs[..., 1]
