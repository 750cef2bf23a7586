r"""Signs of states along a trajectory.

The sign of a wavefunction is free, and most programs choose it anew in every frame. It turns a
state as a whole: all couplings and transition dipoles it takes part in, and its amplitude. From
frame to frame the signs s (s_0 = +1) that continue the couplings h maximise

.. math:: \sum_{i<j} s_i s_j ⟨h_{ij}(t), h_{ij}(t + Δt)⟩,

over all 2^(n−1) choices at once, so that all pairs agree. Where couplings are smooth but no choice
continues all of them, somebody has turned single pairs, which no wavefunction does.
"""

from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.data.dataset import Dataset
from namd.data.finding import Finding, hits
from namd.data.walks import trajectory_links, trajectory_walks
from namd.states import StateSpace

SMOOTH = 0.7
"""|cos| between a coupling and itself in the next frame from which on its sign is certain: in 99
of 100 steps of 0.5 fs of the stilbene set it is larger."""


def find_flips(dataset: Dataset) -> list[Finding]:
    """Find frames in which signs change, and those that no signs of states can explain."""
    if not dataset.has_coupling or len(dataset.states) < 2:
        return []
    before, after = trajectory_links(dataset)
    turns = sign_turns(dataset, before, after)
    cosine = _cosine(dataset, before, after)
    left = cosine * _pair_signs(dataset.states, turns)
    flip = np.zeros(len(dataset), dtype=bool)
    flip[after] = (turns < 0).any(axis=1)
    odd = np.zeros(len(dataset), dtype=bool)
    odd[after] = (np.abs(cosine) > SMOOTH).all(axis=1) & (left < 0).any(axis=1)
    return [
        *hits(
            odd,
            kind="sign-contradiction",
            severity="warning",
            name="coupling",
            message="no choice of signs of the states continues all couplings of the frame before",
            hint="signs of single pairs were changed, which no wavefunction does: take the "
            "couplings as the program wrote them",
        ),
        *hits(
            flip,
            kind="sign-flip",
            severity="note",
            name="coupling",
            message="couplings change their sign since the frame before",
            hint="signs of states are free and training does not see them; other programs may",
            fixable=True,
        ),
    ]


def align_signs(dataset: Dataset) -> tuple[Dataset, Bool[np.ndarray, " frame"]]:
    """Turn states so that couplings continue along every trajectory.

    Couplings, transition dipoles and amplitudes turn together; the first frame of a walk keeps its
    signs.

    Parameters
    ----------
    dataset
        Any dataset; without couplings, or for one state, nothing changes.

    Returns
    -------
    aligned, changed
        The frames, and in which of them a sign was turned.
    """
    changed = np.zeros(len(dataset), dtype=bool)
    if not dataset.has_coupling or len(dataset.states) < 2:
        return dataset, changed
    before, after = trajectory_links(dataset)
    signs = np.ones((len(dataset), len(dataset.states)))
    signs[after] = sign_turns(dataset, before, after)
    for walk in trajectory_walks(dataset):
        signs[walk] = np.cumprod(signs[walk], axis=0)
    changed |= (signs < 0).any(axis=1)
    if not changed.any():
        return dataset, changed
    pairs = _pair_signs(dataset.states, signs)
    arrays = dict(dataset.arrays)
    for name in ("interstate_coupling", "nonadiabatic_coupling", "transition_dipoles"):
        if name in arrays:
            shape = pairs.shape + (1,) * (arrays[name].ndim - 2)
            arrays[name] = arrays[name] * pairs.reshape(shape)
    if "amplitudes" in arrays:
        arrays["amplitudes"] = arrays["amplitudes"] * signs
    return replace(dataset, arrays=arrays), changed


def sign_turns(
    dataset: Dataset, before: Int[np.ndarray, " link"], after: Int[np.ndarray, " link"]
) -> Float[np.ndarray, "link state"]:
    """Signs that continue ``before`` in ``after``; all +1 where couplings are unknown.

    Parameters
    ----------
    dataset
        Frames with couplings of two or more states.
    before, after
        Frame numbers.

    Returns
    -------
    numpy.ndarray
        ±1; that of the lowest state is always +1.
    """
    choices = np.array(
        [(1.0, *rest) for rest in product((1.0, -1.0), repeat=len(dataset.states) - 1)]
    )
    scores = _overlap(dataset, before, after) @ _pair_signs(dataset.states, choices).T
    turns: np.ndarray = choices[scores.argmax(axis=1)]  # of equal scores the first: no turn
    return turns


def _overlap(
    dataset: Dataset, before: Int[np.ndarray, " link"], after: Int[np.ndarray, " link"]
) -> Float[np.ndarray, "link pair"]:
    """⟨h(t), h(t + Δt)⟩ over atoms and directions, (Hartree/Bohr)²; 0 where unknown."""
    coupling = np.nan_to_num(dataset.interstate_coupling, posinf=0.0, neginf=0.0)
    overlap: np.ndarray = (coupling[before] * coupling[after]).sum(axis=(2, 3))
    return overlap


def _cosine(
    dataset: Dataset, before: Int[np.ndarray, " link"], after: Int[np.ndarray, " link"]
) -> Float[np.ndarray, "link pair"]:
    everyone = np.arange(len(dataset))
    norm = np.sqrt(_overlap(dataset, everyone, everyone))
    scale = norm[before] * norm[after]
    cosine: np.ndarray = _overlap(dataset, before, after) / np.where(scale > 0, scale, np.inf)
    return cosine


def _pair_signs(
    states: StateSpace, signs: Float[np.ndarray, "row state"]
) -> Float[np.ndarray, "row pair"]:
    """s_i s_j of every pair."""
    first = [i for i, _ in states.pairs]
    second = [j for _, j in states.pairs]
    pairs: np.ndarray = signs[:, first] * signs[:, second]
    return pairs
