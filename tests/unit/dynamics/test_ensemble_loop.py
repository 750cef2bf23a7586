"""The ensemble loop: the same bits however it is cut, stopped, resumed or squeezed for room."""

import errno
import resource
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from namd.dynamics import ensemble_loop
from namd.dynamics.advance import STRETCH, advance, advance_to_frame
from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.checkpoint import Checkpoint, resume_checkpoint
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.ensemble_loop import LoopOptions, Progress, run_ensemble
from namd.dynamics.finish import FinishRules
from namd.dynamics.hopping.landau_zener import LandauZener
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Reason, Status
from namd.dynamics.stopping import StopRequest
from namd.errors import Interrupted, ResumableStop
from namd.io import ensemble_writer
from namd.io.ensemble import read_ensemble
from namd.io.ensemble_start import Header, write_start
from namd.io.run_folder import RunFolder, create_run_folder
from namd.potentials.tully import MASS, tully

TRAJECTORIES = 5
TIMESTEP = 12.0
POTENTIAL = tully(1)
STEPS = StepOptions(
    timestep=TIMESTEP,
    masses=torch.tensor([MASS], dtype=torch.float64),
    seed=5,
    decoherence=NoDecoherence(),
)
RULES = FinishRules(max_steps=60, outside=3.01)
LOOP = LoopOptions(rules=RULES, frame_steps=7, checkpoint_s=0.0)


def beginning(options: StepOptions = STEPS) -> TrajectoryBatch:
    positions = torch.zeros(TRAJECTORIES, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = -3.0
    velocities = torch.zeros_like(positions)
    velocities[:, 0, 0] = (18.0 + torch.arange(TRAJECTORIES)) / MASS
    state = torch.zeros(TRAJECTORIES, dtype=torch.int64)
    return start(POTENTIAL, positions, velocities, state, options=options)


def new_folder(path: Path) -> RunFolder:
    folder = create_run_folder(path)
    batch = beginning()
    write_start(
        folder,
        Header(
            config={"seed": 5},
            molecule=POTENTIAL.molecule,
            states=POTENTIAL.states,
            potential=POTENTIAL.describe(),
            decoherence="none",
            timestep=TIMESTEP,
            seed=5,
            versions={},
            hardware={},
            trajectory_id=batch.trajectory_id.numpy(),
            positions=batch.positions.numpy(),
            velocities=batch.velocities.numpy(),
            active_state=batch.active_state.numpy(),
        ),
    )
    return folder


def go(
    folder: RunFolder, begin: TrajectoryBatch | Checkpoint | None = None, **options: Any
) -> None:
    names = ("batch_size", "checkpoint_s", "frame_steps")
    loop = {key: options.pop(key) for key in names if key in options}
    step_options = options.pop("step_options", STEPS)
    run_ensemble(
        folder,
        begin or beginning(step_options),
        POTENTIAL,
        step_options=step_options,
        loop_options=replace(LOOP, **loop),
        **options,
    )


def resume(folder: RunFolder) -> None:
    go(folder, resume_checkpoint(folder, device="cpu"))


def datasets(folder: RunFolder) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(folder.ensemble) as file:
        file.visititems(visit)
    return found


def assert_identical(first: RunFolder, second: RunFolder) -> None:
    one, other = datasets(first), datasets(second)
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.tobytes() == other[name].tobytes(), name


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = new_folder(tmp_path_factory.mktemp("loop") / "reference")
    go(folder, batch_size=64, checkpoint_s=1e9)
    return folder


def test_the_ensemble_is_complete_and_consistent(reference: RunFolder) -> None:
    ensemble = read_ensemble(reference.path)
    assert ensemble.n_trajectories == TRAJECTORIES
    assert (ensemble.final_status == Status.FINISHED).all()
    assert len(ensemble.hops) > 0
    assert ensemble.hops.accepted.any()
    energy = ensemble.total_energy
    assert np.abs(energy - energy[0]).max() < 2e-4  # a coarse time step
    norm = (np.abs(ensemble.amplitudes) ** 2).sum(-1)
    np.testing.assert_allclose(norm, 1, atol=1e-6)
    steps = datasets(reference)["frames/step"]
    np.testing.assert_array_equal(np.diff(steps)[:-1], 7)
    np.testing.assert_allclose(ensemble.time, steps * TIMESTEP)
    assert ensemble.final_step.max() <= steps[-1]
    # The fastest leave first, and where they have left they stay.
    assert ensemble.final_step[-1] < ensemble.final_step[0]
    for trajectory, final in enumerate(ensemble.final_step):
        after = ensemble.status[steps >= final, trajectory]
        assert (after == Status.FINISHED).all()


def test_nothing_but_the_ensemble_is_left(reference: RunFolder) -> None:
    assert sorted(path.name for path in reference.path.iterdir()) == ["ensemble.h5", "start.h5"]


@pytest.mark.parametrize(("batch_size", "checkpoint_s"), [(1, 0.0), (3, 0.0), (4, 1e9), (256, 0.0)])
def test_batches_and_blocks_have_no_influence(
    reference: RunFolder, tmp_path: Path, batch_size: int, checkpoint_s: float
) -> None:
    folder = new_folder(tmp_path / "run")
    go(folder, batch_size=batch_size, checkpoint_s=checkpoint_s)
    assert_identical(reference, folder)


@pytest.mark.parametrize(
    ("frame_steps", "hindsight"),
    [(1, True), (STRETCH + 3, False), (100, True)],
)
def test_going_ahead_is_not_seen_at_any_distance_of_frames(
    tmp_path: Path, *, frame_steps: int, hindsight: bool
) -> None:
    """Frames closer and further than a stretch; hops known at once or one step late."""
    late = replace(STEPS, electronic=None, hopping=LandauZener())
    options: dict[str, Any] = {"step_options": late if hindsight else STEPS}
    folders = [new_folder(tmp_path / name) for name in ("whole", "full")]
    go(folders[0], frame_steps=frame_steps, batch_size=64, checkpoint_s=1e9, **options)
    go(folders[1], frame_steps=frame_steps, batch_size=3, **options)
    assert_identical(*folders)
    assert len(datasets(folders[0])["hops/step"]) > 0


class ParkAfter:
    """A guard that trips in the first step after one, so that who is ahead parks on a frame."""

    reason = Reason.ENERGY_JUMP

    def __init__(self, step: int) -> None:
        self.step = step

    def trips(self, _: TrajectoryBatch, after: TrajectoryBatch, **_masses: torch.Tensor) -> Any:
        return after.step > self.step + 7 * (after.trajectory_id % 2)


@pytest.mark.parametrize("batch_size", [2, 4])
def test_a_trajectory_that_parks_ahead_is_not_parked_before_its_time(
    tmp_path: Path, batch_size: int
) -> None:
    guarded = replace(STEPS, guards=(ParkAfter(21),))
    folders = [new_folder(tmp_path / name) for name in ("whole", "full")]
    go(folders[0], step_options=guarded, batch_size=64, checkpoint_s=1e9)
    stop, report = stop_at(21, 2)
    with pytest.raises(Interrupted):
        go(folders[1], step_options=guarded, batch_size=batch_size, stop=stop, report=report)
    checkpoint = resume_checkpoint(folders[1], device="cpu")
    go(folders[1], checkpoint, step_options=guarded, batch_size=batch_size)
    assert_identical(*folders)
    found = datasets(folders[0])
    assert (found["final/status"] == Status.PARKED).all()
    assert found["frames/step"].tolist() == [0, 7, 14, 21, 28, 35]
    assert (found["frames/status"][3] == Status.ACTIVE).all()


def test_a_bucket_that_is_too_small_is_enlarged(reference: RunFolder, tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "run")
    go(folder, step_options=replace(STEPS, hop_capacity=1))
    assert_identical(reference, folder)


def stop_at(step: int, number: int) -> tuple[StopRequest, Callable[[Progress], None]]:
    request = StopRequest()

    def report(now: Progress) -> None:
        if now.step >= step:
            request.signal = number

    return request, report


def test_a_stopped_run_is_read_where_its_folder_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path / "run")
    stop, report = stop_at(21, 2)
    with pytest.raises(Interrupted):
        go(folder, stop=stop, report=report)
    (folder.parts / "snapshot.h5").mkdir()  # a folder in the way: even root cannot replace it
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ensemble = read_ensemble(folder.path)
    assert ensemble.path.parent == tmp_path
    assert ensemble.positions().shape == (TRAJECTORIES, 1, 3)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("batch_size", [4, 64])
def test_stopped_and_resumed_twice_is_the_same(
    reference: RunFolder, tmp_path: Path, batch_size: int
) -> None:
    folder = new_folder(tmp_path / "run")
    stop, report = stop_at(21, 2)
    with pytest.raises(Interrupted, match="stopped after step 21 of 60"):
        go(folder, stop=stop, report=report, checkpoint_s=1e9, batch_size=batch_size)
    stop, report = stop_at(35, 15)
    checkpoint = resume_checkpoint(folder, device="cpu")
    assert checkpoint is not None
    assert checkpoint.step == 21
    ahead = int(checkpoint.batch.step.max()) > 21
    assert ahead == (batch_size < TRAJECTORIES)
    with pytest.raises(ResumableStop):
        go(folder, checkpoint, stop=stop, report=report)
    # Half-way, what there is can be looked at.
    so_far = read_ensemble(folder.path)
    assert len(so_far.time) == 6
    assert so_far.n_trajectories == TRAJECTORIES
    resume(folder)
    assert_identical(reference, folder)


def test_a_full_disk_loses_nothing(
    reference: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path / "run")
    writes = 0
    real = ensemble_writer.write_bytes

    def fill_up(path: Path, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(ensemble_writer, "write_bytes", fill_up)
        with pytest.raises(ResumableStop, match="the disk is full"):
            go(folder)
    resume(folder)
    assert_identical(reference, folder)


def test_a_disk_that_fills_up_while_the_ensemble_is_joined_loses_nothing(
    reference: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_folder(tmp_path / "run")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    real = ensemble_loop.assemble

    def with_little_room(run: RunFolder, target: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            real(run, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with monkeypatch.context() as patched:
        patched.setattr(ensemble_loop, "assemble", with_little_room)
        with pytest.raises(ResumableStop, match="the disk is full"):
            go(folder)
    assert not list(folder.path.glob("*ensemble*"))
    resume(folder)
    assert_identical(reference, folder)


def test_progress_counts_every_trajectory_and_its_steps(tmp_path: Path) -> None:
    seen: list[Progress] = []
    folder = new_folder(tmp_path / "run")
    go(folder, report=seen.append)
    assert all(p.active + p.finished + p.parked == TRAJECTORIES for p in seen)
    assert [p.step for p in seen] == [min(7 * (k + 1), 60) for k in range(len(seen))]
    ensemble = read_ensemble(folder.path)
    assert seen[-1].trajectory_steps == ensemble.final_step.sum()
    assert seen[-1].hops == ensemble.hops.accepted.sum()


class Counted:
    """A potential that keeps how many trajectories every step was made with."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.molecule, self.states = POTENTIAL.molecule, POTENTIAL.states
        self.force, self.coupling = POTENTIAL.force, POTENTIAL.coupling
        self.describe = POTENTIAL.describe

    def surfaces(self, positions: torch.Tensor, *others: Any, **options: Any) -> Any:
        self.rows.append(len(positions))
        return POTENTIAL.surfaces(positions, *others, **options)


def test_places_of_trajectories_that_end_are_taken_at_once() -> None:
    """Ten trajectories of very different lengths in a batch of four."""
    counted, size, traj = Counted(), 4, 10
    positions = torch.zeros(traj, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = -3.0
    velocities = torch.zeros_like(positions)
    velocities[:, 0, 0] = (20.0 + 6.0 * torch.arange(traj)) / MASS
    batch = start(POTENTIAL, positions, velocities, torch.zeros(traj, dtype=torch.int64))
    rules = FinishRules(max_steps=100, outside=3.01)
    step = 0
    while (batch.status == Status.ACTIVE).any():
        step += 5
        waiting = int((batch.status == Status.ACTIVE).sum())
        made = len(counted.rows)
        batch = advance_to_frame(
            batch, counted, STEPS, frame=step, next_frame=step + 5, rules=rules, batch_size=size
        ).batch
        assert int(batch.step.max()) <= step + 5
        if waiting >= 2 * size:  # some may end on the way
            assert set(counted.rows[made:]) == {size}
    lengths = batch.step
    assert lengths.max() > 2 * lengths.min()
    # The fewest batches there can be if nobody runs far ahead, and a frame for the last to end.
    alive = (lengths > torch.arange(int(lengths.max()))[:, None]).sum(1)
    fewest = (alive / size).clamp(min=1.0).sum().item()
    assert fewest <= len(counted.rows) <= fewest + 5


def test_a_parked_trajectory_is_left_alone_and_costs_the_others_nothing() -> None:
    batch = beginning()
    status = batch.status.clone()
    status[2] = Status.PARKED
    options = {"steps": 20, "rules": RULES, "batch_size": 3}
    with_parked, _ = advance(replace(batch, status=status), POTENTIAL, STEPS, **options)
    without, _ = advance(batch, POTENTIAL, STEPS, **options)
    assert torch.equal(with_parked.positions[2], batch.positions[2])
    others = [0, 1, 3, 4]
    assert torch.equal(with_parked.amplitudes[others], without.amplitudes[others])
    assert torch.equal(with_parked.positions[others], without.positions[others])


def test_output_is_small_enough(tmp_path: Path) -> None:
    """26 atoms, 100 frames of random numbers: under 100 kB per trajectory."""
    from namd.io.ensemble_parts import assemble
    from namd.io.ensemble_writer import FINAL_DTYPES, FRAME_DTYPES, HOP_DTYPES, Block, write_part

    rng = np.random.default_rng(0)
    traj, frames = 5, 101
    shapes = {
        "step": (frames,),
        "time": (frames,),
        "positions": (frames, traj, 26, 3),
        "velocities": (frames, traj, 26, 3),
        "energies": (frames, traj, 2),
        "amplitudes": (frames, traj, 2),
    }
    columns = {name: rng.normal(size=shapes.get(name, (frames, traj))) for name in FRAME_DTYPES}
    hops = {name: np.zeros((0, 26, 3) if name == "positions" else 0) for name in HOP_DTYPES}
    final = {name: np.zeros(traj) for name in FINAL_DTYPES}
    folder = new_folder(tmp_path / "run")
    write_part(folder, 0, Block(frames=columns, hops=hops, final=final))
    assemble(folder, folder.ensemble)
    assert folder.ensemble.stat().st_size < 100_000 * traj
