"""Find the runs of consecutive frames along a trajectory."""

import numpy as np
from jaxtyping import Int

from namd.data.dataset import Dataset


def trajectory_walks(dataset: Dataset) -> list[Int[np.ndarray, " step"]]:
    """Frame numbers of each stretch of a trajectory, in the order of time.

    Frames of one group and source with known, growing time in the order of the file make one
    walk; where the time falls back (another branch of the same trajectory) a new one begins.
    Frames without a time belong to none.

    Parameters
    ----------
    dataset
        Any dataset.

    Returns
    -------
    list of int arrays
        In the order of their first frames; together they hold each frame with a time once.
    """
    if "time" not in dataset:
        return []
    time, group, source = dataset["time"], dataset["group"], dataset["source"]
    timed = np.flatnonzero(np.isfinite(time))
    if timed.size == 0:
        return []
    # Stable sort: all frames of one (group, source) side by side, each in the order of the file.
    timed = timed[np.lexsort((source[timed], group[timed]))]
    begins = (
        (group[timed][1:] != group[timed][:-1])
        | (source[timed][1:] != source[timed][:-1])
        | (time[timed][1:] <= time[timed][:-1])
    )
    walks = np.split(timed, np.flatnonzero(begins) + 1)
    return sorted(walks, key=lambda walk: int(walk[0]))


def trajectory_links(
    dataset: Dataset, *, longest: float = np.inf
) -> tuple[Int[np.ndarray, " link"], Int[np.ndarray, " link"]]:
    """Pairs of frames that follow each other on a walk.

    Parameters
    ----------
    dataset
        Any dataset.
    longest
        Pairs further apart in time (ħ/Hartree) are left out.

    Returns
    -------
    before, after
        Frame numbers.
    """
    nothing = np.zeros(0, dtype=np.int64)
    walks = trajectory_walks(dataset)
    before = np.concatenate([nothing, *(walk[:-1] for walk in walks)])
    after = np.concatenate([nothing, *(walk[1:] for walk in walks)])
    if before.size == 0:
        return before, after
    near = dataset["time"][after] - dataset["time"][before] <= longest
    return before[near], after[near]
