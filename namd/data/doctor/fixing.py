"""Mend what has one safe answer, and write down what was done."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int

from namd import __version__
from namd.data.dataset import Dataset
from namd.data.doctor.ordering import sort_states
from namd.data.doctor.signs import align_signs
from namd.data.doctor.units import find_unit_slips, mend_units
from namd.data.repeats import repeated_frames


@np.errstate(invalid="ignore", over="ignore")  # NaN and ∞ stay what they are
def fix(dataset: Dataset) -> tuple[Dataset, list[dict[str, Any]]]:
    """Mend what can be mended safely; the rest is left as it is.

    In this order: units whose factor is unambiguous, states in ascending energy with all that
    belongs to them, signs along trajectories, repeats of an earlier frame left out.

    Parameters
    ----------
    dataset
        Well-formed frames; their numbers may be anything.

    Returns
    -------
    mended, done
        The frames, and what was done to which of those given: ``kind``, ``what`` and ``frames``
        (0-based) of every step. ``done`` is also the last entry of ``provenance["steps"]``;
        the dataset is returned as it is where there is nothing to do.
    """
    done: list[dict[str, Any]] = []

    def note(kind: str, what: str, frames: Int[np.ndarray, " frame"]) -> None:
        if frames.size:
            done.append({"kind": kind, "what": what, "frames": frames.tolist()})

    if not len(dataset):
        return dataset, done
    for slip in find_unit_slips(dataset):
        note(slip.kind, f"{slip.name} brought into atomic units: {slip.message}", slip.frames)
    mended, sorted_frames = sort_states(mend_units(dataset))
    note(
        "order",
        "states sorted by energy, with forces, couplings and all else that belongs to them",
        np.flatnonzero(sorted_frames),
    )
    mended, turned = align_signs(mended)
    note(
        "sign-flip",
        "signs of states turned so that couplings continue along each trajectory",
        np.flatnonzero(turned),
    )
    repeats = np.unique(repeated_frames(mended)[0])
    note("repeat", "repeats of an earlier frame left out", repeats)
    if not done:
        return dataset, done
    mended = mended.select(np.setdiff1d(np.arange(len(mended)), repeats))
    step = {"step": "check --fix", "namd": __version__, "done": done}
    steps = [*mended.provenance.get("steps", []), step]
    return replace(mended, provenance={**mended.provenance, "steps": steps}), done
