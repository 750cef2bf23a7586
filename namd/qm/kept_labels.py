"""Labels that a run makes on its way, kept: trajectories on a reference engine are labelled data.

::

    labels/head.json         whose labels these are
    labels/00003-000123.npz  the 124th label of trajectory 3, whole or absent

A step that is computed again after a kill writes the same file again. When the run is complete they
become one dataset, with a group for each trajectory.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from namd import __version__
from namd.config.labelling import LabellingConfig
from namd.data.dataset import Dataset
from namd.errors import DataError, ResumableStop
from namd.io.atomic import remove_leftovers, write_bytes, write_text
from namd.molecule import Molecule
from namd.qm.guess_file import pack_guess, unpack_guess
from namd.qm.protocol import EngineInfo, Label
from namd.states import StateSpace

SOURCE = "on-the-fly"


@dataclass(frozen=True)
class KeptLabels:
    """The folder, and what is read and written there.

    Parameters
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def head(self) -> Path:
        """Whose labels these are."""
        return self.path / "head.json"

    def begin(self, info: EngineInfo, molecule: Molecule, config: LabellingConfig) -> None:
        """Make the folder, or take it up again.

        Parameters
        ----------
        info
            Of the engine.
        molecule
            The atoms.
        config
            Of the engine; it may have words of its own for the dataset.

        Raises
        ------
        ResumableStop
            If it cannot be written.
        """
        engine = asdict(info) | {"states": list(info.states.labels)}
        head = {
            "atomic_numbers": molecule.atomic_numbers.tolist(),
            "charge": molecule.charge,
            "level_of_theory": config.level_of_theory or info.level_of_theory,
            "title": config.title,
            "licence": config.licence,
            "engine": engine | {"provides": list(info.provides)},
        }
        try:
            self.path.mkdir(exist_ok=True)
            remove_leftovers(self.path)
            write_text(self.head, json.dumps(head, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def keep(
        self, trajectory: int, number: int, positions: Float[np.ndarray, "atom 3"], label: Label
    ) -> None:
        """Store one label.

        Raises
        ------
        ResumableStop
            If the disk is full.
        """
        data = pack_guess({"positions": positions, **label.arrays()})
        try:
            write_bytes(self.path / f"{trajectory:05d}-{number:06d}.npz", data)
        except OSError as error:
            raise self._unwritable(error) from error

    def join(self, *, run: str) -> Dataset | None:
        """All labels, one trajectory after the other; None if there are none.

        Parameters
        ----------
        run
            Name of the run, with which the groups begin.

        Raises
        ------
        DataError
            If a file is damaged.
        """
        paths = sorted(self.path.glob("[0-9]*-[0-9]*.npz"), key=_place)
        if not paths:
            return None
        head = _read(self.head)
        engine = head["engine"]
        labels = [_arrays(path) for path in paths]
        names = ("positions", "energies", "forces", *engine["provides"])
        step = {"step": "run", "namd": __version__, "run": run, "engine": engine}
        return Dataset(
            molecule=Molecule.from_numbers(
                np.array(head["atomic_numbers"], dtype=np.int64), charge=head["charge"]
            ),
            states=StateSpace(tuple(engine["states"])),
            level_of_theory=head["level_of_theory"],
            arrays={
                **{name: np.stack([each[name] for each in labels]) for name in names},
                "group": np.array([f"{run}-{_place(path)[0]:05d}" for path in paths]),
                "source": np.full(len(paths), SOURCE),
            },
            multiplicity=engine["multiplicity"],
            title=head["title"],
            licence=head["licence"],
            provenance={"steps": [step]},
        )

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _unwritable(self, error: OSError) -> ResumableStop:
        return ResumableStop(
            f"a label cannot be kept: {error.strerror}",
            where=str(self.path),
            hint="make room, then go on with --resume",
        )


def _place(path: Path) -> tuple[int, int]:
    trajectory, number = path.stem.split("-")
    return int(trajectory), int(number)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"this is damaged: {error}", where=str(path)) from error


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return dict(unpack_guess(path.read_bytes()))
    except (OSError, DataError) as error:
        raise DataError(
            f"this label is damaged: {error}",
            where=str(path),
            hint="remove the file and go on with --resume: the others are kept",
        ) from error
