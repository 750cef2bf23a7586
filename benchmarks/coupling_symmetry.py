"""What trainings have made of W01: its size, and its sign under exchanges of equal atoms.

    python benchmarks/coupling_symmetry.py MODEL … [--json FILE]

for models of stilbene, for instance all that ``accuracy.py`` has trained on a case (their folders
are FOLDER/stilbene-950/NETWORK/seed-N). W01 of S0 and S1 changes its sign when the halves change
places and keeps it when a ring is turned over: Σ W01(x) W01(g x) / Σ W01(x)² over the held-out
frames is −1 for the ``odd`` exchanges and +1 for the ``even`` ones, if a network has found that.
``size`` is the root mean square of W01, ``bound`` what it cannot exceed.
"""

from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
from comparison.cases import CASES, ROOT

from namd.analysis.jsonable import jsonable
from namd.data.characters import find_site_signs
from namd.data.dataset import Dataset
from namd.data.permutations import bonds, equivalent_numberings
from namd.data.reading import read_dataset
from namd.data.splits import split_groups
from namd.io.library import find_model
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.units import EV_PER_HARTREE

CASE = CASES["stilbene-950"]


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    options = parser.parse_args()
    about = measuring.machine()
    dataset = read_dataset(ROOT / CASE.file)
    split = split_groups(dataset["group"], validation=CASE.validation, test=CASE.test)
    test = dataset.select(split.test)
    numberings, odd = exchanges(dataset)
    rows = []
    for name in options.models:
        model = load_model(find_model(name))
        errors = error_table(compare(model, test))
        rows.append(
            {
                "model": "/".join(Path(name).parts[-3:]),
                **symmetry(model, test, numberings, odd),
                "coupling_r2": errors["coupling_r2"],
                "coupling_cosine": errors["coupling_cosine"],
            }
        )
        show(rows[-1])
    measuring.finish({"models": jsonable(rows)}, about=about, path=options.json)


def exchanges(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """All exchanges of equal atoms but the identity, and which of them change the sign."""
    bonded = bonds(dataset.molecule, dataset["positions"][0])
    numberings = equivalent_numberings(dataset.molecule, bonded)
    found = find_site_signs(
        dataset["positions"], dataset.interstate_coupling, numberings, states=2
    ).signs[0, 1]
    return numberings[1:], np.array([(found[g] == -found).all() for g in numberings[1:]])


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
        "odd": float(same[odd].mean()),
        "even": float(same[~odd].mean()),
    }


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['model']:40} W01 {row['size_mev']:4.0f} of {row['bound_mev']:.0f} meV; "
        f"odd {row['odd']:+.2f}, even {row['even']:+.2f}; h cosine {row['coupling_cosine']:.2f}, "
        f"R² {row['coupling_r2']:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
