"""What a batch that is kept full is worth, where trajectories are more than places and end early.

    python benchmarks/refill.py [--json FILE]

Ours fills the places anew before every stretch of steps with those furthest behind
(namd.dynamics.advance). Beside it, two other ways to the same trajectories (to the last bit, which
is checked):

* in turns: the active ones go from frame to frame in turns of whole batches, so that the last batch
  of each turn is not full and the place of one that ends idles until the next frame;
* one after another: a trajectory keeps its place to its end and only then the next one starts, so
  that those that start last go on alone.

* tully: 100 trajectories on the simple avoided crossing from momenta between 10 and 40, each
  finished at x = 5; a step costs the same for one trajectory as for a full batch of 64.
* stilbene: 100 trajectories of the run trajectories/stilbene-cis.yaml in batches of 64; each is
  finished between 10 and 80 steps, as a spread of lifetimes would do it. A step costs in proportion
  to slices of sixteen.
* filled: trajectory steps made over places evaluated (batches × 64).
* steps_per_second, ratio: of processor time, on one thread, the ways in turns; ratio is the time of
  the other way over ours.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import measuring
import torch
from stilbene import stilbene_job

from namd.dynamics.advance import advance, advance_to_frame
from namd.dynamics.batch import TrajectoryBatch, put_rows, select, start, tensors
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.finish import FinishRules
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.nn.parallel import use_threads
from namd.potentials.protocol import Needs, Potential, Surfaces
from namd.potentials.tully import MASS, tully

PLACES = 64
TRAJECTORIES = 100


@dataclass(frozen=True, kw_only=True)
class Case:
    """An ensemble that ends early, here and there."""

    potential: Potential
    batch: TrajectoryBatch
    options: StepOptions
    rules: FinishRules
    frame_steps: int


class Counting:
    """A potential that counts the batches it is asked for."""

    def __init__(self, inner: Potential) -> None:
        self.inner, self.batches = inner, 0
        self.molecule, self.states = inner.molecule, inner.states
        self.force, self.coupling, self.describe = inner.force, inner.coupling, inner.describe

    def surfaces(self, positions: Any, active_state: Any, *, needs: Needs) -> Surfaces:
        """Surfaces of the potential inside."""
        self.batches += 1
        return self.inner.surfaces(positions, active_state, needs=needs)


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each [3]")
    options = parser.parse_args()
    about = measuring.machine(threads=use_threads(1))
    result = {}
    for name, make in (("tully", tully_case), ("stilbene", stilbene_case)):
        result[name] = compare(make(), repeats=options.repeats)
        print(name)
        for way, row in result[name].items():
            print(
                f"  {way:17} {row['steps_per_second']['median']:6.0f} steps/s, {row['batches']} "
                f"batches, {row['filled']:.0%} filled, {row['ratio']['median']:.2f} × as long"
            )
    measuring.finish(result, about=about, path=options.json)


def tully_case() -> Case:
    potential = tully(1)
    positions = torch.zeros(TRAJECTORIES, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = -5.0
    velocities = torch.zeros_like(positions)
    velocities[:, 0, 0] = torch.linspace(10.0, 40.0, TRAJECTORIES, dtype=torch.float64) / MASS
    masses = torch.tensor([MASS], dtype=torch.float64)
    state = torch.zeros(TRAJECTORIES, dtype=torch.int64)
    return Case(
        potential=potential,
        batch=start(potential, positions, velocities, state),
        options=StepOptions(timestep=10.0, masses=masses, seed=1, decoherence=NoDecoherence()),
        rules=FinishRules(max_steps=1000, outside=5.01),
        frame_steps=10,
    )


@dataclass(frozen=True, kw_only=True)
class SpreadRules(FinishRules):
    """Finish trajectory k after a length of its own."""

    def apply(self, batch: TrajectoryBatch) -> TrajectoryBatch:
        """Mark the trajectories whose length is reached."""
        length = 10 + (batch.trajectory_id * 37) % 71
        done = (batch.step >= length) & (batch.status == Status.ACTIVE)
        status = torch.where(done, int(Status.FINISHED), batch.status)
        return replace(batch, status=status)


def stilbene_case() -> Case:
    job = stilbene_job(trajectories=TRAJECTORIES, model="stilbene-ssr-3500")
    return Case(
        potential=job.potential,
        batch=job.begin(trajectories=TRAJECTORIES),
        options=job.options.step,
        rules=SpreadRules(max_steps=80),
        frame_steps=10,
    )


def ours(case: Case, potential: Potential) -> TrajectoryBatch:
    batch, frame = case.batch, 0
    while bool((batch.status == Status.ACTIVE).any()):
        frame += case.frame_steps
        batch = advance_to_frame(
            batch,
            potential,
            case.options,
            frame=frame,
            next_frame=frame + case.frame_steps,
            rules=case.rules,
            batch_size=PLACES,
        ).batch
    return batch


def in_turns(case: Case, potential: Potential) -> TrajectoryBatch:
    batch = case.batch
    while len(active := (batch.status == Status.ACTIVE).nonzero().squeeze(1)):
        for index in torch.split(active, PLACES):
            rows, _ = advance(
                select(batch, index),
                potential,
                case.options,
                steps=case.frame_steps,
                rules=case.rules,
                batch_size=PLACES,
            )
            batch = put_rows(batch, index, rows)
    return batch


def one_after_another(case: Case, potential: Potential) -> TrajectoryBatch:
    batch = case.batch
    while len(active := (batch.status == Status.ACTIVE).nonzero().squeeze(1)):
        index = active[:PLACES]
        rows, _ = advance(
            select(batch, index),
            potential,
            case.options,
            steps=case.frame_steps,
            rules=case.rules,
            batch_size=PLACES,
        )
        batch = put_rows(batch, index, rows)
    return batch


def compare(case: Case, *, repeats: int) -> dict[str, Any]:
    ways: dict[str, Callable[[Case, Potential], TrajectoryBatch]] = {
        "ours": ours,
        "in turns": in_turns,
        "one after another": one_after_another,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rows: dict[str, Any] = {}
    ends = {}
    for _ in range(repeats):
        for name, way in ways.items():
            counting = Counting(case.potential)
            began = time.process_time()
            ends[name] = way(case, counting)
            seconds[name].append(time.process_time() - began)
            made = int(ends[name].step.sum())
            rows[name] = {"batches": counting.batches, "trajectory_steps": made}
            rows[name]["filled"] = made / (counting.batches * PLACES)
    reference = tensors(ends["ours"])
    for name, row in rows.items():
        found = tensors(ends[name])
        if not all(torch.equal(value, found[key]) for key, value in reference.items()):
            raise SystemExit(f"{name} does not make the same trajectories")
        rates = [row["trajectory_steps"] / s for s in seconds[name]]
        ratios = [b / a for a, b in zip(seconds["ours"], seconds[name], strict=True)]
        row |= {
            "steps_per_second": measuring.summary(rates),
            "ratio": measuring.summary(ratios),
        }
    return rows


if __name__ == "__main__":
    main()
