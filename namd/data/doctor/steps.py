r"""Energies, forces, positions and velocities along a trajectory must fit together.

Between neighbouring frames the energy changes by −∫F·dR, of which the trapezoid −½(F + F')·ΔR
leaves a third-order rest. What it leaves beyond that tells one of four stories:

* *crossing*: with the two states exchanged the step is smooth. They cross between the frames, the
  gap at the swap is not resolved, and no label is wrong;
* *swapped*: exchanging the forces of two states in one frame explains both steps beside it;
* *stray*: one frame lies off both neighbours, in opposite senses. Its calculation converged to
  another electronic solution;
* *jump*: from this frame on the energy is another one.

The tolerance comes from the shipped stilbene method: of 8190 steps of 0.5 fs, 99 in 100 leave less
than 5 meV, so ten times that is no rounding; the 7 (S0) and 14 (S1) steps that leave more are known
jumps. Longer steps may leave (Δt/0.5 fs)³ times as much.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.data.dataset import Dataset
from namd.data.finding import Finding, hits
from namd.data.walks import trajectory_links
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME

LONGEST_STEP = 1.01 / FS_PER_ATOMIC_TIME
"""Frames further apart in time (1.01 fs, in ħ/Hartree) are not compared."""
LARGEST_JUMP = 0.05 / EV_PER_HARTREE
"""Energy that forces may leave unexplained in a step of 0.5 fs or less (0.05 eV)."""
SHORT_STEP = 0.5 / FS_PER_ATOMIC_TIME
"""0.5 fs, in ħ/Hartree."""
VELOCITY_SHARE = 0.5
"""|ΔR/Δt − v̄| / |v̄| above this is no hop: rescaling at one left 0.32 at most in real data."""
_EXPLAINED = 0.3
"""Part of the rest that an explanation may leave."""


def unexplained_energy(
    dataset: Dataset, before: Int[np.ndarray, " link"], after: Int[np.ndarray, " link"]
) -> Float[np.ndarray, "link state"]:
    """E(t + Δt) − E(t) + ½(F(t) + F(t + Δt))·ΔR for pairs of neighbouring frames, Hartree.

    Parameters
    ----------
    dataset
        Frames with energies and forces.
    before, after
        Frame numbers, see :func:`namd.data.walks.trajectory_links`.

    Returns
    -------
    numpy.ndarray
        Zero up to the third order of the step for consistent labels; NaN where a force is unknown.
    """
    states = np.arange(len(dataset.states))
    return _unexplained(dataset, before, after, energy=states, force=states)


def find_jumps(dataset: Dataset) -> list[Finding]:
    """Find frames whose energies and forces disagree with their neighbours in time."""
    before, after = trajectory_links(dataset, longest=LONGEST_STEP)
    if not before.size:
        return []
    rest = unexplained_energy(dataset, before, after)
    step = (dataset["time"][after] - dataset["time"][before]) / SHORT_STEP
    tolerance = LARGEST_JUMP * np.maximum(1.0, step**3)[:, None]
    jump = np.abs(rest) > tolerance
    crossed = _crossed(dataset, before, after, rest=rest, tolerance=tolerance)
    swapped = _swapped(dataset, before, after, rest=rest, jump=jump)
    told = np.zeros_like(jump)
    told[:, :-1] |= crossed
    told[:, 1:] |= crossed
    for column in range(swapped.shape[1]):
        beside = np.isin(before, np.flatnonzero(swapped[:, column]))
        beside |= np.isin(after, np.flatnonzero(swapped[:, column]))
        told[beside, column : column + 2] = True
    jump &= ~told
    stray = _stray(dataset, before, after, rest=rest, jump=jump)
    plain = np.zeros_like(stray)
    plain[after] = jump & ~stray[after] & ~stray[before]
    crossing = np.zeros((len(dataset), crossed.shape[1]), dtype=bool)
    crossing[after] = crossed
    return [
        *_by_state(dataset, stray=stray, jump=plain),
        *_by_pair(dataset, swapped=swapped, crossing=crossing),
    ]


def find_wrong_velocities(dataset: Dataset) -> list[Finding]:
    """Find velocities that are not the change of the positions."""
    if not {"velocities", "time"} <= set(dataset):  # samples move, but not from one to the next
        return []
    before, after = trajectory_links(dataset, longest=LONGEST_STEP)
    mean = 0.5 * (dataset["velocities"][before] + dataset["velocities"][after])
    norm = np.sqrt((mean**2).sum(axis=(1, 2)))
    off = np.sqrt(((displacement_rate(dataset, before, after) - mean) ** 2).sum(axis=(1, 2)))
    mask = np.zeros(len(dataset), dtype=bool)
    mask[after] = off > VELOCITY_SHARE * norm  # false where unknown
    return hits(
        mask,
        kind="velocity",
        severity="warning",
        name="velocities",
        message="the velocity is not the change of the positions since the frame before",
        hint="check unit and order; if the molecule was shifted or turned between frames, forces "
        "and couplings must have been turned with it",
    )


def displacement_rate(
    dataset: Dataset, before: Int[np.ndarray, " link"], after: Int[np.ndarray, " link"]
) -> Float[np.ndarray, "link atom 3"]:
    """ΔR/Δt between neighbouring frames, Bohr·Hartree/ħ."""
    elapsed = dataset["time"][after] - dataset["time"][before]
    rate: np.ndarray = (dataset["positions"][after] - dataset["positions"][before]) / elapsed[
        :, None, None
    ]
    return rate


def _unexplained(
    dataset: Dataset,
    before: Int[np.ndarray, " link"],
    after: Int[np.ndarray, " link"],
    *,
    energy: Int[np.ndarray, " state"],
    force: Int[np.ndarray, " state"],
) -> Float[np.ndarray, "link state"]:
    """As :func:`unexplained_energy` with the states of ``after`` taken in another order."""
    energies, forces = dataset["energies"], dataset["forces"]
    displacement = dataset["positions"][after] - dataset["positions"][before]
    mean = 0.5 * (forces[before] + forces[after][:, force])
    work = np.einsum("tsax,tax->ts", mean, displacement)
    rest: np.ndarray = energies[after][:, energy] - energies[before] + work
    return rest


def _exchanged(states: int, lower: int) -> Int[np.ndarray, " state"]:
    order = np.arange(states)
    order[[lower, lower + 1]] = order[[lower + 1, lower]]
    return order


def _worst(values: Float[np.ndarray, "link state"], lower: int) -> Float[np.ndarray, " link"]:
    """Larger rest of two neighbouring states; NaN where one is unknown."""
    worst: np.ndarray = np.abs(values[:, lower : lower + 2]).max(axis=1)
    return worst


def _crossed(
    dataset: Dataset,
    before: Int[np.ndarray, " link"],
    after: Int[np.ndarray, " link"],
    *,
    rest: Float[np.ndarray, "link state"],
    tolerance: Float[np.ndarray, "link 1"],
) -> Bool[np.ndarray, "link neighbour"]:
    """Steps that are smooth once the names of two neighbouring states are exchanged."""
    states = rest.shape[1]
    crossed = np.zeros((len(before), states - 1), dtype=bool)
    for lower in range(states - 1):
        order = _exchanged(states, lower)
        other = _worst(_unexplained(dataset, before, after, energy=order, force=order), lower)
        own = _worst(rest, lower)
        crossed[:, lower] = (own > tolerance[:, 0]) & (other < _EXPLAINED * own)
    return crossed


def _swapped(
    dataset: Dataset,
    before: Int[np.ndarray, " link"],
    after: Int[np.ndarray, " link"],
    *,
    rest: Float[np.ndarray, "link state"],
    jump: Bool[np.ndarray, "link state"],
) -> Bool[np.ndarray, "frame neighbour"]:
    """Frames of which both steps are smooth once the forces of two states are exchanged."""
    frames, states = dataset["energies"].shape
    swapped = np.zeros((frames, states - 1), dtype=bool)
    own_order = np.arange(states)
    for lower in range(states - 1):
        order = _exchanged(states, lower)
        into = _worst(_unexplained(dataset, before, after, energy=own_order, force=order), lower)
        # Seen backwards in time the rest only changes its sign.
        out = _worst(_unexplained(dataset, after, before, energy=own_order, force=order), lower)
        own = _worst(rest, lower)
        mended_in, mended_out = np.zeros(frames, dtype=bool), np.zeros(frames, dtype=bool)
        odd = jump[:, lower : lower + 2].any(axis=1)
        mended_in[after] = (into < _EXPLAINED * own) & odd
        mended_out[before] = (out < _EXPLAINED * own) & odd
        swapped[:, lower] = mended_in & mended_out
    return swapped


def _stray(
    dataset: Dataset,
    before: Int[np.ndarray, " link"],
    after: Int[np.ndarray, " link"],
    *,
    rest: Float[np.ndarray, "link state"],
    jump: Bool[np.ndarray, "link state"],
) -> Bool[np.ndarray, "frame state"]:
    """Frames with a jump into them and about the opposite one out of them."""
    into = np.zeros(dataset["energies"].shape)
    out = np.zeros_like(into)
    into[after] = np.where(jump, rest, 0.0)
    out[before] = np.where(jump, rest, 0.0)
    stray: np.ndarray = (into * out < 0) & (
        np.abs(into + out) < 0.5 * np.maximum(np.abs(into), np.abs(out))
    )
    return stray


def _by_state(
    dataset: Dataset,
    *,
    stray: Bool[np.ndarray, "frame state"],
    jump: Bool[np.ndarray, "frame state"],
) -> list[Finding]:
    found = []
    least = f"{LARGEST_JUMP * EV_PER_HARTREE:.2f} eV"
    for state, label in enumerate(dataset.states.labels):
        found += hits(
            stray[:, state],
            kind="stray-energy",
            severity="warning",
            name="energies",
            message=f"the energy of {label} lies off both neighbours in time by more than {least}, "
            "in opposite senses",
            hint="another electronic solution was found here: leave these frames out, or label "
            "them again from a neighbour's orbitals",
        )
        found += hits(
            jump[:, state],
            kind="energy-jump",
            severity="warning",
            name="energies",
            message=f"the energy of {label} jumps by more than {least} against its forces since "
            "the frame before",
            hint="the electronic solution, the active space or a unit changed here, or the forces "
            "belong to another state; near an intersection the step may be too long",
        )
    return found


def _by_pair(
    dataset: Dataset,
    *,
    swapped: Bool[np.ndarray, "frame neighbour"],
    crossing: Bool[np.ndarray, "frame neighbour"],
) -> list[Finding]:
    found = []
    for lower in range(len(dataset.states) - 1):
        label = f"{dataset.states.labels[lower]} and {dataset.states.labels[lower + 1]}"
        found += hits(
            swapped[:, lower],
            kind="swapped-forces",
            severity="error",
            name="forces",
            message=f"the forces of {label} are exchanged: each fits the other's energy",
            hint="exchange them, and look at how the states were sorted; nothing tells whether "
            "the couplings were exchanged, too",
        )
        found += hits(
            crossing[:, lower],
            kind="crossing",
            severity="note",
            name="energies",
            message=f"{label} exchange their characters within one step: the gap at the crossing "
            "is not resolved",
            hint="no label is wrong; shorter steps or more labels near the crossing would show it",
        )
    return found
