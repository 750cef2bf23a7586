"""What each surface-hopping method costs in a step of the shipped model, relative to the default.

    python benchmarks/methods.py --threads 2 [--batch 64] [--json FILE]

The methods are those of `namd config methods`: every preset, and every single method in the default
preset's place. The trajectories are those of trajectories/stilbene-cis.yaml (cis-stilbene, Wigner
samples in S1), some femtoseconds after the start: none hops, so that the price is that of a step
itself. What a hop attempt costs beside it is in throughput.py.

* ratio: time of a step of the method over that of the default, stretches of both in turns within
  one process; median and range. 1 is free, 2 is half as fast.
"""

from collections.abc import Iterator
from typing import Any

import measuring
import torch
from stilbene import RUN, Job, make_job
from throughput import march

from namd.config.loading import load_config
from namd.config.presets import PRESETS, expand_preset
from namd.config.run import RunConfig
from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.catalogue import KINDS
from namd.dynamics.from_config import run_options
from namd.dynamics.options import StepOptions
from namd.errors import ConfigError
from namd.io.library import find_run_config
from namd.nn.parallel import use_threads

DEFAULT = "fssh-edc"
_WARM_STEPS = 5


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--model", default="stilbene-ssr", help="model folder or name in the zoo")
    parser.add_argument("--threads", type=int, help="threads (default: the cores there are)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5, help="stretches of steps [5]")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a stretch, s [1]")
    options = parser.parse_args()
    threads = use_threads(options.threads)
    about = measuring.machine(threads=threads)
    job = make_job(trajectories=options.batch, model=options.model)
    default, plain = ready(job, [f"dynamics.preset={DEFAULT}"])
    _, each = march(plain, job.potential, default, steps=_WARM_STEPS)
    steps = max(2, round(options.seconds / each))
    rows = []
    for name, changes in methods():
        row: dict[str, Any] = {"method": name}
        rows.append(row)
        try:
            own, batch = ready(job, changes)
        except ConfigError as error:
            row["not_possible"] = error.message
            print(f"{name:36} not possible: {error.message}")
            continue
        ratios, rates = [], []
        for _ in range(options.repeats):
            usual = march(plain, job.potential, default, steps=steps)[1]
            other = march(batch, job.potential, own, steps=steps)[1]
            ratios.append(other / usual)
            rates.append(options.batch / other)
        row |= {"ratio": measuring.summary(ratios), "steps_per_second": measuring.summary(rates)}
        print(
            f"{name:36} {row['ratio']['median']:5.2f} × the time ({row['ratio']['lowest']:.2f} to "
            f"{row['ratio']['highest']:.2f}), {row['steps_per_second']['median']:.0f} steps/s"
        )
    result = {"model": job.potential.describe(), "batch": options.batch, "methods": rows}
    measuring.finish(result, about=about, path=options.json)


def methods() -> Iterator[tuple[str, list[str]]]:
    """Name of each method and the overrides of the run configuration that make it."""
    for name in PRESETS:
        yield name, [f"dynamics.preset={name}"]
    base = PRESETS[DEFAULT].settings
    for kind, registered in KINDS.items():
        for name in registered:
            if base.get(kind) != name:
                yield f"{kind}={name}", [f"dynamics.preset={DEFAULT}", f"dynamics.{kind}={name}"]


def ready(job: Job, changes: list[str]) -> tuple[StepOptions, TrajectoryBatch]:
    """Options of a method, and the trajectories after some steps with it."""
    config = load_config(find_run_config(RUN), RunConfig, expand_preset(changes))
    options = run_options(
        config, job.potential.molecule, reference=job.initial.reference, device="cpu"
    ).step
    batch = start(
        job.potential,
        torch.from_numpy(job.initial.positions),
        torch.from_numpy(job.initial.velocities),
        torch.from_numpy(job.initial.active_state),
        options=options,
    )
    return options, march(batch, job.potential, options, steps=_WARM_STEPS)[0]


if __name__ == "__main__":
    main()
