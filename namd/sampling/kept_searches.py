"""Searches on a reference engine lose no label: a killed one goes on, and all are labelled data.

::

    OUTPUT.search/       while it runs: namd.qm.kept_labels, a chain for each search
    STEM-labels.h5       afterwards: every geometry that was computed, with its label
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from namd.config.labelling import LabellingConfig
from namd.config.loading import resolved_config
from namd.data.dataset import Dataset
from namd.data.native import write_dataset
from namd.errors import ConfigError
from namd.io.saving import refuse_existing
from namd.molecule import Molecule
from namd.qm.kept_chain import KeptChain
from namd.qm.kept_labels import KeptLabels
from namd.qm.protocol import Engine


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
    """

    output: Path
    resume: bool = False
    overwrite: bool = False
    _chains: Iterator[int] = field(default_factory=count, init=False)
    begun: bool = field(default=False, init=False)

    @property
    def folder(self) -> Path:
        """Where labels are kept meanwhile."""
        return self.output.with_name(self.output.name + ".search")

    @property
    def may_replace(self) -> bool:
        """Whether files of the command may be there: a killed one may have written them."""
        return self.overwrite or (self.resume and self.folder.exists())

    @property
    def labels(self) -> Path:
        """The dataset of all labels."""
        return self.output.with_name(self.output.stem + "-labels.h5")

    def begin(self, engine: Engine, molecule: Molecule, config: LabellingConfig) -> None:
        """Make the folder, or take it up again.

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
            If there is one and it was not said to go on with it, or it is of another engine, or
            there are labels already.
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
        kept = KeptLabels(self.folder)
        kept.begin(engine.describe(), molecule, config, origin=settings)
        self.begun = True

    def chain(self, engine: Engine) -> KeptChain:
        """The engine for one search, from cold."""
        return KeptChain(engine, KeptLabels(self.folder), number=lambda: next(self._chains))

    def finish(self) -> Dataset | None:
        """Write all labels, each geometry once, and remove the folder; None without an engine.

        Raises
        ------
        DataError
            If a label is damaged, or the file cannot be written.
        """
        if not self.begun:
            return None
        kept = KeptLabels(self.folder)
        dataset = kept.join(run=self.output.stem, step="search")
        if dataset is not None:
            places = dataset["positions"].reshape(len(dataset), -1)
            _, first = np.unique(places, axis=0, return_index=True)
            dataset = dataset.select(np.sort(first))
            write_dataset(dataset, self.labels, overwrite=True)
        kept.remove()
        return dataset
