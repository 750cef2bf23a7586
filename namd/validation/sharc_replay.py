"""A SHARC 2 trajectory made again, step by step, with our own methods.

Energies, gradients and coupling vectors are read from ``output.dat``; every step starts from the
positions, velocities and amplitudes that the file has at t and must arrive at those it has at
t + dt. All steps are one batch. The methods are those every run of ours uses: velocity Verlet,
propagation with coupling vectors, finite-step hop probabilities, rescaling, decoherence. Three
conventions of SHARC 2 differ from our defaults:

* energy-based decoherence damps the *amplitude* with τ, not the population;
* a hop restores the total energy of the *step before*, and so hides one step's drift;
* on the step after a hop, T(t) is still the one made with the velocities before the hop.

Couplings are taken with the signs the file gives them; SHARC has turned them where it does.

Reference: S. Mai, P. Marquetand, L. González, WIREs Comput. Mol. Sci. 8 (2018) e1370,
DOI 10.1002/wcms.1370.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float, Float64, Int, Int64
from torch import Tensor

from namd.dynamics.batch import (
    TrajectoryBatch,
    active_energy,
    kinetic_energy_of,
    start,
    total_energy,
)
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.decoherence.protocol import StepCircumstances
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.hopping.protocol import ElectronicChange
from namd.dynamics.hopping.selection import select_state
from namd.dynamics.momentum.along_coupling import AlongCoupling
from namd.dynamics.momentum.along_velocity import AlongVelocity
from namd.dynamics.momentum.rescale import rescale
from namd.dynamics.nuclei import move_nuclei
from namd.dynamics.options import StepOptions
from namd.errors import DataError
from namd.io.sharc import SharcTrajectory, read_sharc_output
from namd.io.sharc_input import SharcMethods
from namd.molecule import Molecule
from namd.potentials.replay import ReplayPotential
from namd.states import StateSpace

QUANTITIES = (
    "positions",
    "velocities",
    "amplitudes",
    "hop_probabilities",
    "rescaled_velocities",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplayOutcome:
    """How far our steps end from those of the file.

    Parameters
    ----------
    atoms, states
        Sizes of the trajectory.
    steps
        Numbers of the steps made, those of the file.
    hops
        Accepted hops of the file.
    other_decisions
        Steps at whose end we are in another state than the file.
    deviations
        For every name of ``QUANTITIES`` the largest absolute deviation of each step, atomic units;
        velocities are those at the end of a step, rescaled ones only at accepted hops (elsewhere
        zero).
    """

    steps: Int[np.ndarray, " step"]
    atoms: int
    states: int
    hops: int
    other_decisions: int
    deviations: Mapping[str, Float[np.ndarray, " step"]]


def replay_sharc(path: Path, methods: SharcMethods) -> ReplayOutcome:
    """Replay an ``output.dat``.

    Parameters
    ----------
    path
        The file.
    methods
        How the trajectory was propagated.

    Raises
    ------
    DataError
        If the file cannot be read or lacks what a replay needs, or if a method was used that we
        cannot replay; what it is is named.
    """
    trajectory = read_sharc_output(path)
    _refuse_methods(methods, where=str(path))
    _refuse_trajectory(trajectory, where=str(path))
    potential = replay_potential(trajectory, name=path.name)
    options = _options(trajectory, methods)
    ours = _make_steps(trajectory, potential, options)
    hopped = trajectory.active_state[1:] != trajectory.active_state[:-1]
    velocities = _largest(ours.velocities - trajectory.velocities[1:])
    return ReplayOutcome(
        steps=trajectory.step[1:],
        atoms=len(trajectory.masses),
        states=trajectory.energies.shape[1],
        hops=int(hopped.sum()),
        other_decisions=int((ours.active_state != trajectory.active_state[1:]).sum()),
        deviations={
            "positions": _largest(ours.positions - trajectory.positions[1:]),
            "velocities": velocities,
            "amplitudes": _largest(ours.amplitudes - trajectory.amplitudes[1:]),
            "hop_probabilities": _largest(ours.probabilities - _recorded(trajectory)[1:]),
            "rescaled_velocities": np.where(hopped, velocities, 0.0),
        },
    )


def replay_potential(trajectory: SharcTrajectory, *, name: str) -> ReplayPotential:
    """Electronic structure of a SHARC trajectory, energies less its ``ezero``.

    Gradients that were not computed are NaN.

    Parameters
    ----------
    trajectory
        With gradients and coupling vectors.
    name
        Where it comes from.

    Raises
    ------
    DataError
        If the file has no gradients or couplings.
    """
    if trajectory.gradients is None or trajectory.nonadiabatic_coupling is None:
        missing = "gradients" if trajectory.gradients is None else "coupling vectors"
        keyword = "write_grad" if trajectory.gradients is None else "write_nacdr"
        raise DataError(
            f"the trajectory holds no {missing}",
            where=name,
            hint=f"it must be run with the keyword {keyword}",
        )
    gradients = trajectory.gradients.copy()
    gradients[np.abs(gradients).max((2, 3)) == 0] = np.nan
    energies = trajectory.relative_energies
    gaps = energies[:, None, :] - energies[:, :, None]
    return ReplayPotential(
        molecule=Molecule(atomic_numbers=trajectory.atomic_numbers, masses=trajectory.masses),
        states=StateSpace.singlets(energies.shape[1]),
        positions=torch.as_tensor(trajectory.positions),
        energies=torch.as_tensor(energies),
        gradients=torch.as_tensor(gradients),
        couplings=torch.as_tensor(trajectory.nonadiabatic_coupling * gaps[..., None, None]),
        name=name,
    )


def _refuse_methods(methods: SharcMethods, *, where: str) -> None:
    """Name the first method that a replay cannot follow."""
    followed = {
        "coupling": (methods.coupling, {"nacdr", "ddr"}),
        "ekincorrect": (methods.rescaling, {"parallel_nac", "parallel_vel"}),
        "reflect_frustrated": (methods.frustrated, {"none"}),
        "decoherence_scheme": (methods.decoherence, {"edc", "none"}),
        "hopping_procedure": (methods.hopping, {"sharc", "standard"}),
    }
    for keyword, (value, known) in followed.items():
        if value not in known:
            raise DataError(
                f"cannot be replayed; expected one of: {', '.join(sorted(known))}",
                where=f"{where}  {keyword} {value}",
            )
    if methods.other:
        raise DataError(
            "trajectories made with this keyword cannot be replayed",
            where=f"{where}  {methods.other[0]}",
        )


def _refuse_trajectory(trajectory: SharcTrajectory, *, where: str) -> None:
    """Say what of the file makes a replay impossible."""
    weights = np.abs(trajectory.rotation) ** 2
    if trajectory.laser:
        message = "trajectories in a laser field cannot be replayed"
    elif len(trajectory.step) < 2:
        message = "a replay needs at least two steps"
    elif (np.diff(trajectory.step) != 1).any():
        message = "the file does not hold every step"
    elif np.abs(trajectory.time / trajectory.timestep - trajectory.step).max() > 1e-3:
        message = "the time step adapts: only a fixed one is replayed"
    elif np.minimum(weights, np.abs(1.0 - weights)).max() > 1e-8:
        message = "the states are mixed (spin-orbit coupling): only U with one 1 a row is replayed"
    elif np.abs(np.diff(weights, axis=0)).max() > 0.5:
        frame = int(np.abs(np.diff(weights, axis=0)).max((1, 2)).argmax())
        message = f"states change places at step {trajectory.step[frame + 1]}: not replayed"
    else:
        return
    raise DataError(message, where=where)


def _options(trajectory: SharcTrajectory, methods: SharcMethods) -> StepOptions:
    """Our strategies with the conventions of SHARC 2."""
    edc = EnergyBasedDecoherence(constant=methods.decoherence_constant, convention="amplitude")
    return StepOptions(
        timestep=trajectory.timestep,
        masses=torch.as_tensor(trajectory.masses),
        seed=0,
        electronic=NacVectors(substeps=trajectory.substeps, velocities_before_hop=True),
        rescaling=AlongCoupling() if methods.rescaling == "parallel_nac" else AlongVelocity(),
        decoherence=edc if methods.decoherence == "edc" else NoDecoherence(),
        guards=(),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Steps:
    """Where our steps end."""

    positions: Float[np.ndarray, "step atom 3"]
    velocities: Float[np.ndarray, "step atom 3"]
    amplitudes: Complex[np.ndarray, "step state"]
    probabilities: Float[np.ndarray, "step state"]
    active_state: Int[np.ndarray, " step"]


def _make_steps(
    trajectory: SharcTrajectory, potential: ReplayPotential, options: StepOptions
) -> _Steps:
    """Make every step of the trajectory, row k from frame k of the file to frame k + 1."""
    before = start(
        potential,
        torch.as_tensor(trajectory.positions[:-1]),
        torch.as_tensor(trajectory.velocities[:-1]),
        torch.as_tensor(trajectory.active_state[:-1]),
        options=options,
    )
    before = replace(before, amplitudes=torch.as_tensor(trajectory.amplitudes[:-1]))
    moved = move_nuclei(before, potential, options)
    # What the methods remember at t is what the row before ended with.
    ended = options.propagation.propagate(before, moved, timestep=options.timestep).memory
    memory = {
        name: torch.cat((first[:1], ended[name][:-1])) for name, first in before.memory.items()
    }
    before = replace(before, memory=memory)
    made = options.propagation.propagate(before, moved, timestep=options.timestep)
    amplitudes = (made.propagator @ before.amplitudes.unsqueeze(-1)).squeeze(-1)
    probabilities = options.probability.probabilities(
        ElectronicChange(
            amplitudes_before=before.amplitudes,
            amplitudes_after=amplitudes,
            propagator=made.propagator,
            active_state=before.active_state,
            path=made.path,
        )
    )
    target = select_state(
        probabilities,
        torch.as_tensor(trajectory.random_number[1:]),
        active_state=before.active_state,
    )
    velocities, accepted = _hop(before, moved, potential, options, target=target)
    after = replace(
        moved,
        velocities=velocities,
        active_state=torch.where(accepted, target, before.active_state),
        amplitudes=amplitudes,
    )
    circumstances = StepCircumstances(
        attempted=target != before.active_state,
        accepted=accepted,
        masses=options.masses,
        timestep=options.timestep,
        seed=options.seed,
    )
    damped = options.decoherence.damp(before, after, step=circumstances)
    return _Steps(
        positions=moved.positions.numpy(),
        velocities=velocities.numpy(),
        amplitudes=damped.amplitudes.numpy(),
        probabilities=probabilities.numpy(),
        active_state=damped.active_state.numpy(),
    )


def _hop(
    before: TrajectoryBatch,
    moved: TrajectoryBatch,
    potential: ReplayPotential,
    options: StepOptions,
    *,
    target: Int64[Tensor, " step"],
) -> tuple[Float64[Tensor, "step atom 3"], Bool[Tensor, " step"]]:
    """Velocities after the hops, which restore the total energy of the step before."""
    direction = options.rescaling.direction(
        potential,
        moved.positions,
        moved.velocities,
        masses=options.masses,
        first=before.active_state,
        second=target,
    )
    after = replace(moved, active_state=target)
    kinetic = kinetic_energy_of(moved.velocities, options.masses)
    released = total_energy(before, options.masses) - kinetic - active_energy(after)
    rescaled, allowed = rescale(
        moved.velocities, direction, masses=options.masses, released=released
    )
    accepted = allowed & (target != before.active_state)
    return torch.where(accepted[:, None, None], rescaled, moved.velocities), accepted


def _recorded(trajectory: SharcTrajectory) -> Float[np.ndarray, "frame state"]:
    """Hop probabilities of the file, per state of the MCH basis."""
    weights = (np.abs(trajectory.rotation) ** 2).round()
    return np.asarray(np.einsum("fmd,fd->fm", weights, trajectory.hop_probabilities))


def _largest(
    difference: Float[np.ndarray, "step ..."] | Complex[np.ndarray, "step ..."],
) -> Float[np.ndarray, " step"]:
    """Largest absolute value of each row; not a number counts as infinitely far."""
    rows = np.abs(difference).reshape(len(difference), -1).max(1)
    return np.asarray(np.where(np.isnan(rows), np.inf, rows))
