"""What is said at the end of a run: where it ended, what was parked and why, what to do next."""

import shlex
from pathlib import Path

import numpy as np

from namd.analysis.subject import endings, subject
from namd.cli import console
from namd.io.ensemble import REASONS, Ensemble, is_parked, parking_reasons, read_ensemble
from namd.io.parked import Parked, read_parked
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME

_UNTRUSTED = REASONS[4].name


def show_summary(folder: Path) -> None:
    """Print the summary of a complete run to stdout and the next commands to stderr."""
    ensemble = read_ensemble(folder)
    console.result(f"{subject(ensemble)}, {ensemble.time[-1] * FS_PER_ATOMIC_TIME:.6g} fs")
    counts = endings(ensemble)
    reasons = ", ".join(f"{name}: {count}" for name, count in parking_reasons(ensemble).items())
    parked = f"{counts['parked']} ({reasons})" if reasons else str(counts["parked"])
    console.result(f"finished    {counts['finished']}, parked {parked}")
    doubtful = _doubtful(ensemble, read_parked(folder))
    if doubtful:
        console.result(f"not trusted {doubtful}")
    console.result(f"populations {_populations(ensemble)}")
    console.result(f"hops        {int(ensemble.hops.accepted.sum())} of {len(ensemble.hops)} tried")
    console.result(f"methods     {_methods(ensemble)}")
    console.result(f"decoherence {ensemble.decoherence}")
    drift = _largest_drift(ensemble)
    if drift is not None:
        console.result(f"drift       {drift:.2g} eV at most in the total energy of a trajectory")
    megabytes = ensemble.path.stat().st_size / 1e6
    console.result(f"ensemble    {ensemble.path} ({megabytes:.1f} MB)")
    if counts["parked"] * 2 > ensemble.n_trajectories:
        console.warn("more than half of the trajectories were parked; look at the reasons")
    quoted = shlex.quote(str(folder))
    console.note("next:")
    if doubtful:
        console.note(f"  namd label {quoted} --engine ENGINE --config FILE --output labels.h5")
    console.note(f"  namd analyze populations {quoted} --figure populations.png")
    if ensemble.config.get("analysis"):
        console.note(f"  namd analyze quantum-yield {quoted} --figure yields.png")


def _doubtful(ensemble: Ensemble, parked: Parked) -> str:
    """Say in which states, when and with which expected error trajectories left what is known."""
    rows = np.array([name == _UNTRUSTED for name in parked.reason_names()], dtype=bool)
    if not rows.any() or parked.energy_deviation is None:
        return ""
    states, counts = np.unique(parked.active_state[rows], return_counts=True)
    where = ", ".join(
        f"{count} in {ensemble.states.labels[state]}"
        for state, count in zip(states.tolist(), counts.tolist(), strict=True)
    )
    fs = parked.time[rows] * FS_PER_ATOMIC_TIME
    own = parked.energy_deviation[rows, parked.active_state[rows]]
    error = 1e3 * EV_PER_HARTREE * float(np.median(own))
    return f"{where}, at {fs.min():.1f} to {fs.max():.1f} fs, expecting {error:.0f} meV (median)"


def _methods(ensemble: Ensemble) -> str:
    """Electronic propagation, hopping and momentum changes; the decoherence has its own line."""
    methods = ensemble.config["dynamics"]
    return (
        f"{methods['electronic']}, {methods['hopping']}, momentum along {methods['rescaling']}, "
        f"after a refused hop {methods['frustrated']}"
    )


def _populations(ensemble: Ensemble) -> str:
    """Fractions of the active state in the last frame, over the trajectories not parked."""
    sound = ~is_parked(ensemble)
    if not sound.any():
        return "none (all trajectories were parked)"
    last = ensemble.active_state[-1, sound]
    shares = (
        f"{label} {np.mean(last == number):.3f}"
        for number, label in enumerate(ensemble.states.labels)
    )
    return ", ".join(shares)


def _largest_drift(ensemble: Ensemble) -> float | None:
    """Largest change of a trajectory's total energy over the saved frames, eV."""
    sound = ~is_parked(ensemble)
    if not sound.any():
        return None
    energy = ensemble.total_energy[:, sound]
    return float(np.abs(energy - energy[0]).max() * EV_PER_HARTREE)
