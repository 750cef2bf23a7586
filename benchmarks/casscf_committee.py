"""What a larger committee is worth: errors of the mean of one, two, three and four members.

    python benchmarks/casscf_committee.py --test FILE …
        --json benchmarks/results/casscf-committee.json

For every set of members of models/stilbene-casscf the mean of their energies, forces and couplings
is held against the labels of each file. A row is the mean error over all sets of one size, and in
brackets the smallest and the largest.

What the numbers mean: the gain by going from one member to many bounds what can be had by more of
them; what is left is common to all, and only other labels or another network would help there.
"""

import argparse
import itertools
import sys
from pathlib import Path
from typing import Any

import measuring
import numpy as np

from namd.cli import console
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.errors import NamdError
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model
from namd.nn.parallel import use_threads
from namd.potentials.trained import member_folders
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.train.predictors import Committee

FOLDER = Path(__file__).parents[1] / "models" / "stilbene-casscf"


def main() -> int:
    options = _options()
    use_threads()
    about = measuring.machine()
    try:
        members = [load_model(folder) for folder in member_folders(FOLDER)]
        found = {path.stem: by_size(members, read_dataset(path)) for path in options.test}
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    show(found)
    measuring.finish({"tests": found}, about=about, path=options.json)
    return 0


def by_size(members: list[DiabaticModel], test: Dataset) -> dict[int, dict[str, Any]]:
    """Size of a committee → quantity → mean, smallest and largest error over the sets."""
    sizes = range(1, len(members) + 1)
    return {size: _over_sets(members, size=size, test=test) for size in sizes}


def _over_sets(members: list[DiabaticModel], *, size: int, test: Dataset) -> dict[str, Any]:
    sets = itertools.combinations(members, size)
    predictors = [one[0] if size == 1 else Committee(one, "set") for one in sets]
    tables = [measuring.errors_over_states(error_table(compare(p, test))) for p in predictors]
    spread = {}
    for quantity in tables[0]:
        values = np.array([table[quantity] for table in tables])
        spread[quantity] = {
            "mean": float(values.mean()),
            "least": float(values.min()),
            "most": float(values.max()),
        }
    return {"sets": len(tables), "errors": spread}


def show(found: dict[str, dict[int, dict[str, Any]]]) -> None:
    """A row for each test and size."""
    quantities = ("energy_mae_mev", "gap_mae_mev", "force_mae_mev_per_angstrom", "coupling_r2")
    rows = []
    for test, sizes in found.items():
        for size, result in sizes.items():
            cells = [_cell(result["errors"][quantity], quantity) for quantity in quantities]
            rows.append([test, str(size), *cells])
    console.table(["test", "members", "E/meV", "gap/meV", "F/(meV/Å)", "h R²"], rows)


def _cell(value: dict[str, float], quantity: str) -> str:
    digits = 2 if quantity == "coupling_r2" else 0
    mean, least, most = (f"{value[key]:.{digits}f}" for key in ("mean", "least", "most"))
    return mean if least == most else f"{mean} ({least} to {most})"


def _options() -> argparse.Namespace:
    made = measuring.parser(__doc__)
    made.add_argument("--test", type=Path, nargs="+", required=True, metavar="FILE")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
