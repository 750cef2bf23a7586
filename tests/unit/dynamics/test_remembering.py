"""A program that starts from what it had last: runs are the same however they are cut."""

from pathlib import Path

import numpy as np
import pytest
import torch

from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.checkpoint import resume_checkpoint
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.ensemble_loop import LoopOptions, Progress, run_ensemble
from namd.dynamics.finish import FinishRules
from namd.dynamics.hopping.landau_zener import LandauZener
from namd.dynamics.options import StepOptions
from namd.dynamics.stopping import StopRequest
from namd.errors import ResumableStop
from namd.io.ensemble import read_ensemble
from namd.io.ensemble_start import Header, write_start
from namd.io.run_folder import RunFolder, create_run_folder
from namd.molecule import Molecule
from namd.potentials.on_the_fly import engine_potential
from namd.qm.protocol import Answer, EngineInfo, Guess, Label
from namd.states import StateSpace

TRAJECTORIES = 6
HYDROGEN = Molecule.from_numbers(np.array([1, 1]))


class Engine:
    """Avoided crossing along a bond; every guess it was given leaves a mark on the forces."""

    def describe(self) -> EngineInfo:
        return EngineInfo(
            name="marked",
            level_of_theory="avoided crossing",
            states=StateSpace.singlets(2),
            provides=("interstate_coupling",),
        )

    def label(self, positions: np.ndarray, *, guess: Guess | None = None) -> Answer:
        vector = positions[1] - positions[0]
        length = float(np.linalg.norm(vector))
        along = np.stack([-vector, vector]) / length
        x, w = length - 2.0, 0.004
        half = np.hypot(0.02 * x, w)
        turn = 0.02 * x / half
        mark = 0.0 if guess is None else guess["mark"]
        slope = 0.1 * x + 1e-6 * mark
        return Answer(
            label=Label(
                energies=0.05 * x * x + np.array([-half, half]),
                forces=-np.stack([(slope - 0.02 * turn) * along, (slope + 0.02 * turn) * along]),
                interstate_coupling=(0.02 * w / half * along)[None],
            ),
            guess={"mark": 0.5 * mark + length},
        )


def options(*, hindsight: bool) -> StepOptions:
    hopping = {"electronic": NacVectors()}
    if hindsight:
        hopping = {"electronic": None, "hopping": LandauZener()}
    return StepOptions(
        timestep=10.0,
        masses=torch.as_tensor(HYDROGEN.masses),
        seed=2,
        decoherence=NoDecoherence(),
        **hopping,
    )


def go(
    path: Path,
    *,
    stops: tuple[int, ...] = (),
    batch_size: int = 64,
    frame_steps: int = 10,
    resume: bool = True,
    hindsight: bool,
) -> RunFolder:
    """A run that is stopped at steps and resumed by another process each time."""
    folder, steps = create_run_folder(path), options(hindsight=hindsight)
    potential = engine_potential(Engine(), HYDROGEN)
    begin = beginning(potential, steps)
    write_start(
        folder,
        Header(
            config={"seed": 2},
            molecule=HYDROGEN,
            states=potential.states,
            potential=potential.describe(),
            decoherence="none",
            timestep=steps.timestep,
            seed=2,
            versions={},
            hardware={},
            trajectory_id=begin.trajectory_id.numpy(),
            positions=begin.positions.numpy(),
            velocities=begin.velocities.numpy(),
            active_state=begin.active_state.numpy(),
        ),
    )
    loop = LoopOptions(
        rules=FinishRules(max_steps=90),
        frame_steps=frame_steps,
        checkpoint_s=0.0,
        batch_size=batch_size,
    )
    for stop_at in (*stops, 1000):
        stop = StopRequest()

        def report(now: Progress, stop: StopRequest = stop, stop_at: int = stop_at) -> None:
            if now.step >= stop_at:
                stop.signal = 15

        try:
            run_ensemble(
                folder,
                begin,
                potential,
                step_options=steps,
                loop_options=loop,
                stop=stop,
                report=report,
            )
        except ResumableStop:
            if not resume:
                break
            found = resume_checkpoint(folder, device="cpu")
            assert found is not None
            begin, potential = found, engine_potential(Engine(), HYDROGEN)
    return folder


def beginning(potential, steps: StepOptions) -> TrajectoryBatch:
    positions = torch.zeros(TRAJECTORIES, 2, 3, dtype=torch.float64)
    positions[:, 1, 2] = 2.6 + 0.05 * torch.arange(TRAJECTORIES)
    state = torch.ones(TRAJECTORIES, dtype=torch.int64)
    return start(potential, positions, torch.zeros_like(positions), state, options=steps)


@pytest.mark.parametrize("hindsight", [False, True])
def test_batches_stops_and_resumptions_are_not_seen(tmp_path: Path, *, hindsight: bool) -> None:
    whole = go(tmp_path / "whole", hindsight=hindsight)
    small = go(tmp_path / "small", batch_size=2, hindsight=hindsight)
    cut = go(tmp_path / "cut", stops=(20, 50), batch_size=4, hindsight=hindsight)
    one = read_ensemble(whole.path)
    assert len(one.hops) > 0
    for folder in (small, cut):
        other = read_ensemble(folder.path)
        np.testing.assert_array_equal(one.positions(), other.positions())
        np.testing.assert_array_equal(one.active_state, other.active_state)
        np.testing.assert_array_equal(one.hops.time, other.hops.time)


def test_what_is_read_of_a_stopped_run_agrees_with_itself(tmp_path: Path) -> None:
    """Every change of state up to the last frame has its hop in the table."""
    whole = read_ensemble(go(tmp_path / "whole", frame_steps=1, hindsight=False).path)
    when = round(whole.hops.time[whole.hops.accepted][0] / whole.timestep)
    cut = go(tmp_path / "cut", stops=(when,), frame_steps=1, resume=False, hindsight=False)
    found = read_ensemble(cut.path)
    changes = (np.diff(found.active_state, axis=0) != 0).sum()
    assert len(found.time) == when + 1
    assert found.hops.accepted.sum() == changes > 0
