"""Whether the same seed gives the same trajectories, bit for bit, in other circumstances.

    python benchmarks/determinism.py [--trajectories 70] [--steps 40] [--threads 2] [--json FILE]

Trajectories of the shipped model start in S1 from the frames of its data with the smallest S0-S1
gap, with the Wigner momenta of trajectories/stilbene-cis.yaml: there hops, refused hops and decay
happen within femtoseconds, so that random numbers, couplings and rescaling are all in play. The
reference is a run with batch size 256, usually one dense batch of all. Against it are set

* batch 64, batch 7 and, for the first few trajectories only, batch 1;
* the same trajectories in another order;
* a run stopped half-way and taken up again from its checkpoint;
* another number of threads.

Every case goes through namd.dynamics.ensemble_loop.run_ensemble into a run folder; compared are all
saved frames (energies, kinetic and total energy in float64, amplitudes, states, positions and
velocities in float32) and all columns of the hop table, per trajectory. ``identical`` counts
trajectories with the same bits in all of them, the differences are the largest of any trajectory.
The exit code is 1 if any case differs.
"""

import argparse
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import measuring
import numpy as np
import torch
from stilbene import stilbene_job

from namd.benchmark.job import Job
from namd.data.reading import read_dataset
from namd.dynamics.batch import TrajectoryBatch, select, start
from namd.dynamics.checkpoint import Checkpoint, resume_checkpoint
from namd.dynamics.ensemble_loop import Progress, run_ensemble
from namd.dynamics.finish import FinishRules
from namd.dynamics.status import Status
from namd.dynamics.stopping import StopRequest
from namd.errors import ResumableStop
from namd.io.ensemble_start import Header, write_start
from namd.io.library import find_file
from namd.io.run_folder import RunFolder, create_run_folder
from namd.nn.parallel import use_threads

_COMPARED = (
    "energies",
    "kinetic_energy",
    "total_energy",
    "amplitudes",
    "active_state",
    "status",
    "positions",
    "velocities",
)
_HOP_COLUMNS = ("step", "from_state", "to_state", "accepted", "gap", "kinetic_energy", "positions")
_FRAME_STEPS = 5
_REFERENCE_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run left: trajectories in the order of their numbers, their frames and hops."""

    number: np.ndarray
    frames: dict[str, np.ndarray]
    hops: dict[str, np.ndarray]


def main() -> None:
    options = parse()
    threads = use_threads(options.threads)
    about = measuring.machine(threads=threads)
    job = stilbene_job(trajectories=options.trajectories, model="stilbene-ssr")
    batch = near_the_crossing(job)
    few, steps = torch.arange(min(options.single, len(batch))), options.steps
    backwards = select(batch, torch.arange(len(batch) - 1, -1, -1))
    reference = run(job, batch, steps=steps, batch_size=_REFERENCE_BATCH)
    cases = {
        "batch 64": run(job, batch, steps=steps, batch_size=64),
        "batch 7": run(job, batch, steps=steps, batch_size=7),
        "batch 1": run(job, select(batch, few), steps=steps, batch_size=1),
        "another order": run(job, backwards, steps=steps, batch_size=64),
        "stopped and resumed": run(job, batch, steps=steps, batch_size=64, stop_at=steps // 2),
    }
    other = 1 if threads > 1 else 2
    use_threads(other)
    cases[f"threads {other}"] = run(job, batch, steps=steps, batch_size=_REFERENCE_BATCH)
    accepted = reference.hops["accepted"]
    parked = int((reference.frames["status"][-1] == Status.PARKED).sum())
    print(
        f"{len(batch)} trajectories, {steps} steps, {threads} threads: {len(accepted)} hops tried, "
        f"{int(accepted.sum())} accepted; parked {parked}"
    )
    found = {name: compare(case, reference) for name, case in cases.items()}
    for name, row in found.items():
        differences = ", ".join(f"{key} {value:.1e}" for key, value in row["largest"].items())
        print(f"{name:20} {row['identical']} of {row['trajectories']} identical   {differences}")
    result = {
        "trajectories": len(batch),
        "steps": steps,
        "hops_tried": len(accepted),
        "hops_accepted": int(accepted.sum()),
        "parked": parked,
        "cases": found,
    }
    measuring.finish(result, about=about, path=options.json)
    if any(row["identical"] < row["trajectories"] for row in found.values()):
        raise SystemExit(1)


def parse() -> argparse.Namespace:
    parser = measuring.parser(__doc__)
    parser.add_argument("--trajectories", type=int, default=70)
    parser.add_argument("--steps", type=int, default=40, help="of 0.5 fs; a multiple of 10 [40]")
    parser.add_argument("--single", type=int, default=4, help="trajectories run one by one [4]")
    parser.add_argument("--threads", type=int, help="threads (default: the cores there are)")
    options = parser.parse_args()
    if options.steps % (2 * _FRAME_STEPS):
        parser.error("--steps must be a multiple of 10: half-way is a saved frame")
    return options


def near_the_crossing(job: Job) -> TrajectoryBatch:
    """Trajectories in S1 at the frames with the smallest gaps."""
    data = read_dataset(find_file("models/stilbene-ssr/data/stilbene-ssr-thinned.h5"))
    gap = data["energies"][:, 1] - data["energies"][:, 0]
    frames = np.argsort(gap, kind="stable")[: len(job.initial.velocities)]
    velocities = torch.from_numpy(job.initial.velocities[: len(frames)])
    state = torch.ones(len(frames), dtype=torch.int64)
    return start(job.potential, torch.from_numpy(data["positions"][frames]), velocities, state)


def run(
    job: Job,
    batch: TrajectoryBatch,
    *,
    steps: int,
    batch_size: int,
    stop_at: int | None = None,
) -> Outcome:
    """Run in a folder of its own, stopped and taken up again if asked to, and read what is left."""
    with TemporaryDirectory() as scratch:
        folder = create_run_folder(Path(scratch) / "run")
        write_header(folder, job, batch)
        begin: TrajectoryBatch | Checkpoint = batch
        if stop_at is not None:
            propagate(job, folder, begin, steps=steps, batch_size=batch_size, stop_at=stop_at)
            begin = taken_up(folder)
        propagate(job, folder, begin, steps=steps, batch_size=batch_size, stop_at=steps + 1)
        return read_outcome(folder)


def propagate(
    job: Job,
    folder: RunFolder,
    begin: TrajectoryBatch | Checkpoint,
    *,
    steps: int,
    batch_size: int,
    stop_at: int,
) -> None:
    """Run to the end, or until ``stop_at`` steps are made and stop as on SIGTERM."""
    loop = replace(
        job.options.loop,
        rules=FinishRules(max_steps=steps),
        frame_steps=_FRAME_STEPS,
        batch_size=batch_size,
    )
    request = StopRequest()

    def watch(progress: Progress) -> None:
        if progress.step >= stop_at:
            request.signal = signal.SIGTERM

    try:
        run_ensemble(
            folder,
            begin,
            job.potential,
            step_options=job.options.step,
            loop_options=loop,
            stop=request,
            report=watch,
        )
    except ResumableStop:
        if stop_at > steps:
            raise


def taken_up(folder: RunFolder) -> Checkpoint:
    """The last checkpoint, read as --resume does."""
    found = resume_checkpoint(folder, device="cpu")
    if found is None:
        raise SystemExit(f"{folder.path} holds no checkpoint")
    return found


def write_header(folder: RunFolder, job: Job, batch: TrajectoryBatch) -> None:
    """Write the head of the run folder, as the command line does."""
    header = Header(
        config={},
        molecule=job.potential.molecule,
        states=job.potential.states,
        potential=job.potential.describe(),
        decoherence=job.options.step.decoherence.describe(),
        timestep=job.options.step.timestep,
        seed=job.options.step.seed,
        versions={},
        hardware={},
        trajectory_id=batch.trajectory_id.numpy(),
        positions=batch.positions.numpy(),
        velocities=batch.velocities.numpy(),
        active_state=batch.active_state.numpy(),
        reference=job.initial.reference,
    )
    write_start(folder, header)


def read_outcome(folder: RunFolder) -> Outcome:
    """All frames and hops of a complete run, sorted by trajectory (and step)."""
    with h5py.File(folder.ensemble) as file:
        number = file["trajectory_id"][()]
        place = np.argsort(number)
        frames = {name: file[f"frames/{name}"][()][:, place] for name in _COMPARED}
        table = {name: file[f"hops/{name}"][()] for name in ("trajectory", *_HOP_COLUMNS)}
    order = np.lexsort((table["step"], table["trajectory"]))
    hops = {name: column[order] for name, column in table.items()}
    return Outcome(number=number[place], frames=frames, hops=hops)


def compare(case: Outcome, reference: Outcome) -> dict[str, Any]:
    """Trajectories with the same bits, and the largest differences."""
    other = np.searchsorted(reference.number, case.number)
    same = np.ones(len(case.number), dtype=bool)
    largest = {}
    for name in _COMPARED:
        ours, theirs = case.frames[name], reference.frames[name][:, other]
        equal = (ours == theirs) | ((ours != ours) & (theirs != theirs))  # noqa: PLR0124  (NaN)
        same &= equal.reshape(*equal.shape[:2], -1).all((0, 2))
        largest[name] = float(np.abs(ours.astype(complex) - theirs).max())
    for row, identity in enumerate(case.number.tolist()):
        same[row] &= same_hops(case.hops, reference.hops, identity)
    return {
        "trajectories": len(case.number),
        "identical": int(same.sum()),
        "largest": {name: value for name, value in largest.items() if value > 0},
    }


def same_hops(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], identity: int) -> bool:
    """Whether one trajectory tried the same hops, to the last bit."""
    mine, other = ours["trajectory"] == identity, theirs["trajectory"] == identity
    return all(np.array_equal(ours[name][mine], theirs[name][other]) for name in _HOP_COLUMNS)


if __name__ == "__main__":
    main()
