"""The Hessian of an engine: displaced geometries, labelled side by side, kept until the end."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from namd.cli import console
from namd.cli.label_job import Request, run_job
from namd.data.frames import Frames, read_frames
from namd.data.frames_file import write_frames
from namd.data.reading import read_dataset
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.potentials.calculator import StateProperties
from namd.sampling.numerical_hessian import displacements, hessian_of
from namd.sampling.relaxation import StationaryPoint
from namd.sampling.symmetry import Operation, symmetry_operations
from namd.units import EV_PER_HARTREE

_SOURCE = "hessian"
_JUMP = 5e-4
"""Hartree: ten times what the stiffest bond gains on a displacement."""


@dataclass(frozen=True, kw_only=True)
class HessianJob:
    """What is differentiated, and where the work is kept meanwhile.

    Parameters
    ----------
    molecule
        With the charge that is computed.
    config
        YAML file with the engine.
    state
        Whose Hessian.
    folder
        Made at the beginning and removed at the end.
    workers
        Processes.
    resume
        Go on with what the folder holds.
    origin
        What the geometry was made of; a resumed job must have the same.
    words
        Of the command, after ``namd``.
    symmetry
        Move one atom alone of those that the symmetry of the geometry makes equivalent.
    """

    molecule: Molecule
    config: Path
    state: int
    folder: Path
    workers: int
    resume: bool
    origin: Mapping[str, Any]
    words: tuple[str, ...]
    symmetry: bool = True

    def run(
        self, place: Callable[[], Float[np.ndarray, "atom 3"]]
    ) -> tuple[StationaryPoint, Float[np.ndarray, "coordinate coordinate"]]:
        """Label a geometry and its displacements.

        Parameters
        ----------
        place
            Finds the geometry (Bohr); not called again by a resumed job.

        Returns
        -------
        StationaryPoint, numpy.ndarray
            The geometry with its label, and the Hessian, Hartree/Bohr².

        Raises
        ------
        NamdError
            If the engine cannot be used, a geometry has no label, or the work was stopped.
        """
        frames = self._displaced(place)
        labels = self.folder / "labels.h5"
        run_job(
            Request(
                frames=self._frames,
                engine=None,
                config=self.config,
                output=labels,
                workers=self.workers,
                verify=0,
                resume=self.resume,
                force=False,
                overrides=(),
                asked_by=self.words,
            )
        )
        dataset = read_dataset(labels)
        if missing := len(frames) - len(dataset):
            raise EngineError(
                f"{missing} of {len(frames)} displaced geometries have no label",
                where=f"{labels}.json",
                hint="the reasons stand there; remove the folder to begin anew",
            )
        gradients, energies = -dataset["forces"], dataset["energies"]
        self._check_smooth(frames.positions, energies[:, self.state], gradients[0, self.state])
        point = StationaryPoint(
            positions=frames.positions[0],
            properties=StateProperties(
                energies=energies[0], gradients=gradients[0], couplings=None
            ),
        )
        operations = self._operations(point.positions)
        return point, hessian_of(gradients[1:, self.state], operations=operations)

    def _check_smooth(
        self,
        positions: Float[np.ndarray, "displaced atom 3"],
        energies: Float[np.ndarray, " displaced"],
        gradient: Float[np.ndarray, "atom 3"],
    ) -> None:
        """Refuse labels of which some are of another electronic solution."""
        expected = energies[0] + ((positions - positions[0]) * gradient).sum((1, 2))
        jumps = np.abs(energies - expected)
        if jumps.max() > _JUMP:
            raise EngineError(
                f"the energy of S{self.state} jumps by {jumps.max() * EV_PER_HARTREE:.2f} eV on a "
                f"displacement, in {int((jumps > _JUMP).sum())} of {len(jumps) - 1}: some labels "
                "are of another electronic solution",
                where=str(self.folder),
                hint="remove the folder, and start from the geometry of the lower solution",
            )

    def _operations(self, positions: Float[np.ndarray, "atom 3"]) -> list[Operation]:
        return symmetry_operations(self.molecule, positions) if self.symmetry else []

    def remove(self) -> None:
        """Remove the folder, once the Hessian is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _frames(self) -> Path:
        return self.folder / "frames.h5"

    def _displaced(self, place: Callable[[], Float[np.ndarray, "atom 3"]]) -> Frames:
        """The geometry and its displacements, of this job or of the one that is resumed."""
        if self._frames.exists():
            return self._begun()
        positions = place()
        operations = self._operations(positions)
        moved = displacements(positions, operations=operations)
        if len(operations) > 1:
            console.note(
                f"{len(moved)} of {6 * len(positions)} displacements are computed: the "
                f"geometry has {len(operations)} equivalent numberings of its atoms"
            )
        everything = np.concatenate([positions[None], moved])
        named = np.full(len(everything), _SOURCE)
        frames = Frames(
            molecule=self.molecule,
            positions=everything,
            group=named,
            source=named,
            provenance={"origin": dict(self.origin)},
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_frames(frames, self._frames)
        return frames

    def _begun(self) -> Frames:
        where = str(self.folder)
        if not self.resume:
            raise ConfigError(
                "this Hessian was begun and not finished",
                where=where,
                hint="go on with --resume, or remove the folder to begin anew",
            )
        frames = read_frames(self._frames)
        if frames.provenance.get("origin") != dict(self.origin):
            raise ConfigError(
                "the work was begun with another geometry, state, --relax or --no-symmetry",
                where=where,
                hint="give the same options, or start anew with another --output",
            )
        return frames
