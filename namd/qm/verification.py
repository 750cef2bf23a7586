"""Labels against finite differences of other labels of the same engine.

Along random unit directions n of all coordinates, with the four-point stencil
f'(0) = [4 D(h) − D(2h)]/3, D(h) = [f(h) − f(−h)]/2h:

* where the method has a diabatic Hamiltonian W, with its eigenvectors u at the frame:
  F_k·n = −u_kᵀ (dW/ds) u_k and h_ij·n = u_iᵀ (dW/ds) u_j up to the sign, smooth through
  intersections. The free signs of the diabats at the displaced points are those that make W(s)
  smoothest;
* elsewhere F_k·n = −dE_k/ds. Energies do not determine couplings, so that these are not compared;
  the sum over atoms, which is zero if h is invariant under translations, is told of all.

Where the two differences D(h) and D(2h) disagree more than the tolerance (a step through an
intersection, a jump between SCF solutions), finite differences decide nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from namd.config.labelling import VerificationConfig
from namd.data.frames import Frames
from namd.qm.label_folder import LabelledFrame
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR, EV_PER_ANGSTROM_PER_ATOMIC_FORCE

STENCIL = (-2, -1, 1, 2)
"""Displaced points in units of the step."""

_MAX_DIABATS = 4
"""Above, trying all signs takes too long."""

Verdict = Literal["agrees", "disagrees", "undecided"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """One frame and one direction.

    Parameters
    ----------
    frame
        Its number.
    direction
        Unit vector over all coordinates.
    """

    frame: int
    direction: Float[np.ndarray, "atom 3"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One quantity of one probe, Hartree/Bohr.

    Parameters
    ----------
    frame
        Of the probe.
    quantity
        E.g. ``F S0`` or ``h S0-S1``.
    label, difference
        What the label says, and the finite differences.
    uncertainty
        How much the finite differences of both steps differ.
    verdict
        Whether they agree within the tolerance.
    """

    frame: int
    quantity: str
    label: float
    difference: float
    uncertainty: float
    verdict: Verdict

    @property
    def deviation(self) -> float:
        """Absolute, Hartree/Bohr."""
        return abs(self.label - self.difference)


def draw_probes(
    labelled: Sequence[int], *, count: int, atoms: int, config: VerificationConfig
) -> list[Probe]:
    """Draw frames and directions.

    Parameters
    ----------
    labelled
        Frames that have a label.
    count
        How many to draw; all of them where there are fewer.
    atoms
        Of the molecule.
    config
        Seed and directions per frame.
    """
    rng = np.random.default_rng(config.seed)
    chosen = np.sort(rng.choice(labelled, size=min(count, len(labelled)), replace=False))
    probes = []
    for frame in chosen.tolist():
        for _ in range(config.directions):
            direction = rng.standard_normal((atoms, 3))
            probes.append(Probe(frame=frame, direction=direction / np.linalg.norm(direction)))
    return probes


def displaced_frames(frames: Frames, probes: Sequence[Probe], config: VerificationConfig) -> Frames:
    """Geometries to be labelled: the stencil of each probe, a group of its own."""
    step = config.step_angstrom / ANGSTROM_PER_BOHR
    positions = [
        frames.positions[probe.frame] + factor * step * probe.direction
        for probe in probes
        for factor in STENCIL
    ]
    names = [f"probe-{k:05d}" for k in range(len(probes)) for _ in STENCIL]
    return Frames(
        molecule=frames.molecule,
        positions=np.stack(positions),
        group=np.array(names),
        source=np.full(len(names), "displaced"),
    )


def compare(
    probes: Sequence[Probe],
    labels: Mapping[int, LabelledFrame],
    displaced: Sequence[LabelledFrame],
    *,
    states: StateSpace,
    config: VerificationConfig,
) -> list[Comparison]:
    """Compare labels with finite differences.

    Parameters
    ----------
    probes
        Frames and directions.
    labels
        Of the frames, by their numbers.
    displaced
        Of the displaced geometries, in the order of :func:`displaced_frames`. A probe one of whose
        points has no label is left out.
    states
        Of the labels.
    config
        Step and tolerance.
    """
    step = config.step_angstrom / ANGSTROM_PER_BOHR
    tolerance = config.tolerance_ev_per_angstrom / EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    found = []
    for number, probe in enumerate(probes):
        points = displaced[number * len(STENCIL) : (number + 1) * len(STENCIL)]
        if any(point.reason is not None for point in points):
            continue
        arrays = labels[probe.frame].arrays
        differences = _by_matrix if _comparable(arrays) else _by_energies
        found += differences(probe, arrays, points, states=states, step=step)
    return [
        Comparison(
            frame=frame,
            quantity=quantity,
            label=label,
            difference=difference,
            uncertainty=error,
            verdict=_verdict(abs(label - difference), error, tolerance),
        )
        for frame, quantity, label, difference, error in found
    ]


def coupling_statement(labels: Mapping[int, LabelledFrame]) -> str:
    """What was done about couplings, in words."""
    arrays = next(iter(labels.values())).arrays
    if "interstate_coupling" not in arrays:
        return "the engine gives no couplings"
    largest = max(_net_ratio(label.arrays["interstate_coupling"]) for label in labels.values())
    summed = f"largest |Σh|/|h| over atoms {largest:.1e}"
    if _comparable(arrays):
        return f"compared through the diabatic Hamiltonian; {summed}"
    return (
        "couplings are not compared: without a diabatic Hamiltonian no finite difference of "
        f"energies gives them; {summed}"
    )


def as_json(
    comparisons: Sequence[Comparison], statement: str, config: VerificationConfig
) -> dict[str, Any]:
    """The comparison as plain JSON types, in eV/Å."""
    unit = EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    return {
        "settings": config.model_dump(mode="json"),
        "couplings": statement,
        "verdict": overall(comparisons),
        "comparisons": [
            {
                "frame": c.frame,
                "quantity": c.quantity,
                "label_ev_per_angstrom": c.label * unit,
                "difference_ev_per_angstrom": c.difference * unit,
                "deviation_ev_per_angstrom": c.deviation * unit,
                "uncertainty_ev_per_angstrom": c.uncertainty * unit,
                "verdict": c.verdict,
            }
            for c in comparisons
        ],
    }


def overall(comparisons: Sequence[Comparison]) -> Verdict:
    """``disagrees`` if anything does; ``undecided`` if nothing could be decided."""
    verdicts = {comparison.verdict for comparison in comparisons}
    if "disagrees" in verdicts:
        return "disagrees"
    return "agrees" if "agrees" in verdicts else "undecided"


def _derivative(values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """d/ds at 0 of values at the points of the stencil, and |D(h) − D(2h)|/3."""
    narrow = (values[2] - values[1]) / (2 * step)
    wide = (values[3] - values[0]) / (4 * step)
    return (4 * narrow - wide) / 3, np.abs(narrow - wide) / 3


def _comparable(arrays: Mapping[str, np.ndarray]) -> bool:
    matrix = arrays.get("diabatic_hamiltonian")
    return matrix is not None and "interstate_coupling" in arrays and len(matrix) <= _MAX_DIABATS


_Row = tuple[int, str, float, float, float]
"""Frame, quantity, label, finite difference, and how much the differences of both steps differ."""


def _by_energies(
    probe: Probe,
    arrays: Mapping[str, np.ndarray],
    points: Sequence[LabelledFrame],
    *,
    states: StateSpace,
    step: float,
) -> list[_Row]:
    """Compare F·n of all states with −dE/ds."""
    slopes, errors = _derivative(np.stack([p.arrays["energies"] for p in points]), step)
    return [
        (probe.frame, f"F {state}", _along(arrays["forces"][k], probe), -float(slope), float(error))
        for k, (state, slope, error) in enumerate(zip(states.labels, slopes, errors, strict=True))
    ]


def _by_matrix(
    probe: Probe,
    arrays: Mapping[str, np.ndarray],
    points: Sequence[LabelledFrame],
    *,
    states: StateSpace,
    step: float,
) -> list[_Row]:
    """Compare F·n and h·n with the elements of uᵀ (dW/ds) u, the latter with the better sign."""
    centre = arrays["diabatic_hamiltonian"]
    matrices = _smooth_signs(
        np.stack([p.arrays["diabatic_hamiltonian"] for p in points]), centre=centre
    )
    slopes, errors = _derivative(matrices, step)
    vectors = np.linalg.eigh(centre)[1]
    rotated = vectors.T @ slopes @ vectors
    bound = float(np.linalg.norm(errors))
    found = [
        (probe.frame, f"F {state}", _along(arrays["forces"][k], probe), -float(slope), bound)
        for k, (state, slope) in enumerate(zip(states.labels, np.diag(rotated), strict=False))
    ]
    for k, (i, j) in enumerate(states.pairs):
        value = _along(arrays["interstate_coupling"][k], probe)
        difference = float(rotated[i, j])
        difference *= 1.0 if value * difference >= 0 else -1.0
        name = f"h {states.labels[i]}-{states.labels[j]}"
        found.append((probe.frame, name, value, difference, bound))
    return found


def _smooth_signs(
    matrices: Float[np.ndarray, "point diabat diabat"],
    *,
    centre: Float[np.ndarray, "diabat diabat"],
) -> Float[np.ndarray, "point diabat diabat"]:
    """Give the diabats at the displaced points the signs that make W(s) smoothest.

    Smooth is what has the smallest second differences over the points −2, −1, 0, 1, 2; the signs at
    0 stay, and so does that of the first diabat everywhere.
    """
    diabats = len(centre)
    choices = [np.array((1.0, *rest)) for rest in product((1.0, -1.0), repeat=diabats - 1)]
    turned = np.stack([[np.outer(s, s) * matrix for s in choices] for matrix in matrices])
    best, roughest = matrices, np.inf
    # The points on either side of the centre are tied together by it alone: all combinations.
    for chosen in product(range(len(choices)), repeat=len(matrices)):
        path = turned[np.arange(len(matrices)), list(chosen)]
        full = np.concatenate([path[:2], centre[None], path[2:]])
        rough = float(np.sum(np.diff(full, n=2, axis=0) ** 2))
        if rough < roughest:
            best, roughest = path, rough
    return np.asarray(best)


def _along(vectors: Float[np.ndarray, "atom 3"], probe: Probe) -> float:
    return float(np.sum(vectors * probe.direction))


def _verdict(deviation: float, error: float, tolerance: float) -> Verdict:
    if deviation <= tolerance:
        return "agrees"
    return "undecided" if error > tolerance else "disagrees"


def _net_ratio(coupling: Float[np.ndarray, "pair atom 3"]) -> float:
    """Largest |Σ_A h_A|/|h| of the pairs; 0 of a coupling that is zero."""
    net = np.linalg.norm(coupling.sum(axis=1), axis=-1)
    whole = np.linalg.norm(coupling, axis=(1, 2))
    return float(np.max(net / np.where(whole > 0, whole, 1.0), initial=0.0))
