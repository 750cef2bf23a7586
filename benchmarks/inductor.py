"""What inductor would gain on the CPU: processor time of W and one force, eager and compiled.

    python benchmarks/inductor.py [--models NAME …] [--molecules 8 64] [--json FILE]

One evaluation is W of a batch of stilbene and one vector-Jacobian product. ``torch.compile`` takes
the network whole (our products and sums over neighbours are operators to it) and needs a C++
compiler; the seconds of compiling are told. One thread; in each of ``--repeats`` rounds both ways
have ``--calls`` calls in turn: median, smallest and largest round, milliseconds of processor time,
and the quotient of both in the same round. ``deviation`` is the largest difference of the forces,
relative to the largest force.
"""

import time
from collections.abc import Callable
from typing import Any

import measuring
import torch
from stilbene import stilbene_job
from torch import Tensor, nn

from namd.nn.model import DiabaticModel
from namd.nn.parallel import use_threads
from namd.train.planned import planned_model

MODELS = ["stilbene-ssr-3500", "mofd-sparse-16"]


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS, help="models or configurations")
    parser.add_argument("--molecules", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--calls", type=int, default=3)
    options = parser.parse_args()
    use_threads(1)
    about = measuring.machine(threads=1)
    rows = []
    positions = torch.from_numpy(
        stilbene_job(trajectories=max(options.molecules), model=MODELS[0]).initial.positions
    )
    for name in options.models:
        information, _ = planned_model(name)
        model = DiabaticModel(information, seed=0)
        model.network.calibrate(positions.to(model.dtype))
        for molecules in options.molecules:
            row = measure(model.network, positions[:molecules].to(model.dtype), options)
            rows.append({"model": name, "molecules": molecules, **row})
            print(
                f"{name}, {molecules} molecules: {row['eager_ms']['median']:.1f} ms, compiled "
                f"{row['compiled_ms']['median']:.1f} ms, {row['gain']['median']:.2f} times as fast "
                f"({row['gain']['lowest']:.2f}–{row['gain']['highest']:.2f}); compiling took "
                f"{row['compiling_s']:.0f} s, deviation {row['deviation']:.0e}"
            )
    measuring.finish({"rows": rows}, about=about, path=options.json)


def measure(network: nn.Module, positions: Tensor, options: Any) -> dict[str, Any]:
    """Both ways in turns, for one batch."""
    compiled = torch.compile(network, dynamic=False)
    began = time.perf_counter()
    force = forces(compiled, positions)
    compiling = time.perf_counter() - began
    exact = forces(network, positions)
    spent: dict[str, list[float]] = {"eager": [], "compiled": []}
    for _ in range(options.repeats):
        for name, evaluated in (("eager", network), ("compiled", compiled)):
            began = time.process_time()
            for _ in range(options.calls):
                forces(evaluated, positions)
            spent[name].append(1000.0 * (time.process_time() - began) / options.calls)
    gains = [a / b for a, b in zip(spent["eager"], spent["compiled"], strict=True)]
    return {
        "eager_ms": measuring.summary(spent["eager"]),
        "compiled_ms": measuring.summary(spent["compiled"]),
        "gain": measuring.summary(gains),
        "compiling_s": compiling,
        "deviation": float((force - exact).abs().max() / exact.abs().max()),
    }


def forces(network: Callable[[Tensor], Tensor], positions: Tensor) -> Tensor:
    """−∂W₁₁/∂R of every molecule."""
    moving = positions.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(moving)[:, -1, -1].sum(), moving)
    return -gradient


if __name__ == "__main__":
    main()
