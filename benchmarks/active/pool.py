"""Labels that are hidden until they are asked for, and the two ways of asking."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from namd.active.measures import Measures, measure
from namd.active.selection import choose
from namd.config.active_learning import SelectionConfig
from namd.config.loading import load_config
from namd.config.training import TrainingConfig
from namd.data.dataset import Dataset
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.data.splits import split_groups
from namd.io.library import find_file
from namd.train.predictors import load_predictor

TRAINING = "models/stilbene-ssr-3500/train.yaml"
STRATEGIES = ("random", "active")
SELECTION = SelectionConfig(fill=True)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The shipped labels, split as that of the model stilbene-ssr-3500.

    Parameters
    ----------
    validation, test
        How many frames of each are used, evenly spread.
    frames
        How many frames of the pool are used, evenly spread; None for all.
    """

    validation: int
    test: int
    frames: int | None = None

    @cached_property
    def config(self) -> TrainingConfig:
        """The shipped training configuration."""
        return load_config(find_file(TRAINING), TrainingConfig)

    @cached_property
    def parts(self) -> dict[str, Dataset]:
        """Frames of the pool, of validation and of the test."""
        data = self.config.data
        labels = read_dataset(find_file(data.files[0], base=find_file(TRAINING).parent))
        split = split_groups(labels["group"], validation=data.validation, test=data.test)
        return {
            "pool": _evenly(labels.select(split.training), self.frames),
            "validation": _evenly(labels.select(split.validation), self.validation),
            "test": _evenly(labels.select(split.test), self.test),
        }

    def first(self, count: int, *, seed: int) -> np.ndarray:
        """Frames that both ways begin with, drawn at random."""
        return self._shuffled(seed)[:count]

    def more(
        self, rows: np.ndarray, count: int, *, strategy: str, seed: int, model: Path
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Reveal frames until there are ``count``.

        Parameters
        ----------
        rows
            Those known already.
        count
            How many there shall be.
        strategy
            ``random``, or ``active``: what :mod:`namd.active.selection` takes for ``model``.
        seed
            Of the order in which random ones come.
        model
            Trained on ``rows``.

        Returns
        -------
        rows, reasons
            All frames, the new ones behind; for how many of the new ones each reason holds.
        """
        if strategy == "random":
            order = self._shuffled(seed)
            return np.concatenate([rows, order[~np.isin(order, rows)][: count - len(rows)]]), {}
        pool = self.parts["pool"]
        hidden = np.setdiff1d(np.arange(len(pool)), rows)
        measured = measure(load_predictor(model), pool["positions"])
        batch = choose(
            _of(measured, hidden),
            np.zeros(len(hidden), dtype=bool),
            config=SELECTION.model_copy(update={"budget": count - len(rows)}),
            known=_of(measured, rows),
            groups=pool["group"][rows],
        )
        names = [name for reasons in batch.reasons for name in reasons]
        told = {name: names.count(name) for name in dict.fromkeys(names)}
        return np.concatenate([rows, hidden[batch.rows]]), told

    def write(self, rows: np.ndarray, path: Path) -> None:
        """Write the revealed frames, validation and test as one dataset to be trained on."""
        pool, validation, test = (self.parts[name] for name in ("pool", "validation", "test"))
        parts = (pool.select(np.sort(rows)), validation, test)
        arrays: dict[str, Any] = {
            name: np.concatenate([part[name] for part in parts]) for name in pool
        }
        sides = [("pool", len(rows)), ("validation", len(validation)), ("test", len(test))]
        arrays["group"] = np.concatenate([np.full(number, side) for side, number in sides])
        joined = Dataset(
            molecule=pool.molecule,
            states=pool.states,
            level_of_theory=pool.level_of_theory,
            arrays=arrays,
        )
        write_dataset(joined, path, overwrite=True)

    def _shuffled(self, seed: int) -> np.ndarray:
        return np.random.default_rng([seed, 7]).permutation(len(self.parts["pool"]))


def _evenly(dataset: Dataset, count: int | None) -> Dataset:
    if count is None or count >= len(dataset):
        return dataset
    return dataset.select(np.linspace(0, len(dataset) - 1, count).round().astype(int))


def _of(measured: Measures, rows: np.ndarray) -> Measures:
    return Measures(
        gap=measured.gap[rows],
        deviations={name: values[rows] for name, values in measured.deviations.items()},
        features=measured.features[rows],
    )
