"""Gradients and couplings of PySCF against finite differences, down to an intersection.

Ethylene at the level of models/ethylene-casscf, with tighter tolerances. Three comparisons:

*Differences.* At geometries with gaps from the Franck–Condon region down to 60 meV, along random
directions n (and, near the intersection, along g and h of the branching plane): forces F_k·n with
−dE_k/ds, and d_01·n = h_01·n/(E_1 − E_0) with the derivative of the overlap ⟨0(R)|1(R + s n)⟩ of
the wave functions, orbitals and all. Derivatives are four-point stencils; the step is a tenth of
the way to the intersection. The overlap takes the mean metric of both geometries in place of the
metric between them: its derivative is d without the determinant term, which is what
translation-invariant couplings are.

*Cone.* On circles of radius ρ about the minimum-energy intersection in the branching plane: the gap
with 2√((g·x)² + (h·x)²), and the coupling vectors, computed at each point, with
[(g·x) h − (h·x) g]/√((g·x)² + (h·x)²), all from g and h at the intersection alone. Both deviations
must fall with ρ.

*Geometric phase.* Along such a circle ∮ d·dx = ±π and both states come back with the other sign
(the product of overlaps of neighbours); along a circle beside the intersection 0 and the same sign.
The sum over n points of an elliptic cone is too large by 2 q^(n/2), q = (|g| − |h|)/(|g| + |h|):
0.3 % of π here.

    python benchmarks/casscf_derivatives.py --json benchmarks/results/casscf-derivatives.json

takes three minutes of one core; needs PySCF (`pip install pyscf`).
"""

import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import measuring
import numpy as np

from namd.cli import console
from namd.config.labelling import LabellingConfig
from namd.config.loading import load_config
from namd.data.frames import read_frames
from namd.qm.protocol import Answer, Guess
from namd.qm.pyscf_casscf import PyscfEngine, make_pyscf
from namd.sampling.branching_plane import BranchingPlane, branching_plane
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

FOLDER = Path(__file__).resolve().parents[1] / "models" / "ethylene-casscf"
TIGHT = {"energy_tolerance": 1e-11, "gradient_tolerance": 1e-6}
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
WIDEST_STEP = 0.01
POINTS = 12
RADII = (0.1, 0.03, 0.01)
AWAY = (0.1, 0.01)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A geometry (Bohr), the directions to differentiate along, and the step to do it with."""

    name: str
    positions: np.ndarray
    directions: dict[str, np.ndarray]
    step: float = WIDEST_STEP


def main() -> int:
    options = measuring.parser(__doc__).parse_args()
    about = measuring.machine()
    frames = read_frames(FOLDER / "data" / "meci.h5")
    config = load_config(FOLDER / "engine.yaml", LabellingConfig)
    engine = make_pyscf(
        config.engine.model_copy(update=TIGHT),
        molecule=replace(frames.molecule, charge=config.charge),
        base=FOLDER,
        scratch=None,
    )
    minimum = read_frames(FOLDER / "data" / "minimum.h5").positions[0]
    crossing = engine.label(frames.positions[0])
    plane = plane_of(crossing)
    result = {
        "level_of_theory": engine.describe().level_of_theory,
        "intersection": {
            "gap_ev": gap(crossing) * EV_PER_HARTREE,
            "pitch": plane.pitch,
            "asymmetry": plane.asymmetry,
            "tilt": plane.tilt,
            "peakedness": plane.peakedness,
        },
        "differences": [
            difference(engine, place) for place in places(minimum, frames.positions[0], plane)
        ],
        "circles": [
            circle(engine, frames.positions[0], plane, radius=radius, beside=beside)
            for radius, beside in [(radius, 0.0) for radius in RADII] + [(RADII[0], 3.0)]
        ],
    }
    show(result)
    measuring.finish(result, about=about, path=options.json)
    return 0


def places(minimum: np.ndarray, crossing: np.ndarray, plane: BranchingPlane) -> list[Place]:
    """Franck–Condon, half-way, and ever nearer to the intersection."""
    rng = np.random.default_rng(0)

    def directions(count: int) -> dict[str, np.ndarray]:
        drawn = rng.standard_normal((count, *minimum.shape))
        return {f"random {k + 1}": unit(each) for k, each in enumerate(drawn)}

    shaken = minimum + 0.1 * rng.standard_normal(minimum.shape)
    found = [
        Place(name="S0 minimum", positions=minimum, directions=directions(2)),
        Place(name="S0 minimum, shaken", positions=shaken, directions=directions(2)),
    ]
    g, h = unit(plane.g), unit(plane.h)
    for distance in AWAY:
        angle = 0.7  # neither along g nor along h
        away = distance * (np.cos(angle) * g + np.sin(angle) * h)
        found.append(
            Place(
                name=f"{distance} bohr from the intersection",
                positions=crossing + away,
                directions={"g": g, "h": h, **directions(1)},
                step=min(WIDEST_STEP, distance / 10),
            )
        )
    return found


def difference(engine: PyscfEngine, place: Place) -> dict[str, Any]:
    """Labels and finite differences at one geometry, eV/Å and 1/bohr."""
    centre = engine.label(place.positions)
    rows = []
    for name, direction in place.directions.items():
        energies, overlaps = np.zeros(2), 0.0
        for number, weight in STENCIL.items():
            side = engine.label(
                place.positions + number * place.step * direction, guess=centre.guess
            )
            energies += weight / place.step * side.label.energies
            table = overlap(engine, centre.guess, side.guess)
            overlaps += weight / place.step * table[0, 1] * np.sign(table[1, 1])
        forces = np.sum(centre.label.forces * direction, axis=(1, 2))
        coupling = along(centre, direction) / gap(centre)
        rows.append(
            {
                "direction": name,
                "force_ev_per_angstrom": (forces * EV_PER_ANGSTROM_PER_ATOMIC_FORCE).tolist(),
                "force_deviation_ev_per_angstrom": (
                    np.abs(forces + energies) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
                ).tolist(),
                "coupling_per_bohr": coupling,
                "coupling_deviation_per_bohr": abs(coupling - overlaps),
            }
        )
    return {"place": place.name, "gap_ev": gap(centre) * EV_PER_HARTREE, "directions": rows}


def circle(
    engine: PyscfEngine,
    crossing: np.ndarray,
    plane: BranchingPlane,
    *,
    radius: float,
    beside: float,
) -> dict[str, Any]:
    """Once round a circle whose centre is ``beside`` radii away from the intersection."""
    g, h = unit(plane.g), unit(plane.h)
    angles = np.linspace(0.0, 2.0 * np.pi, POINTS + 1)
    shifts = [radius * ((beside + np.cos(a)) * g + np.sin(a) * h) for a in angles]
    steps = [radius * (np.cos(a) * h - np.sin(a) * g) for a in angles]  # dx/da
    answers: list[Answer] = []
    for shift in shifts:
        answers.append(engine.label(crossing + shift, guess=answers[-1].guess if answers else None))
    linear = [(float(np.sum(plane.g * x)), float(np.sum(plane.h * x))) for x in shifts]
    gaps = [
        gap(each) / (2.0 * np.hypot(*xy)) - 1.0 for each, xy in zip(answers, linear, strict=True)
    ]
    vectors = [
        misfit(vector(each), (x * plane.h - y * plane.g) / np.hypot(x, y))
        for each, (x, y) in zip(answers, linear, strict=True)
    ]
    signs = np.ones(2)
    integrand = [along(answers[0], steps[0]) / gap(answers[0])]
    for (before, after), step in zip(pairwise(answers), steps[1:], strict=True):
        signs = signs * np.sign(np.diag(overlap(engine, before.guess, after.guess)))
        integrand.append(signs.prod() * along(after, step) / gap(after))
    return {
        "radius_bohr": radius,
        "centre_bohr": beside * radius,
        "gaps_ev": [
            min(map(gap, answers)) * EV_PER_HARTREE,
            max(map(gap, answers)) * EV_PER_HARTREE,
        ],
        "gap_deviation": float(np.abs(gaps).max()),
        "coupling_deviation": max(vectors),
        "phase_over_pi": abs(float(np.trapezoid(integrand, angles))) / np.pi,
        "signs_after_one_turn": closing(engine, answers, signs).tolist(),
    }


def closing(engine: PyscfEngine, answers: list[Answer], signs: np.ndarray) -> np.ndarray:
    """Sign that each state has got when it meets itself at the first point again."""
    table = overlap(engine, answers[0].guess, answers[-1].guess)
    return signs * np.sign(np.diag(table))


def overlap(engine: PyscfEngine, first: Guess, second: Guess) -> np.ndarray:
    """⟨i(R)|j(R')⟩ of S0 and S1, CASSCF(2,2), with the mean metric of R and R'."""
    core = (int(engine.molecule.atomic_numbers.sum()) - engine.molecule.charge) // 2 - 1
    orbitals = first["orbitals"].T @ mean_metric(engine, first, second) @ second["orbitals"]
    strings = np.empty((2, 2))
    for p in range(2):
        for q in range(2):
            rows, columns = [*range(core), core + p], [*range(core), core + q]
            strings[p, q] = np.linalg.det(orbitals[np.ix_(rows, columns)])
    left, right = np.array(first["coefficients"]), np.array(second["coefficients"])
    found: np.ndarray = np.einsum("iab,ac,bd,jcd->ij", left, strings, strings, right)
    return found[:2, :2]


def mean_metric(engine: PyscfEngine, first: Guess, second: Guess) -> np.ndarray:
    """Mean of the overlap matrices of the basis at both geometries."""
    from pyscf import gto  # noqa: PLC0415  (an extra)

    def metric(guess: Guess) -> np.ndarray:
        atoms = list(zip(engine.molecule.symbols, guess["positions"].tolist(), strict=True))
        molecule = gto.M(
            atom=atoms,
            unit="Bohr",
            basis=engine.config.basis,
            charge=engine.molecule.charge,
            verbose=0,
        )
        found: np.ndarray = molecule.intor_symmetric("int1e_ovlp")
        return found

    return (metric(first) + metric(second)) / 2


def plane_of(answer: Answer) -> BranchingPlane:
    lower, upper = -answer.label.forces
    plane = branching_plane(lower, upper, vector(answer))
    if plane is None:
        raise SystemExit("g and h are one direction: this is no conical intersection")
    return plane


def vector(answer: Answer) -> np.ndarray:
    if answer.label.interstate_coupling is None:
        raise SystemExit("the engine gives no couplings")
    return answer.label.interstate_coupling[0]


def along(answer: Answer, direction: np.ndarray) -> float:
    return float(np.sum(vector(answer) * direction))


def gap(answer: Answer) -> float:
    return float(answer.label.energies[1] - answer.label.energies[0])


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values)


def misfit(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative deviation of two vectors of free sign."""
    either = (np.linalg.norm(found - s * expected) for s in (1.0, -1.0))
    return float(min(either) / np.linalg.norm(expected))


def show(result: dict[str, Any]) -> None:
    rows = [
        [
            entry["place"],
            f"{entry['gap_ev']:.4f}",
            row["direction"],
            f"{max(row['force_deviation_ev_per_angstrom']):.1e}",
            f"{row['coupling_per_bohr']:.5f}",
            f"{row['coupling_deviation_per_bohr']:.1e}",
        ]
        for entry in result["differences"]
        for row in entry["directions"]
    ]
    console.table(
        ["geometry", "gap/eV", "along", "ΔF/(eV/Å)", "d·n/(1/bohr)", "Δd"],
        rows,
        title=f"{result['level_of_theory']}: labels and finite differences",
    )
    rows = [
        [
            f"{each['radius_bohr']}",
            f"{each['centre_bohr']:g}",
            f"{each['gaps_ev'][0]:.3f}–{each['gaps_ev'][1]:.3f}",
            f"{each['gap_deviation']:.1e}",
            f"{each['coupling_deviation']:.1e}",
            f"{each['phase_over_pi']:.4f}",
            " ".join(f"{sign:+.0f}" for sign in each["signs_after_one_turn"]),
        ]
        for each in result["circles"]
    ]
    headings = [
        "radius/bohr",
        "centre/bohr",
        "gaps/eV",
        "gap−linear",
        "h−linear",
        "∮d·dx/π",
        "signs",
    ]
    console.table(headings, rows, title="Circles in the branching plane (relative deviations)")


if __name__ == "__main__":
    sys.exit(main())
