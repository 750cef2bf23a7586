"""Crossings that a network makes and its labels do not: frames of small predicted gap, labelled.

    python benchmarks/false_crossings.py [MODEL …] [--data FILE] [--json FILE]

For every source of the frames (which model's trajectories they were taken from) and every model:
mean absolute errors of the energies of S0 and S1 and of the gap, and how many frames have a gap
below 0.3 eV on the model and above 0.7 eV in truth (false), or the other way round (missed). A
model that learned energies, forces and h alone may let its diabatic energies cross where those of
the method do not: E = mean ± √(Δ² + W01²) is the same for Δ and −Δ. Such a model has S0 too high by
what its S1 is too low.
"""

from pathlib import Path
from typing import Any

import measuring
import numpy as np

from namd.data.reading import read_dataset
from namd.io.library import find_file, find_model
from namd.nn.model_folder import load_model
from namd.train.evaluation import compare
from namd.train.metrics import Comparison

FRAMES = "models/stilbene-ssr/data/stilbene-ssr-funnel.h5"
MODELS = ["stilbene-ssr-3500", "stilbene-ssr"]
NARROW, WIDE = 0.3, 0.7


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--data", type=Path, default=Path(FRAMES))
    options = parser.parse_args()
    about = measuring.machine()
    dataset = read_dataset(find_file(str(options.data)))
    sources = np.asarray(dataset["source"]).astype(str)
    rows = []
    for name in options.models:
        compared = compare(load_model(find_model(name)), dataset)
        for source in ("all", *sorted(set(sources))):
            frames = np.ones(len(sources), bool) if source == "all" else sources == source
            rows.append({"model": name, "frames_of": source, **errors(compared, frames)})
            show(rows[-1])
    measuring.finish({"data": options.data.name, "rows": rows}, about=about, path=options.json)


def errors(compared: Comparison, frames: np.ndarray) -> dict[str, Any]:
    """What is wrong on some of the frames of a pair of states, meV."""
    wrong = np.abs(compared.energies - compared.reference_energies)[frames].mean(0)
    ours, truth = compared.gaps[frames, 0], compared.reference_gaps[frames, 0]
    return {
        "frames": int(frames.sum()),
        "energies_mev": [1e3 * float(value) for value in wrong],
        "gap_mev": 1e3 * float(np.abs(ours - truth).mean()),
        "false": int(((ours < NARROW) & (truth > WIDE)).sum()),
        "missed": int(((ours > WIDE) & (truth < NARROW)).sum()),
    }


def show(row: dict[str, Any]) -> None:
    energies = "/".join(f"{value:.0f}" for value in row["energies_mev"])
    print(
        f"{row['model']:24} {row['frames_of']:12} {row['frames']:4} frames: E {energies} meV, "
        f"gap {row['gap_mev']:.0f} meV, {row['false']} false, {row['missed']} missed crossings"
    )


if __name__ == "__main__":
    main()
