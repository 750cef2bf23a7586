"""Trajectory steps per second of a network, where a step goes, training frames per second.

    python benchmarks/throughput.py --threads 2 [--batch 1 32 64 256] [--json FILE]

What `namd benchmark throughput` measures, and more of it, for one network: the shipped model of 32
channels unless another is given. (Other packages beside it: benchmarks/peers.py.) The steps are
those of a run of trajectories/stilbene-cis.yaml (Wigner samples of cis-stilbene in S1, all guards
on), called through namd.dynamics.step.step without output or checkpoints.

* steps_per_second: trajectory steps per second, median and range of several stretches of steps from
  the same start. One trajectory step is 0.5 fs of one molecule.
* parts: shares of that time, from timers around the parts of a step in a stretch of its own
  (outermost part wins: a force that a hop asks for counts as hop; of several threads one at a
  time is watched).
* all_derivatives: the same steps with the forces of all states and the couplings of all pairs made
  in every step, as codes do that hand every derivative to the propagator. ``ratio`` is the time of
  such a step over that of ours, stretches of both in turns.
* hop_attempt_ms: one trajectory that tries to hop costs so much more (coupling and new force).
* profile: forward pass and derivative of one slice of 16 molecules on one thread, layer by layer:
  time, operations, bytes, achieved GFLOP/s and GB/s, and floor_share: the longer of operations over
  the measured peak of a matrix product and bytes over the measured memory bandwidth, over the time
  (namd.benchmark.profile tells what it means).
* training: frames per second of namd train on the network's own configuration, forward, backward
  and update, with all derivatives of every frame (full) or one drawn at random (sampled).
"""

import resource
from dataclasses import asdict
from typing import Any

import measuring
import torch
from all_derivatives import AllDerivatives
from parts import timed_parts
from stilbene import RUN

from namd.benchmark.clock import Plan, in_turns, seconds_of
from namd.benchmark.job import Job, make_job, march
from namd.benchmark.profile import PartProfile, Peaks, measure_peaks, profile
from namd.benchmark.subject import Subject, find_subject
from namd.benchmark.throughput import step_calls
from namd.benchmark.training import training_speed
from namd.config.training import TrainingConfig
from namd.nn.parallel import use_threads

_WARM_STEPS = 3


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument(
        "--model", default="stilbene-ssr-3500", help="model or training configuration of stilbene"
    )
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of a configuration")
    parser.add_argument("--threads", type=int, help="threads (default: the cores there are)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32, 64, 256])
    parser.add_argument("--repeats", type=int, default=5, help="stretches of steps [5]")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a stretch, s [4]")
    parser.add_argument("--training-frames", type=int, default=320, help="per epoch; 0: none [320]")
    options = parser.parse_args()
    threads = use_threads(options.threads)
    about = measuring.machine(threads=threads)
    plan = Plan(repeats=options.repeats, seconds=options.seconds)
    subject = find_subject(options.model, overrides=options.set)
    job = make_job(RUN, trajectories=max(options.batch), potential=subject.potential)
    about_model = {"given": options.model, **job.potential.describe()}
    result: dict[str, Any] = {"model": about_model, "dynamics": []}
    print(f"{options.model}, {threads} threads")
    for batch in options.batch:
        row = dynamics(subject, job, batch=batch, plan=plan)
        result["dynamics"].append(row)
        show(row)
    result["hop_attempt_ms"] = hop_attempt(job, repeats=options.repeats)
    print(f"one hop attempt: {result['hop_attempt_ms']['median']:.1f} ms")
    result["profile"] = profiled(subject)
    if options.training_frames and subject.training is not None:
        result["training"] = training(subject, subject.training, frames=options.training_frames)
    result["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    measuring.finish(result, about=about, path=options.json)


def dynamics(subject: Subject, job: Job, *, batch: int, plan: Plan) -> dict[str, Any]:
    """Steps per second of one batch size, its parts, and the control in turns with it."""
    control = AllDerivatives(subject.model, inner=subject.potential)
    steps, warm = job.options.step, job.begin(trajectories=batch)
    warm = march(warm, job.potential, steps, steps=_WARM_STEPS)
    actions = {
        "ours": step_calls(job, batch=batch),
        "control": lambda calls: march(warm, control, steps, steps=calls),
    }
    timed = in_turns(actions, plan, device="cpu")
    ours, theirs = timed["ours"], timed["control"]
    ratios = [b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True)]
    with timed_parts(steps, subject.model.network) as (watched, clock):
        whole = seconds_of(
            lambda calls: march(warm, job.potential, watched, steps=calls),
            calls=ours.calls,
            device="cpu",
        )
    return {
        "batch": batch,
        "steps": ours.calls,
        "steps_per_second": asdict(ours.rate(batch)),
        "step_ms": asdict(ours.milliseconds),
        "all_derivatives": {
            "steps_per_second": asdict(theirs.rate(batch)),
            "ratio": measuring.summary(ratios),
        },
        "parts": clock.shares(whole=whole),
    }


def show(row: dict[str, Any]) -> None:
    rate, ratio = row["steps_per_second"], row["all_derivatives"]["ratio"]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in row["parts"].items())
    print(
        f"batch {row['batch']:4}: {rate['median']:6.0f} steps/s ({rate['lowest']:.0f} to "
        f"{rate['highest']:.0f}), all derivatives {ratio['median']:.2f} × as long\n    {shares}"
    )


def hop_attempt(job: Job, *, repeats: int) -> dict[str, float]:
    """Milliseconds of what a single hop attempt asks of the potential."""
    batch = job.begin(trajectories=1)
    below = torch.zeros_like(batch.active_state)

    def ask() -> None:
        job.potential.coupling(batch.positions, batch.active_state, below)
        job.potential.force(batch.positions, below)

    ask()
    return measuring.summary([1000 * t for t in measuring.repeated(ask, repeats=repeats)])


def profiled(subject: Subject) -> dict[str, Any]:
    """Parts of one slice beside the machine's peaks."""
    peaks = measure_peaks()
    atoms = len(subject.potential.molecule)
    parts = profile(subject.model.network, peaks, atoms=atoms)
    show_profile(parts, peaks)
    rows = [
        {**asdict(p), "gflops": p.gflops, "gigabytes_per_second": p.gigabytes_per_second}
        for p in parts
    ]
    return {"molecules": 16, "threads": 1, "peaks": asdict(peaks), "parts": rows}


def show_profile(parts: tuple[PartProfile, ...], peaks: Peaks) -> None:
    print(
        f"one slice of 16, one thread; peaks {peaks.gflops:.0f} GFLOP/s, "
        f"{peaks.gigabytes_per_second:.0f} GB/s"
    )
    for p in parts:
        print(
            f"    {p.part:12} {p.milliseconds.median:8.2f} ms {1000 * p.gflop:9.1f} MFLOP "
            f"{p.gflops:6.1f} GFLOP/s {p.gigabytes_per_second:6.1f} GB/s, "
            f"{p.floor_share:.0%} of the time is its floor"
        )


def training(subject: Subject, config: TrainingConfig, *, frames: int) -> dict[str, Any]:
    """Frames per second of the epochs after the first, which compiles."""
    modes = ["full"]
    if len(subject.potential.states) == 2 and config.loss.target == "adiabatic":
        modes.append("sampled")
    found = {}
    for mode in modes:
        loss = config.loss.model_copy(update={"derivatives": mode})
        changed = config.model_copy(update={"loss": loss})
        plan = Plan(repeats=3, seconds=float("inf"))
        speed = training_speed(changed, plan, base=subject.base, most_frames=frames)
        found[mode] = asdict(speed.frames_per_second)
        print(f"training, {mode} derivatives: {speed.frames_per_second.median:.0f} frames/s")
    return found


if __name__ == "__main__":
    main()
