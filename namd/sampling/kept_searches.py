"""Searches on a reference engine lose no label: a killed one goes on, and all are labelled data.

::

    OUTPUT.search/       while it runs: namd.qm.kept_labels, two chains for each start
    OUTPUT.labels.h5     afterwards: every geometry that was computed, with its label

The first chain of a start is the search, the second what is computed once more from cold at its end
(:mod:`namd.sampling.searches`).
"""

from collections.abc import Container
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from namd.config.labelling import LabellingConfig
from namd.config.loading import resolved_config
from namd.data.dataset import Dataset
from namd.data.native import write_dataset
from namd.errors import ConfigError
from namd.io.run_folder import RunFolder, locked
from namd.io.saving import refuse_existing
from namd.molecule import Molecule
from namd.qm.kept_chain import KeptChain
from namd.qm.kept_labels import KeptLabels
from namd.qm.protocol import Engine

SOURCE = "search"


@dataclass
class KeptSearches:
    """What the searches of one command compute.

    Parameters
    ----------
    output
        File that the command writes; what is kept stands beside it.
    resume
        Go on with what a killed command has left.
    overwrite
        Replace the labels of an earlier one.
    group
        Of all labels; left out, each start has one, called after ``output`` and its number.
    """

    output: Path
    resume: bool = False
    overwrite: bool = False
    group: str | None = None
    begun: bool = field(default=False, init=False)
    _lock: ExitStack = field(default_factory=ExitStack, init=False)

    @property
    def folder(self) -> Path:
        """Where labels are kept meanwhile."""
        return self.output.with_name(self.output.name + ".search")

    @property
    def labels(self) -> Path:
        """The dataset of all labels."""
        return self.output.with_name(self.output.name + ".labels.h5")

    @property
    def may_replace(self) -> bool:
        """Whether files of the command may be there: a killed one may have written them."""
        return self.overwrite or (self.resume and self.folder.exists())

    def begin(self, engine: Engine, molecule: Molecule, config: LabellingConfig) -> None:
        """Make the folder, or take it up again, and lock it until :meth:`close`.

        Parameters
        ----------
        engine
            That will be asked.
        molecule
            With the charge that is computed.
        config
            Of the engine.

        Raises
        ------
        ConfigError
            If there is one and it was not said to go on with it, it is of another engine or
            molecule or in use, or there are labels already.
        ResumableStop
            If it cannot be written.
        """
        if self.folder.exists() and not self.resume:
            raise ConfigError(
                "this search was begun and not finished",
                where=str(self.folder),
                hint="go on with --resume, or remove the folder to begin anew",
            )
        if not self.may_replace:
            refuse_existing(self.labels)
        settings = resolved_config(config)["engine"]
        settings.pop("timeout_s", None)  # decides over time, not over numbers
        origin = {
            "engine": settings,
            "atomic_numbers": molecule.atomic_numbers.tolist(),
            "charge": molecule.charge,
        }
        KeptLabels(self.folder).make()
        self._lock.enter_context(locked(RunFolder(self.folder)))
        KeptLabels(self.folder).begin(engine.describe(), molecule, config, origin=origin)
        self.begun = True

    def chain(self, engine: Engine, *, start: int = 0, again: bool = False) -> KeptChain:
        """The engine for the search from a start, or for its end once more, from cold."""
        return KeptChain(engine, KeptLabels(self.folder), number=2 * start + again)

    def write(self, leave_out: Container[int] = ()) -> Dataset | None:
        """Write all labels, each geometry once; None if there are none.

        Parameters
        ----------
        leave_out
            Starts whose search is on another solution of the engine than a computation from cold.

        Raises
        ------
        DataError
            If a label is damaged, or the file cannot be written.
        """
        dataset = KeptLabels(self.folder).join(run=self.output.stem, step="search")
        if dataset is None:
            return None
        chain = np.array([int(str(each).rpartition("-")[2]) for each in dataset["group"]])
        start, again = chain // 2, chain % 2 == 1
        wanted = np.array([k or s not in leave_out for s, k in zip(start, again, strict=True)])
        cold_first = np.lexsort((np.arange(len(chain)), ~again))
        places = dataset["positions"].reshape(len(dataset), -1)[cold_first]
        _, first = np.unique(places, axis=0, return_index=True)
        rows = np.sort(cold_first[first])
        rows = rows[wanted[rows]]
        if not len(rows):
            return None
        names = [self.group or f"{self.output.stem}-{s:05d}" for s in start[rows]]
        chosen = dataset.select(rows)
        arrays = {
            **chosen.arrays,
            "group": np.array(names),
            "source": np.full(len(rows), SOURCE),
        }
        chosen = replace(chosen, arrays=arrays)
        write_dataset(chosen, self.labels, overwrite=True)
        return chosen

    def close(self, *, finished: bool) -> None:
        """Let the folder go; remove it where the work is done, or where it holds nothing."""
        if self.begun and (finished or not len(KeptLabels(self.folder))):
            KeptLabels(self.folder).remove()
        self._lock.close()
