"""What stacking the members of a committee into one operation could gain at most, on one core.

Members one after another, slices of eight each, against one network that evaluates as many rows in
one slice: stacked members would do the same arithmetic and, having weights of their own, no less.
Prints the ratio of CPU times.

    python benchmarks/committee_call.py [--members 4] [--json FILE]
"""

import time

import measuring
import numpy as np
import torch

from namd.data.reading import read_dataset
from namd.io.library import find_file, find_model
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model
from namd.nn.parallel import use_threads
from namd.potentials.network import NetworkPotential

SLICE = 8


def milliseconds(
    model: DiabaticModel, positions: torch.Tensor, *, size: int, repeats: int = 9
) -> float:
    """Median CPU time of energies and one force of all positions, in slices of ``size``."""
    potential = NetworkPotential(model, slice_size=size)
    state = torch.zeros(len(positions), dtype=torch.int64)
    potential.surfaces(positions, state)
    times = []
    for _ in range(repeats):
        began = time.process_time()
        potential.surfaces(positions, state)
        times.append(time.process_time() - began)
    return 1e3 * float(np.median(times))


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--model", default="stilbene-ssr-3500")
    parser.add_argument(
        "--data",
        default="models/stilbene-ssr/data/stilbene-ssr-thinned.h5",
        help="geometries of its molecule",
    )
    parser.add_argument("--members", type=int, default=4)
    options = parser.parse_args()
    use_threads(1)
    about = measuring.machine(threads=1)
    members = options.members
    model = load_model(find_model(options.model))
    frames = torch.from_numpy(read_dataset(find_file(options.data))["positions"])
    result = {}
    for trajectories in (SLICE, 8 * SLICE):
        apart = members * milliseconds(model, frames[:trajectories], size=SLICE)
        together = milliseconds(model, frames[: members * trajectories], size=members * SLICE)
        result[f"{trajectories} trajectories"] = {"apart_ms": apart, "together_ms": together}
        print(
            f"{members} members, {trajectories} trajectories: one after another {apart:.1f} ms, "
            f"stacked at best {together:.1f} ms, ratio {apart / together:.2f}"
        )
    measuring.finish(result, about=about, path=options.json)


if __name__ == "__main__":
    main()
