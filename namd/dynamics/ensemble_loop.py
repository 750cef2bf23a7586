"""The loop around the step: saved frames, blocks on the disk, checkpoints, progress, a clean stop.

All trajectories advance together from frame to frame, so that a run looked at half-way shows every
one of them up to the same time; those that go ahead to keep the batch full
(:mod:`namd.dynamics.advance`) are seen as they were at the frame. Frames and hops gather in memory;
every few seconds they become one block on the disk, followed by a checkpoint. How long a block is
has no influence on any number.
"""

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from namd.dynamics.advance import Advanced, advance_to_frame
from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.checkpoint import Checkpoint, save_checkpoint
from namd.dynamics.finish import FinishRules
from namd.dynamics.frames import final_of, frame_of, parked_of, stack_frames
from namd.dynamics.hop_table import Columns, join_hops, split_hops
from namd.dynamics.hopping.protocol import HopInHindsight
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.dynamics.stopping import StopRequest
from namd.errors import ResumableStop
from namd.io.ensemble_parts import assemble
from namd.io.ensemble_writer import Block, write_part
from namd.io.run_folder import RunFolder
from namd.potentials.protocol import Potential, Remembering


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How an ensemble is run, apart from the physics of a step.

    Parameters
    ----------
    rules
        When a trajectory is finished.
    frame_steps
        Steps between saved frames.
    batch_size
        Trajectories stepped at once.
    checkpoint_s
        Wall-clock seconds between blocks; 0 makes every frame a block.
    velocities
        Whether frames hold velocities.
    """

    rules: FinishRules
    frame_steps: int
    batch_size: int = 64
    checkpoint_s: float = 10.0
    velocities: bool = True


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands.

    Parameters
    ----------
    step, steps
        Steps that every active trajectory has made, and those of the longest one.
    active, finished, parked
        Trajectories by status.
    hops
        Accepted hops so far.
    trajectory_steps
        Steps times active trajectories, since this process took over.
    elapsed
        Wall-clock seconds since then.
    """

    step: int
    steps: int
    active: int
    finished: int
    parked: int
    hops: int
    trajectory_steps: int
    elapsed: float


def run_ensemble(
    folder: RunFolder,
    begin: TrajectoryBatch | Checkpoint,
    potential: Potential,
    *,
    step_options: StepOptions,
    loop_options: LoopOptions,
    stop: StopRequest | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Run an ensemble to its end and leave ``ensemble.h5`` in the run folder.

    Parameters
    ----------
    folder
        A run folder whose header is written.
    begin
        Trajectories at step 0, or the checkpoint to go on from.
    potential
        Electronic structure.
    step_options, loop_options
        Physics of a step; everything around it.
    stop
        Asked after every frame; when set, the block is written and the run left.
    report
        Called after every frame.

    Raises
    ------
    ResumableStop, Interrupted
        If asked to stop, or the disk is full; everything up to the last checkpoint is safe.
    """
    request = StopRequest() if stop is None else stop
    if isinstance(begin, Checkpoint) and isinstance(potential, Remembering):
        potential.recall(begin.remembered)
    run = _Recorder(folder, begin, step_options, loop_options)
    rules, started, made = loop_options.rules, time.monotonic(), 0
    while run.goes_on and not request:
        frame = min(run.step + loop_options.frame_steps, rules.max_steps)
        before = int(run.batch.step.sum())
        advanced = advance_to_frame(
            run.batch,
            potential,
            step_options,
            frame=frame,
            next_frame=frame + loop_options.frame_steps,
            rules=rules,
            batch_size=loop_options.batch_size,
        )
        made += int(advanced.batch.step.sum()) - before
        run.take(advanced, step=frame)
        report(run.progress(trajectory_steps=made, elapsed=time.monotonic() - started))
        if not run.goes_on or request or run.is_due:
            run.write_block(potential)
    run.write_block(potential)
    if run.goes_on:
        raise request.error(
            f"stopped after step {run.step} of {rules.max_steps}; everything up to there is saved",
            where=str(folder.path),
            hint="go on with --resume",
        )
    _complete(folder)


def _complete(folder: RunFolder) -> None:
    """Join the blocks and remove what is then superfluous."""
    try:
        assemble(folder, folder.ensemble)
    except OSError as error:
        raise _no_room(folder, error) from error
    folder.clear_progress()


class _Recorder:
    """The ensemble in memory and what of it is not on the disk yet."""

    def __init__(
        self,
        folder: RunFolder,
        begin: TrajectoryBatch | Checkpoint,
        step_options: StepOptions,
        loop_options: LoopOptions,
    ) -> None:
        self.folder, self.step_options, self.loop_options = folder, step_options, loop_options
        self.frames: list[Columns] = []
        self.tables: list[Columns] = []
        self.last_write = time.monotonic()
        if isinstance(begin, Checkpoint):
            self.batch, self.frame, self.step = begin.batch, begin.batch, begin.step
            self.hops, self.digests = begin.hops, begin.digests
            self.goes_on = begin.goes_on
            if begin.hops_ahead:
                self.tables.append(dict(begin.hops_ahead))
        else:
            self.batch, self.frame, self.step = begin, begin, 0
            self.hops, self.digests, self.goes_on = 0, (), _any_active(begin)
            self._save_frame()
        self.counts = _count(self.batch.status)

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self.last_write >= self.loop_options.checkpoint_s

    def take(self, advanced: Advanced, *, step: int) -> None:
        """Keep the ensemble as it stands and its frame at ``step``, with the hops on the way."""
        self.batch, self.frame, self.step = advanced.batch, advanced.frame, step
        self.hops += int(advanced.hops["accepted"].sum())
        self.tables.append(advanced.hops)
        self.counts = _count(self.batch.status)
        self.goes_on = _any_active(self.frame)
        self._save_frame()

    def progress(self, *, trajectory_steps: int, elapsed: float) -> Progress:
        """Where the run stands."""
        return Progress(
            step=self.step,
            steps=self.loop_options.rules.max_steps,
            active=self.counts[Status.ACTIVE],
            finished=self.counts[Status.FINISHED],
            parked=self.counts[Status.PARKED],
            hops=self.hops,
            trajectory_steps=trajectory_steps,
            elapsed=elapsed,
        )

    def write_block(self, potential: Potential) -> None:
        """Put what is new on the disk: the block first, then the checkpoint that vouches for it."""
        if not self.frames:
            return
        hops = join_hops(self.tables, atoms=self.batch.positions.shape[1])
        # The table stays in the order of time: what may still happen at a step goes after it.
        told = self.step + (not isinstance(self.step_options.hopping, HopInHindsight))
        hops, later = split_hops(hops, step=told) if self.goes_on else (hops, {})
        block = Block(
            frames=stack_frames(self.frames),
            hops=hops,
            final=final_of(self.frame),
            parked=parked_of(self.frame, timestep=self.step_options.timestep),
        )
        try:
            digest = write_part(self.folder, len(self.digests), block)
            self.digests = (*self.digests, digest)
            state = Checkpoint(
                batch=self.batch,
                step=self.step,
                hops=self.hops,
                digests=self.digests,
                hops_ahead=later,
                goes_on=self.goes_on,
                remembered=potential.remembered() if isinstance(potential, Remembering) else {},
            )
            save_checkpoint(self.folder, state)
        except OSError as error:
            raise _no_room(self.folder, error) from error
        self.frames, self.tables = [], [later] if later else []
        self.last_write = time.monotonic()

    def _save_frame(self) -> None:
        self.frames.append(
            frame_of(
                self.frame,
                step=self.step,
                timestep=self.step_options.timestep,
                masses=self.step_options.masses,
                velocities=self.loop_options.velocities,
            )
        )


def _any_active(frame: TrajectoryBatch) -> bool:
    """Whether a run goes on after a saved frame; who ended ahead of it is still active there."""
    return bool((frame.status == Status.ACTIVE).any())


def _count(status: Int64[Tensor, " traj"]) -> dict[Status, int]:
    counts = torch.bincount(status, minlength=len(Status)).tolist()
    return {kind: counts[kind] for kind in Status}


def _no_room(folder: RunFolder, error: OSError) -> ResumableStop:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return ResumableStop(
        "the disk is full" if full else f"the run folder cannot be written: {error.strerror}",
        where=str(folder.path),
        hint="make room, then go on from the last checkpoint with --resume",
    )
