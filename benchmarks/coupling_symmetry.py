"""What trainings have made of W01: its size, and its sign under exchanges of equal atoms.

    python benchmarks/coupling_symmetry.py MODEL … [--json FILE]

for models of stilbene, for instance all that ``accuracy.py`` has trained on a case (their folders
are FOLDER/stilbene-950/NETWORK/seed-N). By most labels W01 of S0 and S1 changes its sign when the
halves change places and keeps it when a ring is turned over: Σ W01(x) W01(g x) / Σ W01(x)² over the
held-out frames is −1 for the odd exchanges (``halves``) and +1 for the even ones (``ring``), if a
network has found that. ``size`` is the root mean square of W01, ``bound`` what it cannot exceed.

It does not do so everywhere. ``labels`` are agreements (1: all) of the labelled couplings along
trajectories with a W01 that is odd, or even, when the halves change places, by gap; ``by_gap`` is
``halves`` of each model on these frames.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
from comparison.cases import CASES, ROOT

from namd.analysis.jsonable import jsonable
from namd.data.characters import character_scores, find_site_signs
from namd.data.dataset import Dataset
from namd.data.permutations import bonds, equivalent_numberings
from namd.data.reading import read_dataset
from namd.data.splits import split_groups
from namd.io.library import find_file, find_model
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.units import EV_PER_HARTREE

CASE = CASES["stilbene-950"]
FRAMES, NEAR = "models/stilbene-ssr/data/stilbene-ssr", ("trajectories", "funnel")
EDGES_EV = (0.0, 0.25, 0.5, 1.0, 2.0, np.inf)
FEWEST = 20


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    options = parser.parse_args()
    about = measuring.machine()
    near = {name: read_dataset(find_file(f"{FRAMES}-{name}.h5")) for name in NEAR}
    dataset = read_dataset(ROOT / CASE.file)
    split = split_groups(dataset["group"], validation=CASE.validation, test=CASE.test)
    test = dataset.select(split.test)
    numberings, odd = exchanges(dataset)
    told = labels(near, numberings, odd)
    rows = []
    for name in options.models:
        model = load_model(find_model(name))
        errors = error_table(compare(model, test))
        rows.append(
            {
                "model": "/".join(Path(name).parts[-3:]),
                **symmetry(model, test, numberings, odd),
                "by_gap": by_gap(model, near, numberings, odd),
                "coupling_r2": errors["coupling_r2"],
                "coupling_cosine": errors["coupling_cosine"],
            }
        )
        show(rows[-1])
    measuring.finish(jsonable({"labels": told, "models": rows}), about=about, path=options.json)


def exchanges(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All exchanges of equal atoms but the identity, and which of them change the sign."""
    bonded = bonds(dataset.molecule, dataset["positions"][0])
    numberings = equivalent_numberings(dataset.molecule, bonded)
    found = find_site_signs(
        dataset["positions"], dataset.interstate_coupling, numberings, states=2
    ).signs[0, 1]
    return numberings[1:], np.array([(found[g] == -found).all() for g in numberings[1:]])


def ranges(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Frames of each range of the gap."""
    gap = dataset.gaps[:, 0] * EV_PER_HARTREE
    for low, high in pairwise(EDGES_EV):
        rows = np.flatnonzero((gap >= low) & (gap < high))
        if len(rows) >= FEWEST:
            yield (f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g}-"), dataset.select(rows)


def labels(
    near: dict[str, Dataset], numberings: np.ndarray, odd: np.ndarray
) -> list[dict[str, Any]]:
    """Agreement of labelled couplings with a W01 that is odd, and with one that is even."""
    characters = np.ones((2, 1 + len(odd)))
    characters[0, 1:] = np.where(odd, -1, 1)
    group = np.concatenate([np.arange(numberings.shape[1])[None], numberings])
    rows = []
    for name, dataset in near.items():
        for gap, frames in ranges(dataset):
            (scores,), _ = character_scores(
                frames["positions"], frames.interstate_coupling, group, characters
            )
            row = {"frames_of": name, "gap_ev": gap, "frames": len(frames)}
            rows.append(row | dict(zip(("odd", "even"), map(float, scores), strict=True)))
            told = f"labels agree to {scores[0]:.2f} (odd), {scores[1]:.2f} (even)"
            print(f"{name:14} gap {gap:8} eV {len(frames):5} frames: {told}", flush=True)
    return rows


def by_gap(
    model: DiabaticModel, near: dict[str, Dataset], numberings: np.ndarray, odd: np.ndarray
) -> list[dict[str, Any]]:
    """How W01 of a model changes under the first of the odd exchanges, by gap."""
    first = odd & (odd.cumsum() == 1)
    return [
        {
            "frames_of": name,
            "gap_ev": gap,
            "halves": symmetry(model, frames, numberings[first], odd[first])["halves"],
        }
        for name, dataset in near.items()
        for gap, frames in ranges(dataset)
    ]


@torch.no_grad()
def symmetry(
    model: DiabaticModel, frames: Dataset, numberings: np.ndarray, odd: np.ndarray
) -> dict[str, Any]:
    """Size of W01 and its correlation with itself after odd and even exchanges."""
    positions = torch.from_numpy(frames["positions"])
    here = model.hamiltonian(positions)[:, 0, 1]
    there = [model.hamiltonian(positions[:, torch.from_numpy(g)])[:, 0, 1] for g in numberings]
    same = np.array([float((here * w).sum() / here.square().sum()) for w in there])
    return {
        "size_mev": 1000 * EV_PER_HARTREE * float(here.square().mean().sqrt()),
        "bound_mev": 1000 * float(model.information.architecture.offdiagonal_limit_ev),
        "halves": float(same[odd].mean()) if odd.any() else None,
        "ring": float(same[~odd].mean()) if (~odd).any() else None,
    }


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['model']:40} W01 {row['size_mev']:4.0f} of {row['bound_mev']:.0f} meV; "
        f"halves {row['halves']:+.2f}, ring {row['ring']:+.2f}; "
        f"h cosine {row['coupling_cosine']:.2f}, R² {row['coupling_r2']:.2f}",
        flush=True,
    )
    for each in row["by_gap"]:
        print(
            f"    {each['frames_of']:14} gap {each['gap_ev']:8} eV: halves {each['halves']:+.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
