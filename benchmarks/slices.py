"""How many molecules the potential evaluates at a time on the CPU: processor time.

    python benchmarks/slices.py [--model NAME] [--sizes 4 8 16] [--molecules 1 64] [--json FILE]

One evaluation is that of a step of a trajectory: W, and the force of the active state by one
vector-Jacobian product. A batch is cut into slices of a fixed number, the last one padded, so that
a molecule alone costs as much as a whole slice; for many, large slices leave the cache and small
ones spend their time between the operations. Geometries are those that trajectories of
``stilbene-cis`` start from. One thread; milliseconds of processor time, which another process on
the machine disturbs less than the clock on the wall: in each of ``--repeats`` rounds every size in
turn has ``--calls`` calls, and the median, smallest and largest round are told.
"""

import time
from typing import Any

import measuring
import numpy as np
import torch
from stilbene import stilbene_job

from namd.io.library import find_model
from namd.nn.model_folder import load_model
from namd.nn.parallel import use_threads
from namd.potentials.network import NetworkPotential


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--model", default="stilbene-ssr-3500")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--molecules", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--calls", type=int, default=5)
    options = parser.parse_args()
    use_threads(1)
    about = measuring.machine(threads=1)
    model = load_model(find_model(options.model))
    potentials = {size: NetworkPotential(model, slice_size=size) for size in options.sizes}
    job = stilbene_job(trajectories=max(options.molecules), model=options.model)
    result = {}
    for molecules in options.molecules:
        result[str(molecules)] = measure(potentials, job.initial.positions[:molecules], options)
        for size, spread in result[str(molecules)].items():
            print(
                f"{molecules:4d} molecules, slices of {size:>2}: {spread['median']:6.1f} ms "
                f"({spread['lowest']:.1f} – {spread['highest']:.1f})"
            )
    measuring.finish(
        {"model": options.model, "processor_milliseconds": result}, about=about, path=options.json
    )


def measure(
    potentials: dict[int, NetworkPotential], positions: np.ndarray, options: Any
) -> dict[str, dict[str, float]]:
    """Milliseconds of one evaluation of these molecules, for each size of a slice."""
    geometries = torch.from_numpy(positions)
    active = torch.ones(len(positions), dtype=torch.int64)
    spent: dict[int, list[float]] = {size: [] for size in potentials}
    for potential in potentials.values():
        potential.surfaces(geometries, active)  # compiles
    for _ in range(options.repeats):
        for size, potential in potentials.items():
            began = time.process_time()
            for _ in range(options.calls):
                potential.surfaces(geometries, active)
            spent[size].append(1000.0 * (time.process_time() - began) / options.calls)
    return {str(size): measuring.summary(values) for size, values in spent.items()}


if __name__ == "__main__":
    main()
