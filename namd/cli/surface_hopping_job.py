"""The steps of ``namd run surface-hopping``, each a call into the library."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import yaml

from namd import __version__
from namd.cli import console
from namd.cli.run_progress import show_progress
from namd.cli.run_summary import show_summary
from namd.config.classes import check_atoms
from namd.config.loading import differing_keys, load_config, resolved_config
from namd.config.presets import expand_preset
from namd.config.run import WITHOUT_INFLUENCE, RunConfig
from namd.data.native import write_dataset
from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.checkpoint import Checkpoint, resume_checkpoint
from namd.dynamics.ensemble_loop import run_ensemble
from namd.dynamics.from_config import RunOptions, run_options
from namd.dynamics.hopping.protocol import HopProbability
from namd.dynamics.stopping import stop_on_signals
from namd.dynamics.timestep_check import check_timestep
from namd.errors import ConfigError, ModelError, ResumableStop
from namd.io.atomic import remove_leftovers, write_text
from namd.io.ensemble_start import Header, read_start, write_start
from namd.io.library import find_run_config
from namd.io.run_folder import (
    RunFolder,
    create_run_folder,
    default_run_folder,
    locked,
    open_run_folder,
)
from namd.nn.device import choose_device
from namd.nn.parallel import use_threads
from namd.potentials.from_config import make_potential
from namd.potentials.protocol import Potential
from namd.qm.kept_labels import KeptLabels
from namd.sampling.conditions import InitialConditions
from namd.sampling.fastest_vibration import fastest_vibration
from namd.sampling.initial_conditions import make_initial_conditions

_NAMED = 8
"""Keys named where two configurations differ in more."""


def run_job(name: str, *, overrides: Sequence[str], output: Path | None, resume: bool) -> None:
    """Start or resume a run and show how it ended.

    Parameters
    ----------
    name
        Configuration file, or its name in the run library.
    overrides
        ``key=value`` strings.
    output
        Run folder.
    resume
        Go on with the run in ``output``.
    """
    path = find_run_config(name)
    config = load_config(path, RunConfig, expand_preset(overrides))
    if resume and output is None:
        raise ConfigError(
            "which run?", where="--resume", hint="give the folder of the run with --output"
        )
    target = output if output is not None else default_run_folder(path.stem)
    command = ["run", "surface-hopping", name, "--output", str(target)]
    command += [word for override in overrides for word in ("--set", override)]
    with stop_on_signals() as stop, _opened(target, resume=resume) as folder:
        header = read_start(folder) if resume else None
        if header is not None:
            _refuse_changes(header, config, where=str(folder.path))
        if not folder.ensemble.exists():
            use_threads()
            device = choose_device(config.device)
            potential = make_potential(
                config.potential, base=path.parent, device=device, labels=folder.labels
            )
            if header is None:
                header = _begin(folder, config, potential, source=path, device=device)
            elif header.potential != potential.describe():
                raise ModelError(
                    "the model is not the one this run was started with",
                    where=str(folder.path),
                    hint="bring the old model back, or start a new run",
                )
            options = run_options(
                config, potential.molecule, reference=header.reference, device=device
            )
            state = _state(folder, header, potential, options, device=device)
            console.note(f"run folder  {folder.path}")
            with console.resumable(*command), show_progress() as report:
                run_ensemble(
                    folder,
                    state,
                    potential,
                    step_options=options.step,
                    loop_options=options.loop,
                    stop=stop,
                    report=report,
                )
        else:
            console.note("this run is complete; nothing is left to do")
            folder.clear_progress()
        _join_labels(folder)
    show_summary(folder.path)


@contextmanager
def _opened(target: Path, *, resume: bool) -> Iterator[RunFolder]:
    """Open the run folder under lock; a new one is removed if the run does not get to its start."""
    folder = open_run_folder(target) if resume else create_run_folder(target)
    with locked(folder):
        for place in (folder.path, folder.parts):
            remove_leftovers(place)
        try:
            yield folder
        finally:
            if not resume and not folder.start.exists():
                shutil.rmtree(folder.path, ignore_errors=True)


def _join_labels(folder: RunFolder) -> None:
    """Make a dataset of what a reference engine has labelled on the way."""
    kept = KeptLabels(folder.labels)
    dataset = kept.join(run=folder.path.resolve().name)
    if dataset is not None:
        write_dataset(dataset, folder.labelled, overwrite=True)
        console.note(f"labels      {folder.labelled}: {len(dataset)} frames")
    kept.remove()


def _refuse_changes(header: Header, config: RunConfig, *, where: str) -> None:
    """Refuse to resume under another configuration, naming the keys that differ."""
    changed = [
        key
        for key in differing_keys(header.config, resolved_config(config))
        if key not in WITHOUT_INFLUENCE
    ]
    if changed:
        named = ", ".join(changed[:_NAMED])
        if len(changed) > _NAMED:
            named += f" and {len(changed) - _NAMED} more"
        raise ConfigError(
            f"the configuration differs from that of the run in: {named}",
            where=where,
            hint="give the same configuration and options, or start a new run",
        )


def _begin(
    folder: RunFolder, config: RunConfig, potential: Potential, *, source: Path, device: str
) -> Header:
    """Make the initial conditions and write the head of the run."""
    made = make_initial_conditions(
        config.initial_conditions,
        potential,
        trajectories=config.trajectories,
        seed=config.seed,
        base=source.parent,
        cache=folder.hessian,
        device=device,
    )
    # After the geometry: where the model is of another molecule, that is what is to be said.
    if config.analysis is not None:
        check_atoms(config.analysis, len(potential.molecule), where=f"{source}  analysis")
    for line in made.notes:
        console.note(line)
    checked = _check_timestep(made, potential, config.dynamics.timestep, device=device)
    options = run_options(config, potential.molecule, reference=made.reference, device=device)
    if made.diabatic_state is not None and not isinstance(options.step.hopping, HopProbability):
        console.warn(
            f"{config.dynamics.hopping} keeps no amplitudes: active states are drawn with the "
            "weights of the diabatic state, its coherences are lost"
        )
    header = Header(
        config=resolved_config(config),
        molecule=potential.molecule,
        states=potential.states,
        potential=potential.describe(),
        decoherence=options.step.decoherence.describe(),
        timestep=config.dynamics.timestep,
        timestep_check=checked,
        seed=config.seed,
        versions=_versions(),
        hardware=_hardware(device),
        trajectory_id=torch.arange(config.trajectories).numpy(),
        positions=made.positions,
        velocities=made.velocities,
        active_state=made.active_state,
        diabatic_state=made.diabatic_state,
        reference=made.reference,
        initial_conditions=made.record(),
        candidate=made.candidate,
    )
    text = yaml.safe_dump(header.config, sort_keys=False, allow_unicode=True)
    try:
        write_text(folder.config, f"# Resolved from {source.name}\n{text}")
        write_start(folder, header)
    except OSError as error:
        raise ResumableStop(
            f"the run folder cannot be written: {error.strerror}",
            where=str(folder.path),
            hint="make room, then start again",
        ) from error
    return header


def _check_timestep(
    made: InitialConditions, potential: Potential, timestep: float, *, device: str
) -> str:
    """Measure the time step by the fastest vibration and tell how it compares."""
    fastest = fastest_vibration(made, potential, device=device)
    if fastest is None:
        return ""
    check = check_timestep(fastest.frequency, vibration=fastest.name, timestep=timestep)
    (console.warn if check.coarse else console.note)(check.text)
    return check.text


def _state(
    folder: RunFolder, header: Header, potential: Potential, options: RunOptions, *, device: str
) -> TrajectoryBatch | Checkpoint:
    """Take the last good checkpoint, or the trajectories at step 0."""
    found = resume_checkpoint(folder, device=device)
    if found is not None:
        console.note(f"resumed at step {found.step} of {options.loop.rules.max_steps}")
        return found

    def numbers(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.int64, device=device)

    return start(
        potential,
        torch.as_tensor(header.positions, dtype=torch.float64, device=device),
        torch.as_tensor(header.velocities, dtype=torch.float64, device=device),
        numbers(header.active_state),
        trajectory_id=numbers(header.trajectory_id),
        diabatic_state=None if header.diabatic_state is None else numbers(header.diabatic_state),
        options=options.step,
    )


def _versions() -> dict[str, str]:
    packages = ("torch", "e3nn", "numpy", "h5py")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"namd": __version__, "python": platform.python_version(), **found}


def _hardware(device: str) -> dict[str, str]:
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    return {
        "device": device,
        "name": name,
        "cpus": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
    }
