"""What is trained, in which order, and where it lies.

::

    FOLDER/<case>/<network>/seed-0/       a model folder with its checkpoint
    FOLDER/<case>/<network>/seed-0.log    what its process said
    FOLDER/<case>/<network>/seed-0.json   its result; there once it is finished
"""

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison.cases import CASES
from comparison.networks import NETWORKS

_SECOND = ("ours", "ours-off", "ours-off-wide", "mace-16", "mofd-sparse-16")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training.

    Parameters
    ----------
    case, network, seed
        What is trained on what.
    learning_rate
        Of a trial; None for the network's own.
    """

    case: str
    network: str
    seed: int
    learning_rate: float | None = None

    def folder(self, root: Path) -> Path:
        """Its model folder."""
        trial = "" if self.learning_rate is None else f"-rate-{self.learning_rate:g}"
        return root / self.case / self.network / f"seed-{self.seed}{trial}"

    def result(self, root: Path) -> Path:
        """The file that says that it is finished."""
        folder = self.folder(root)
        return folder.parent / f"{folder.name}.json"

    def log(self, root: Path) -> Path:
        """What its process says."""
        folder = self.folder(root)
        return folder.parent / f"{folder.name}.log"

    def cost(self, presentations: int | None = None) -> float:
        """Seconds of one core it will take, roughly."""
        case = CASES[self.case]
        shown = case.epochs_for(presentations, network=self.network) * case.frames
        return NETWORKS[self.network].cost * shown / 1000

    def tier(self) -> int:
        """Its rank in the queue: what says most about all networks comes first.

        Stilbene with few frames, one seed; CH2NH2+, heads and targets; the other seeds; more
        frames or more time for those networks whose answer differs by fusion alone; one seed of
        the rest; the rest.
        """
        if self.case == "stilbene-285":
            return 0 if self.seed == 0 else 2
        if self.case in {"ch2nh2", "stilbene-heads"}:
            return 1
        if self.case in {"stilbene-products", "stilbene-signs"}:
            return 2
        if self.case == "stilbene-time" or self.network in _SECOND:
            return 3
        return 4 if self.seed == 0 else 5


def queue(*, networks: Sequence[str], cases: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """All trainings in the order in which they are begun: by tier, the cheap ones first."""
    tasks = [
        Task(case=case, network=network, seed=seed)
        for case in cases
        for network in networks
        for seed in seeds
        if network in CASES[case].networks
    ]
    return sorted(tasks, key=lambda task: (task.tier(), task.cost(), task.seed))


def busy(folder: Path) -> bool:
    """Whether a living process holds the lock of a training's folder.

    The lock is the kernel's (:func:`namd.io.run_folder.locked`) and goes with its process, however
    that ends: there are no dead locks to take over.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
