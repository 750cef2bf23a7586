"""The header of a run: what it is and where its trajectories start, written before the first step.

It becomes the head of the ensemble file, and is what a resume compares itself with.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from namd.errors import DataError
from namd.io.atomic import write_bytes
from namd.io.ensemble import FORMAT, FORMAT_VERSION
from namd.io.hdf5 import check_format, open_hdf5, read_array, read_attribute
from namd.io.hdf5_image import hdf5_image, put
from namd.io.run_folder import RunFolder
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.states import StateSpace


@dataclass(frozen=True, eq=False, kw_only=True)
class Header:
    """What a run is and where its trajectories start.

    Parameters
    ----------
    config
        Resolved configuration.
    molecule, states
        Of the potential.
    potential
        Its own description, with a digest.
    decoherence
        Method with constant and convention.
    timestep
        Atomic units of time.
    seed
        Of every random number.
    versions, hardware
        What made the numbers.
    trajectory_id, positions, velocities, active_state
        Initial conditions, atomic units.
    diabatic_state
        Diabat in which each trajectory starts; none for a start in the adiabatic active state.
    reference
        Geometry whose bonds are guarded, Bohr; none for a model particle.
    initial_conditions
        How they were made: ``notes`` (lines of text) and, where states were chosen by absorption,
        ``excitation`` (counts).
    candidate
        Number of the sampled geometry each trajectory was chosen from, by absorption.
    timestep_check
        What the fastest vibration says about the time step, in words; empty if none is known.
    """

    config: dict[str, Any]
    molecule: Molecule
    states: StateSpace
    potential: dict[str, str]
    decoherence: str
    timestep: float
    seed: int
    versions: dict[str, str]
    hardware: dict[str, str]
    trajectory_id: Int[np.ndarray, " traj"]
    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    active_state: Int[np.ndarray, " traj"]
    diabatic_state: Int[np.ndarray, " traj"] | None = None
    reference: Float[np.ndarray, "atom 3"] | None = None
    initial_conditions: dict[str, Any] = field(default_factory=dict)
    candidate: Int[np.ndarray, " traj"] | None = None
    timestep_check: str = ""


def write_start(folder: RunFolder, header: Header) -> None:
    """Write the header of a new run; from then on the run can be resumed.

    Raises
    ------
    OSError
        If the disk is full; nothing is left behind then.
    """

    def fill(file: h5py.File) -> None:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = str(FORMAT_VERSION)
        file.attrs["states"] = " ".join(header.states.labels)
        file.attrs["seed"] = str(header.seed)
        file.attrs["charge"] = header.molecule.charge
        file.attrs["timestep"] = header.timestep
        file.attrs["timestep_check"] = header.timestep_check
        file.attrs["decoherence"] = header.decoherence
        for name in ("config", "potential", "versions", "hardware", "initial_conditions"):
            file.attrs[name] = json.dumps(getattr(header, name), ensure_ascii=False)
        put(file, "atomic_numbers", header.molecule.atomic_numbers, unit="1")
        put(file, "masses", header.molecule.masses, unit="electron_mass")
        put(file, "trajectory_id", header.trajectory_id, unit="1")
        for name in ("positions", "velocities", "active_state"):
            unit = PROPERTIES[name].unit
            put(file, f"initial/{name}", getattr(header, name), unit=unit)
        if header.diabatic_state is not None:
            put(file, "initial/diabatic_state", header.diabatic_state, unit="1")
        if header.reference is not None:
            put(file, "initial/reference", header.reference, unit="bohr")
        if header.candidate is not None:
            put(file, "initial/candidate", header.candidate, unit="1")

    write_bytes(folder.start, hdf5_image(fill))


def read_start(folder: RunFolder) -> Header:
    """Read the header of a run that is to be resumed.

    Raises
    ------
    DataError
        If it is missing or damaged.
    """
    with open_hdf5(folder.start) as file:
        check_format(file, name=FORMAT, version=FORMAT_VERSION)

        def initial(name: str) -> np.ndarray:
            return read_array(file, f"initial/{name}", unit=PROPERTIES[name].unit)

        def optional(name: str) -> np.ndarray | None:
            return read_array(file, f"initial/{name}") if f"initial/{name}" in file else None

        return Header(
            config=_json(file, "config"),
            molecule=Molecule(
                atomic_numbers=read_array(file, "atomic_numbers"),
                masses=read_array(file, "masses"),
                charge=int(file.attrs.get("charge", 0)),
            ),
            states=StateSpace(tuple(read_attribute(file, "states").split())),
            potential=_json(file, "potential"),
            decoherence=read_attribute(file, "decoherence"),
            timestep_check=str(file.attrs.get("timestep_check", "")),
            timestep=float(read_attribute(file, "timestep")),
            seed=int(read_attribute(file, "seed")),
            versions=_json(file, "versions"),
            hardware=_json(file, "hardware"),
            trajectory_id=read_array(file, "trajectory_id"),
            positions=initial("positions"),
            velocities=initial("velocities"),
            active_state=initial("active_state"),
            diabatic_state=optional("diabatic_state"),
            reference=optional("reference"),
            initial_conditions=_json(file, "initial_conditions")
            if "initial_conditions" in file.attrs
            else {},
            candidate=optional("candidate"),
        )


def _json(file: h5py.File, name: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(read_attribute(file, name))
    except json.JSONDecodeError as error:
        raise DataError(
            f"attribute {name!r} is not valid JSON: {error}", where=str(file.filename)
        ) from None
    return value
