"""Labels that a run or a search makes on its way, kept: what an engine was asked is labelled data.

::

    labels/head.json           whose labels these are
    labels/00003-000123.npz    the 124th label of trajectory (or chain) 3, whole or absent
    labels/00003-000123.guess  what the next one starts from, where nothing else remembers it

A step that is computed again after a kill writes the same file again. A guess is written before its
label, and goes when the next label is there. When the work is complete they become one dataset,
with a group for each trajectory or chain.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from namd import __version__
from namd.config.labelling import LabellingConfig
from namd.data.dataset import Dataset
from namd.errors import ConfigError, DataError, ResumableStop
from namd.io.atomic import remove_leftovers, write_bytes, write_text
from namd.molecule import Molecule
from namd.qm.guess_file import pack_guess, unpack_guess
from namd.qm.protocol import EngineInfo, Guess, Label
from namd.states import StateSpace

SOURCE = "on-the-fly"
_SAME = 1e-8
"""Bohr: what another processor may make of the same steps."""


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

    def make(self) -> None:
        """Make the folder, if it is not there.

        Raises
        ------
        ResumableStop
            If it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def begin(
        self,
        info: EngineInfo,
        molecule: Molecule,
        config: LabellingConfig,
        *,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the folder, or take it up again.

        Parameters
        ----------
        info
            Of the engine.
        molecule
            The atoms.
        config
            Of the engine; it may have words of its own for the dataset.
        origin
            What the labels are of; one that is taken up again must have the same.

        Raises
        ------
        ConfigError
            If it was begun for something else.
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
        if origin is not None:
            head["origin"] = dict(origin)
            if self.head.exists() and _read(self.head).get("origin") != head["origin"]:
                raise self._of_another()
        self.make()
        try:
            remove_leftovers(self.path)
            write_text(self.head, json.dumps(head, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def keep(
        self,
        trajectory: int,
        number: int,
        positions: Float[np.ndarray, "atom 3"],
        label: Label,
        *,
        guess: bytes | None = None,
    ) -> None:
        """Store one label and, first, the guess it leaves for the next.

        Raises
        ------
        ResumableStop
            If the disk is full.
        """
        data = pack_guess({"positions": positions, **label.arrays()})
        try:
            if guess is not None:
                write_bytes(self._guess(trajectory, number), guess)
            write_bytes(self._label(trajectory, number), data)
            self._guess(trajectory, number - 1).unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def find(
        self, trajectory: int, number: int, positions: Float[np.ndarray, "atom 3"]
    ) -> Label | None:
        """One label, if it is there.

        Raises
        ------
        ConfigError
            If it is of another geometry.
        DataError
            If it is damaged.
        """
        path = self._label(trajectory, number)
        if not path.exists():
            return None
        arrays: dict[str, Any] = _arrays(path)
        if not np.allclose(arrays.pop("positions"), positions, rtol=0.0, atol=_SAME):
            raise self._of_another()
        return Label(**arrays)

    def guess(self, trajectory: int, number: int) -> Guess | None:
        """What a label has left for the next, while there is none."""
        path = self._guess(trajectory, number)
        return unpack_guess(path.read_bytes()) if path.exists() else None

    def join(self, *, run: str, step: str = "run") -> Dataset | None:
        """All labels, one trajectory after the other; None if there are none.

        Parameters
        ----------
        run
            Name of the run or the search, with which the groups begin.
        step
            Which of the two, for the provenance.

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
        record = {"step": step, "namd": __version__, step: run, "engine": engine}
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
            provenance={"steps": [record]},
        )

    def __len__(self) -> int:
        """How many labels there are."""
        return sum(1 for _ in self.path.glob("[0-9]*-[0-9]*.npz"))

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _label(self, trajectory: int, number: int) -> Path:
        return self.path / f"{trajectory:05d}-{number:06d}.npz"

    def _guess(self, trajectory: int, number: int) -> Path:
        return self._label(trajectory, number).with_suffix(".guess")

    def _of_another(self) -> ConfigError:
        return ConfigError(
            "the labels that are kept here were made with another engine, or from other geometries "
            "or options",
            where=str(self.path),
            hint="give what was given before, or remove the folder to begin anew",
        )

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
