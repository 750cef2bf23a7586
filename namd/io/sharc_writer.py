"""Write an ``output.dat`` that :func:`namd.io.sharc.read_sharc_output` and SHARC's own tools read.

The layout is that of SHARC 2 (:mod:`namd.io.sharc` lists the sections), whose numbers are free in
width: here they have all their digits, so that what is read is what was written. What a trajectory
does not know is NaN, which Fortran reads as well; a runtime it does not know is −1.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from namd.io.saving import save_bytes
from namd.io.sharc import SharcTrajectory

_END_OF_SETTINGS = " End of settings ".center(91, "*")
_END_OF_HEADER = " End of header array data ".center(91, "*")


def write_sharc_output(trajectory: SharcTrajectory, path: Path, *, overwrite: bool = False) -> None:
    """Write a trajectory of singlets.

    Parameters
    ----------
    trajectory
        As the reader gives it; sections of gradients and couplings only where there are any.
    path
        File to make, atomically.
    overwrite
        Replace a file of that name.

    Raises
    ------
    ConfigError
        If the file exists and may not be replaced.
    DataError
        If it cannot be written.
    """
    lines = [*_header(trajectory)]
    for frame in range(len(trajectory.step)):
        lines += _step(trajectory, frame)
    save_bytes(path, "".join(f"{line}\n" for line in lines).encode("ascii"), overwrite=overwrite)


def _header(trajectory: SharcTrajectory) -> Iterator[str]:
    zero = float(trajectory.energies[0, 0] - trajectory.relative_energies[0, 0])
    yield "SHARC_version   2.0"
    for key, value in {
        "maxmult": 1,
        "nstates_m": trajectory.energies.shape[1],
        "natom": len(trajectory.atomic_numbers),
        "dtstep": trajectory.timestep,
        "nsteps": int(trajectory.step[-1]),
        "nsubsteps": trajectory.substeps,
        "ezero": zero,
        "write_overlap": 0,
        "write_grad": int(trajectory.gradients is not None),
        "write_nacdr": int(trajectory.nonadiabatic_coupling is not None),
        "write_property1d": 0,
        "write_property2d": 0,
        "n_property1d": 1,
        "n_property2d": 1,
        "laser": int(trajectory.laser),
    }.items():
        yield f" {key} {value!r}"
    yield _END_OF_SETTINGS
    yield from _section("Atomic numbers", trajectory.atomic_numbers[:, None].astype(np.float64))
    yield "! Elements"
    yield from (f" {chemical_symbols[number]}" for number in trajectory.atomic_numbers)
    yield from _section("Atomic masses", trajectory.masses[:, None])
    yield _END_OF_HEADER


def _step(trajectory: SharcTrajectory, frame: int) -> Iterator[str]:
    yield from ("! 0 Step", f" {trajectory.step[frame]}")
    hamiltonian = np.diag(trajectory.relative_energies[frame])
    yield from _section("1 Hamiltonian (MCH) in a.u.", _with_zeros(hamiltonian))
    rotation = trajectory.rotation[frame]
    yield from _section("2 U matrix", _pairs(rotation))
    for axis, letter in enumerate("XYZ"):
        moments = trajectory.dipoles[frame, :, :, axis]
        yield from _section(f"3 Dipole moments {letter} (MCH) in a.u.", _with_zeros(moments))
    coefficients = rotation.conj().T @ trajectory.amplitudes[frame]
    yield from _section("5 Coefficients (diag)", _pairs(coefficients[:, None]))
    probabilities = trajectory.hop_probabilities[frame]
    yield from _section("6 Hopping Probabilities (diag)", probabilities[:, None])
    yield from _section("7 Ekin (a.u.)", trajectory.kinetic_energy[frame, None, None])
    mch = int(trajectory.active_state[frame])
    diagonal = int(np.abs(rotation[mch]).argmax())
    yield from ("! 8 states (diag, MCH)", f" {diagonal + 1} {mch + 1}")
    yield from _section("9 Random number", trajectory.random_number[frame, None, None])
    yield from ("! 10 Runtime (sec)", " -1")
    yield from _section("11 Geometry in a.u.", trajectory.positions[frame])
    yield from _section("12 Velocities in a.u.", trajectory.velocities[frame])
    if trajectory.gradients is not None:
        for state, gradient in enumerate(trajectory.gradients[frame], start=1):
            yield from _section(f"15 Gradients (MCH) State {state}", gradient)
    if trajectory.nonadiabatic_coupling is not None:
        for i, row in enumerate(trajectory.nonadiabatic_coupling[frame], start=1):
            for j, coupling in enumerate(row, start=1):
                yield from _section(f"16 NACdr matrix element (MCH) {i} {j}", coupling)


def _section(title: str, rows: Float[np.ndarray, "row column"]) -> Iterator[str]:
    yield f"! {title}"
    for row in rows.tolist():
        yield " ".join(f"{value: .16E}" for value in row)


def _with_zeros(real: np.ndarray) -> Float[np.ndarray, "row two_columns"]:
    """A real matrix as one of complex numbers: real and imaginary parts side by side."""
    return _pairs(real.astype(np.complex128))


def _pairs(matrix: np.ndarray) -> Float[np.ndarray, "row two_columns"]:
    return np.ascontiguousarray(matrix).view(np.float64)
