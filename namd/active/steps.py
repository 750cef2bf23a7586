"""The steps of active learning as commands, and how far each has come: told by files that exist.

::

    FOLDER/
      active-learning.yaml     the resolved configuration
      start/dataset.h5         the first labels
      start/model/             trained on them, unless a model was given
      round-00/commands.sh     everything below, by hand
      round-00/run/            trajectories with the model so far
      round-00/report.json     that model: test errors, parked trajectories, energies; stop or not
      round-00/selected.h5     frames worth a label
      round-00/labels.h5       their labels
      round-00/dataset.h5      all labels
      round-00/model/          trained on them; the model of round-01
      summary.json, .png       all rounds beside each other

A step is done when its last file is there; all of them are written whole or not at all. One that
was begun goes on with ``--resume``; what a killed process left before it could be resumed is
removed.
"""

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from namd.config.active_learning import ActiveLearningConfig, SelectionConfig
from namd.config.loading import resolved_config
from namd.io.committee_file import COMMITTEE_FILE


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command.

    Parameters
    ----------
    name
        A word for it.
    words
        After ``namd``.
    result
        Exists when it is done.
    begun
        Exists when it can be resumed; None where it cannot.
    folder
        What to remove where it was begun but cannot be resumed.
    """

    name: str
    words: tuple[str, ...]
    result: Path
    begun: Path | None = None
    folder: Path | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.result.exists()

    def prepared(self) -> tuple[str, ...]:
        """Words that do what is left; clears away what cannot be resumed."""
        if self.begun is not None and self.begun.exists():
            return (*self.words, "--resume")
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        return self.words

    def shown(self) -> str:
        """The command for a shell."""
        return shlex.join(("namd", *self.words))


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files a loop starts from, absolute.

    Parameters
    ----------
    run, training
        Configurations.
    seed
        Of the run configuration.
    data
        The first labels.
    labelling
        Configuration, None where labels come from elsewhere.
    model
        Of the first round, None where it is trained.
    test
        Labelled frames of the test, None where the training holds groups out.
    candidates
        Frames to choose from in every round.
    """

    run: Path
    training: Path
    seed: int
    data: tuple[Path, ...]
    labelling: Path | None
    model: Path | None
    test: Path | None
    candidates: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """All steps of a loop.

    Parameters
    ----------
    path
        Its folder, absolute.
    config, inputs
        What it is made of.
    """

    path: Path
    config: ActiveLearningConfig
    inputs: Inputs

    def folder(self, number: int) -> Path:
        """Of a round."""
        return self.path / f"round-{number:02d}"

    def dataset(self, number: int) -> Path:
        """All labels at the beginning of a round."""
        return (self.path / "start" if number == 0 else self.folder(number - 1)) / "dataset.h5"

    def model(self, number: int) -> Path:
        """The model at the beginning of a round."""
        if number == 0:
            return self.inputs.model or self.path / "start" / "model"
        return self.folder(number - 1) / "model"

    def report(self, number: int) -> Path:
        """What is told of the model at the beginning of a round."""
        return self.folder(number) / "report.json"

    def start(self) -> tuple[Step, ...]:
        """Steps before the first round."""
        data = self.dataset(0)
        files = tuple(map(str, self.inputs.data))
        steps = (Step(name="data", words=("data", "convert", *files, str(data)), result=data),)
        return steps if self.inputs.model else (*steps, self._train(0))

    def run(self, number: int) -> Step:
        """Trajectories with the model of a round."""
        folder = self.folder(number) / "run"
        potential = json.dumps({"model": str(self.model(number))})
        words = ["run", "surface-hopping", str(self.inputs.run), "--output", str(folder)]
        words += ["--seed", str(self.inputs.seed + number)]
        words += _overrides([*self.config.run.overrides, f"potential={potential}"])
        return Step(
            name="run",
            words=tuple(words),
            result=folder / "ensemble.h5",
            begun=folder / "start.h5",
            folder=folder,
        )

    def select(self, number: int, *, budget: int) -> Step:
        """Frames worth a label."""
        target = self.folder(number) / "selected.h5"
        candidates = (self.folder(number) / "run", *self.inputs.candidates)
        words = ["active-learn", "select", *map(str, candidates)]
        words += ["--model", str(self.model(number)), "--known", str(self.dataset(number))]
        words += ["--budget", str(budget), *_overrides(_changed(self.config.selection))]
        return Step(name="select", words=(*words, "--output", str(target)), result=target)

    def label(self, number: int, *, engine: str = "ENGINE.yaml") -> Step:
        """Their labels; with ``engine`` in place of the configuration where there is none."""
        target = self.folder(number) / "labels.h5"
        given, workers = self.inputs.labelling, self.config.labelling
        words = ["label", str(self.folder(number) / "selected.h5")]
        words += ["--config", engine if given is None else str(given), "--output", str(target)]
        if workers is not None and workers.workers > 1:
            words += ["--workers", str(workers.workers)]
        begun = target.with_name(f"{target.name}.labelling")
        return Step(name="label", words=tuple(words), result=target, begun=begun)

    def add(self, number: int) -> Step:
        """All labels together."""
        folder = self.folder(number)
        target = folder / "dataset.h5"
        words = ["active-learn", "add", str(folder / "labels.h5")]
        words += ["--to", str(self.dataset(number)), "--training", str(self.inputs.training)]
        words += _overrides(self.config.training.overrides)
        words += ["--prefix", f"active-{number:02d}"]
        return Step(name="add", words=(*words, "--output", str(target)), result=target)

    def train(self, number: int) -> Step:
        """The model of the next round."""
        return self._train(number + 1)

    def _train(self, number: int) -> Step:
        """The model at the beginning of a round."""
        target, training = self.model(number), self.config.training
        changes = [*training.overrides, f"data.file={json.dumps(str(self.dataset(number)))}"]
        if number > 0:
            changes += training.later_overrides
            if training.warm:
                changes.append(f"initial_weights={json.dumps(str(self.model(number - 1)))}")
        words = ("train", str(self.inputs.training), "--output", str(target))
        members = () if training.members == 1 else ("--members", str(training.members))
        last = COMMITTEE_FILE if members else "README.md"
        return Step(
            name="train",
            words=(*words, *members, *_overrides(changes)),
            result=target / last,
            begun=target / "train.yaml",
            folder=target,
        )


def commands(loop: Loop, number: int, *, budget: int) -> str:
    """A round as a script."""
    label = loop.label(number)
    waits = loop.inputs.labelling is None
    lines = [
        "#!/bin/sh",
        f"# Round {number}, by hand. Steps that are done refuse to be repeated; one that was",
        "# interrupted goes on with --resume.",
        loop.run(number).shown(),
        loop.select(number, budget=budget).shown(),
        *(["# labels from anywhere, for example"] if waits else []),
        label.shown(),
        loop.add(number).shown(),
        loop.train(number).shown(),
    ]
    return "\n".join(lines) + "\n"


def _overrides(changes: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for change in changes for word in ("--set", change))


def _changed(selection: SelectionConfig) -> tuple[str, ...]:
    """Keys of the selection that are not at their defaults, but for the budget."""
    usual: dict[str, Any] = resolved_config(SelectionConfig())
    return tuple(
        f"{key}={json.dumps(value)}"
        for key, value in resolved_config(selection).items()
        if value != usual[key] and key != "budget"
    )
