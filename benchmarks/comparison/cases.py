"""The data, splits and budgets of the comparison, and the configuration of one training.

Everything that could favour a network is the case's and equal for all: frames, whole held-out
groups, batch size, number of frames presented, loss, schedule, head. The validation loss that picks
the epoch is taken on ``watched`` evenly spread validation frames, since a full evaluation after
every short epoch would cost more than the training; the errors that are reported are those on all
validation and test frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from comparison.networks import ALONE, ARCHITECTURES, HEADS, NETWORKS, SIGNS
from namd.config.loading import apply_overrides, read_yaml, validate
from namd.config.training import TrainingConfig
from namd.errors import ConfigError
from namd.io.library import find_file, find_training_config

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Data and budget.

    Parameters
    ----------
    title
        For people.
    file
        Dataset, relative to the checkout.
    frames
        Training frames; those there are, evenly thinned to this number.
    validation, test
        Patterns of the groups held out as a whole.
    epochs
        Passes over the training frames.
    derivatives
        ``loss.derivatives``.
    offdiagonal_limit_ev
        Bound of the off-diagonal elements of W, some times what the data need.
    networks
        What is trained on it.
    batch_size, watched, warmup_steps
        Frames per step, validation frames that are watched, steps of the warm-up.
    own_epochs
        Epochs of each network where they are not equal for all.
    timed_as
        The case whose presentations and steps cost the same; None if it is timed itself.
    """

    title: str
    file: str
    frames: int
    validation: tuple[str, ...]
    test: tuple[str, ...]
    epochs: int
    derivatives: str
    offdiagonal_limit_ev: float
    networks: tuple[str, ...] = ARCHITECTURES
    batch_size: int = 5
    watched: int = 48
    warmup_steps: int = 100
    own_epochs: Mapping[str, int] = field(default_factory=dict)
    timed_as: str | None = None

    def epochs_for(self, presentations: int | None, *, network: str) -> int:
        """The network's, or the whole number that comes nearest to a number of presentations."""
        if presentations is None:
            return self.own_epochs.get(network, self.epochs)
        return max(1, round(presentations / self.frames))


def _stilbene(
    frames: int,
    *,
    epochs: int,
    title: str,
    derivatives: str = "sampled",
    networks: tuple[str, ...] = ARCHITECTURES,
    timed_as: str | None = None,
) -> Case:
    return Case(
        title=title,
        file="models/stilbene-ssr/data/stilbene-ssr-thinned.h5",
        frames=frames,
        validation=("traj-cis-006", "wigner-*8", "twist-*8"),
        test=("traj-cis-003", "traj-trans-001", "traj-twist-002", "wigner-*3", "twist-*3"),
        epochs=epochs,
        derivatives=derivatives,
        offdiagonal_limit_ev=0.3,
        networks=networks,
        timed_as=timed_as,
    )


CASES: dict[str, Case] = {
    "stilbene-285": _stilbene(285, epochs=40, title="stilbene, 285 frames"),
    "stilbene-products": _stilbene(
        285,
        epochs=40,
        title="without products of MACE's own, stilbene, 285 frames",
        networks=ALONE,
    ),
    "stilbene-signs": _stilbene(
        285,
        epochs=40,
        title="signs of sites, and another bound, stilbene, 285 frames",
        networks=SIGNS,
    ),
    "ch2nh2": Case(
        title="CH2NH2+, 3 states",
        file="benchmarks/data/ch2nh2.h5",
        frames=245,
        validation=("single-*",),
        test=("TRAJ_00006",),
        epochs=16,
        derivatives="full",
        offdiagonal_limit_ev=5.0,
        warmup_steps=40,
    ),
    "stilbene-950": _stilbene(
        950, epochs=12, title="stilbene, 950 frames", timed_as="stilbene-285"
    ),
    "stilbene-heads": _stilbene(
        950,
        epochs=12,
        title="heads and targets, stilbene, 950 frames",
        derivatives="full",
        networks=HEADS,
    ),
    "stilbene-full": _stilbene(
        2518, epochs=5, title="stilbene, 2518 frames", timed_as="stilbene-285"
    ),
}

_AS_LONG_AS_MACE_64 = {"ours": 294, "ours-off-wide": 298, "mace-16": 100, "mofd-sparse-16": 64}
"""Epochs that take as long as 40 of MACE with 64 channels, by
``results/accuracy-times.json``."""
CASES["stilbene-time"] = replace(
    CASES["stilbene-285"],
    title="equal training time, stilbene, 285 frames",
    networks=tuple(_AS_LONG_AS_MACE_64),
    own_epochs=_AS_LONG_AS_MACE_64,
    timed_as="stilbene-285",
)


def configure(
    *,
    case: str,
    network: str,
    seed: int,
    presentations: int | None = None,
    learning_rate: float | None = None,
    device: str = "cpu",
) -> TrainingConfig:
    """The training configuration of a network on a case.

    Parameters
    ----------
    case, network
        Keys of :data:`CASES` and :data:`~comparison.networks.NETWORKS`.
    seed
        Of weights, order of frames and drawn derivatives.
    presentations
        Another budget than the case's; rounded to whole epochs.
    learning_rate
        Another than the network's.
    device
        ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If there is no such case or network, or they do not belong together.
    """
    chosen, competitor = _named(CASES, case, "case"), _named(NETWORKS, network, "network")
    if network not in chosen.networks:
        raise ConfigError(
            "this network is not compared on this case",
            where=f"{case}, {network}",
            hint=f"known: {', '.join(chosen.networks)}",
        )
    found = find_training_config(competitor.config)
    path = find_file(competitor.config) if found is None else found
    shipped = read_yaml(path)
    data: dict[str, Any] = {
        "name": f"{case}-{network}-{seed}",
        "data": {
            "file": chosen.file,
            "validation": list(chosen.validation),
            "test": list(chosen.test),
            "max_train_frames": chosen.frames,
        },
        "network": shipped["network"]
        | {
            "site_labels": "offdiagonal",
            "offdiagonal_limit_ev": chosen.offdiagonal_limit_ev,
            "offdiagonal_bound": "tanh",
        },
        "loss": {"derivatives": chosen.derivatives, "energy": 2.0, "gap": 2.0},
        "optimiser": shipped["optimiser"],
        "seed": seed,
        "device": device,
    }
    epochs = chosen.epochs_for(presentations, network=network)
    data["optimiser"] |= {
        "epochs": epochs,
        "patience_epochs": epochs,
        "batch_size": chosen.batch_size,
        "warmup_steps": chosen.warmup_steps,
        "learning_rate": competitor.learning_rate if learning_rate is None else learning_rate,
    }
    changed = apply_overrides(data, list(competitor.changes))
    return validate(changed, TrainingConfig, where=f"{case}, {network}")


def evenly(frames: int, wanted: int) -> np.ndarray:
    """Numbers of ``wanted`` evenly spread frames, or of all if there are fewer."""
    return np.linspace(0, frames - 1, min(wanted, frames)).round().astype(int)


def _named(table: dict[str, Any], name: str, kind: str) -> Any:
    if name not in table:
        raise ConfigError(f"there is no such {kind}", where=name, hint=f"known: {', '.join(table)}")
    return table[name]
