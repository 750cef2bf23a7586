"""What a step of each surface-hopping method costs relative to the default (32 channels).

    python benchmarks/methods.py --threads 2 [--batch 64] [--json FILE]

The methods are those of `namd config methods`: every preset, and every single method in the default
preset's place. The trajectories are those of trajectories/stilbene-cis.yaml (cis-stilbene, Wigner
samples in S1), some femtoseconds after the start: none hops, so that the price is that of a step
itself. What a hop attempt costs beside it is in throughput.py.

* ratio: time of a step of the method over that of the default, stretches of both in turns within
  one process; median and range. 1 is free, 2 is half as fast.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import measuring
from stilbene import RUN, stilbene_job

from namd.benchmark.clock import Plan, in_turns
from namd.benchmark.job import Job, march
from namd.config.loading import load_config
from namd.config.presets import PRESETS, expand_preset
from namd.config.run import RunConfig
from namd.dynamics.catalogue import KINDS
from namd.dynamics.from_config import run_options
from namd.errors import ConfigError
from namd.io.library import find_run_config
from namd.nn.parallel import use_threads

DEFAULT = "fssh-edc"
_WARM_STEPS = 5


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument(
        "--model", default="stilbene-ssr-3500", help="model folder or name in the zoo"
    )
    parser.add_argument("--threads", type=int, help="threads (default: the cores there are)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5, help="stretches of steps [5]")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a stretch, s [1]")
    options = parser.parse_args()
    threads = use_threads(options.threads)
    about = measuring.machine(threads=threads)
    job = stilbene_job(trajectories=options.batch, model=options.model)
    plan = Plan(repeats=options.repeats, seconds=options.seconds)
    usual = ready(job, [f"dynamics.preset={DEFAULT}"])
    rows = []
    for name, changes in methods():
        row: dict[str, Any] = {"method": name}
        rows.append(row)
        try:
            other = ready(job, changes)
        except ConfigError as error:
            row["not_possible"] = error.message
            print(f"{name:36} not possible: {error.message}")
            continue
        timed = in_turns({"usual": usual, "other": other}, plan, device="cpu")
        pairs = zip(timed["other"].seconds, timed["usual"].seconds, strict=True)
        row |= {
            "ratio": measuring.summary([theirs / ours for theirs, ours in pairs]),
            "steps_per_second": asdict(timed["other"].rate(options.batch)),
        }
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


def ready(job: Job, changes: list[str]) -> Callable[[int], object]:
    """Steps of a method, always from the same start, as many as told."""
    config = load_config(find_run_config(RUN), RunConfig, expand_preset(changes))
    options = run_options(
        config, job.potential.molecule, reference=job.initial.reference, device="cpu"
    )
    own = replace(job, options=options)
    batch = own.begin(trajectories=len(job.initial.positions))
    warm = march(batch, job.potential, options.step, steps=_WARM_STEPS)
    return lambda steps: march(warm, job.potential, options.step, steps=steps)


if __name__ == "__main__":
    main()
