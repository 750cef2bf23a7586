"""Trajectory steps per second of the shipped model, where a step goes, training frames per second.

    python benchmarks/throughput.py --threads 2 [--batch 1 32 64 256] [--json FILE]

The steps are those of a run of trajectories/stilbene-cis.yaml (Wigner samples of cis-stilbene in
S1, all guards on), called through namd.dynamics.step.step without output or checkpoints.

* steps_per_second: trajectory steps per second, median and range of several stretches of steps from
  the same start. One trajectory step is 0.5 fs of one molecule.
* parts: shares of that time, from timers around the parts of a step in a stretch of its own
  (outermost part wins: a force that a hop asks for counts as hop).
* all_derivatives: the same steps with the forces of all states and the couplings of all pairs made
  in every step, as codes do that hand every derivative to the propagator. ``ratio`` is the time of
  such a step over that of ours, stretches of both in turns.
* hop_attempt_ms: one trajectory that tries to hop costs so much more (coupling and new force).
* training: frames per second of namd train on the model's own configuration, forward and backward,
  with all derivatives of every frame (full) or one of them drawn at random (sampled).
"""

import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
import numpy as np
import torch
from all_derivatives import AllDerivatives
from parts import timed_parts
from stilbene import Job, begin, make_job

from namd.config.loading import load_config
from namd.config.training import TrainingConfig
from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.nn.model_folder import load_model
from namd.nn.parallel import use_threads
from namd.potentials.protocol import Potential
from namd.train import pipeline, trainer
from namd.train.log import EpochReport

_WARM_STEPS = 3


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--model", default="stilbene-ssr", help="model folder or name in the zoo")
    parser.add_argument("--threads", type=int, help="threads (default: the cores there are)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32, 64, 256])
    parser.add_argument("--repeats", type=int, default=5, help="stretches of steps [5]")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a stretch, s [4]")
    parser.add_argument("--training-frames", type=int, default=320, help="per epoch; 0: none [320]")
    options = parser.parse_args()
    threads = use_threads(options.threads)
    about = measuring.machine(threads=threads)
    job = make_job(trajectories=max(options.batch), model=options.model)
    control = AllDerivatives(load_model(job.model_folder), inner=job.potential)
    result: dict[str, Any] = {"model": job.potential.describe(), "dynamics": []}
    print(f"{options.model}, {threads} threads")
    for batch in options.batch:
        row = dynamics(job, control, batch=batch, repeats=options.repeats, seconds=options.seconds)
        result["dynamics"].append(row)
        show(row)
    result["hop_attempt_ms"] = hop_attempt(job, repeats=options.repeats)
    print(f"one hop attempt: {result['hop_attempt_ms']['median']:.1f} ms")
    if options.training_frames:
        result["training"] = {
            mode: training(job.model_folder, mode, frames=options.training_frames)
            for mode in ("full", "sampled")
        }
        for mode, rate in result["training"].items():
            print(f"training, {mode} derivatives: {rate['median']:.0f} frames/s")
    result["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    measuring.finish(result, about=about, path=options.json)


def dynamics(
    job: Job, control: Potential, *, batch: int, repeats: int, seconds: float
) -> dict[str, Any]:
    """Steps per second of one batch size, its parts, and the control in turns with it."""
    first = begin(job, trajectories=batch)
    warm, _ = march(first, job.potential, job.options.step, steps=_WARM_STEPS)
    march(first, control, job.options.step, steps=1)
    _, each = march(warm, job.potential, job.options.step, steps=_WARM_STEPS)
    steps = max(2, round(seconds / each))
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(march(warm, job.potential, job.options.step, steps=steps)[1])
        theirs.append(march(warm, control, job.options.step, steps=max(1, steps // 3))[1])
    with timed_parts(job.options.step) as (options, clock):
        _, each = march(warm, job.potential, options, steps=steps)
    return {
        "batch": batch,
        "steps": steps,
        "steps_per_second": measuring.summary([batch / t for t in ours]),
        "step_ms": measuring.summary([1000 * t for t in ours]),
        "all_derivatives": {
            "steps_per_second": measuring.summary([batch / t for t in theirs]),
            "ratio": measuring.summary([b / a for a, b in zip(ours, theirs, strict=True)]),
        },
        "parts": clock.shares(whole=each * steps),
    }


def march(
    batch: TrajectoryBatch, potential: Potential, options: StepOptions, *, steps: int
) -> tuple[TrajectoryBatch, float]:
    """Make some steps; returns the batch and the seconds of one step."""
    began = time.perf_counter()
    for _ in range(steps):
        batch = step(batch, potential, options).batch
    return batch, (time.perf_counter() - began) / steps


def show(row: dict[str, Any]) -> None:
    rate, ratio = row["steps_per_second"], row["all_derivatives"]["ratio"]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in row["parts"].items())
    print(
        f"batch {row['batch']:4}: {rate['median']:6.0f} steps/s ({rate['lowest']:.0f} to "
        f"{rate['highest']:.0f}), all derivatives {ratio['median']:.2f} × as long\n    {shares}"
    )


def hop_attempt(job: Job, *, repeats: int) -> dict[str, float]:
    """Milliseconds of what a single hop attempt asks of the potential."""
    batch = begin(job, trajectories=1)
    below = torch.zeros_like(batch.active_state)

    def ask() -> None:
        job.potential.coupling(batch.positions, batch.active_state, below)
        job.potential.force(batch.positions, below)

    ask()
    return measuring.summary([1000 * t for t in measuring.repeated(ask, repeats=repeats)])


def training(model_folder: Path, mode: str, *, frames: int) -> dict[str, float]:
    """Frames per second of the epochs after the first, which compiles."""
    changes = [
        f"loss.derivatives={mode}",
        f"data.max_train_frames={frames}",
        "optimiser.epochs=4",
        "device=cpu",
    ]
    config = load_config(model_folder / "train.yaml", TrainingConfig, changes)
    job = pipeline.prepare(config, base=model_folder)
    reports: list[EpochReport] = []
    with TemporaryDirectory() as scratch:
        trainer.fit(
            job.model,
            training=job.training,
            validation=job.validation.select(np.arange(min(16, len(job.validation)))),
            config=config,
            folder=Path(scratch),
            report=reports.append,
        )
    return measuring.summary([row.frames_per_second for row in reports[1:]])


if __name__ == "__main__":
    main()
