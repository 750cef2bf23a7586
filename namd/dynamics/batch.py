"""The state of many trajectories of one molecule: a frozen value, one row per trajectory.

A batch holds everything the next step needs and nothing else, so that writing its tensors to a
file and reading them back is a checkpoint. Rows never look at each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.status import Reason, Status
from namd.errors import DataError
from namd.potentials.protocol import Potential


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryBatch:
    """Nuclei, electrons and bookkeeping of a batch of trajectories, atomic units.

    Parameters
    ----------
    positions, velocities
        R in Bohr and v in Bohr per atomic time unit.
    amplitudes
        c_k of the adiabatic states, in the gauge of ``eigenvectors``.
    active_state
        State a whose force moves the nuclei, 0-based.
    energies, force, eigenvectors, diabatic_hamiltonian
        Surfaces at ``positions`` (:class:`namd.potentials.protocol.Surfaces`); ``force`` belongs to
        ``active_state``, after a hop to the new one.
    trajectory_id
        Identity of the trajectory in the ensemble; together with the seed and ``step`` it fixes
        every random number.
    step
        Steps this trajectory has made.
    status, reason
        :class:`~namd.dynamics.status.Status` and :class:`~namd.dynamics.status.Reason`.
    initial_total_energy
        Kinetic plus active-state energy at step 0, Hartree: what the drift guard compares with.
    last_hop_step
        ``step`` reached with the last accepted hop, −1 if there was none.
    """

    positions: Float64[Tensor, "traj atom 3"]
    velocities: Float64[Tensor, "traj atom 3"]
    amplitudes: Complex128[Tensor, "traj state"]
    active_state: Int64[Tensor, " traj"]
    energies: Float64[Tensor, "traj state"]
    force: Float64[Tensor, "traj atom 3"]
    eigenvectors: Float64[Tensor, "traj diabat state"]
    diabatic_hamiltonian: Float64[Tensor, "traj diabat diabat"]
    trajectory_id: Int64[Tensor, " traj"]
    step: Int64[Tensor, " traj"]
    status: Int64[Tensor, " traj"]
    reason: Int64[Tensor, " traj"]
    initial_total_energy: Float64[Tensor, " traj"]
    last_hop_step: Int64[Tensor, " traj"]

    def __len__(self) -> int:
        return self.positions.shape[0]


def start(
    potential: Potential,
    positions: Float64[Tensor, "traj atom 3"],
    velocities: Float64[Tensor, "traj atom 3"],
    active_state: Int64[Tensor, " traj"],
    *,
    trajectory_id: Int64[Tensor, " traj"] | None = None,
) -> TrajectoryBatch:
    """Trajectories at step 0, each with c the unit vector of its active state.

    Parameters
    ----------
    potential
        Electronic structure; its molecule gives the masses.
    positions, velocities
        Initial nuclei in atomic units, on the device where the run shall live.
    active_state
        Initial state of each trajectory, 0-based.
    trajectory_id
        Identities; 0, 1, 2, … if left out.

    Raises
    ------
    DataError
        If a shape does not fit the molecule, a state does not exist, an identity appears twice, or
        the geometry, velocity or surface of a trajectory is not finite.
    """
    _check_input(potential, positions, velocities, active_state)
    traj = len(positions)
    device = positions.device
    if trajectory_id is None:
        trajectory_id = torch.arange(traj, device=device)
    elif len(torch.unique(trajectory_id)) != traj:
        raise DataError(
            "two trajectories have the same identity",
            where="initial conditions, trajectory_id",
            hint="identities key the random numbers: give every trajectory its own",
        )
    surfaces = potential.surfaces(positions, active_state)
    unit = torch.nn.functional.one_hot(active_state, len(potential.states))
    counter = torch.zeros(traj, dtype=torch.int64, device=device)
    batch = TrajectoryBatch(
        positions=positions,
        velocities=velocities,
        amplitudes=unit.to(torch.complex128),
        active_state=active_state,
        energies=surfaces.energies,
        force=surfaces.force,
        eigenvectors=surfaces.eigenvectors,
        diabatic_hamiltonian=surfaces.diabatic_hamiltonian,
        trajectory_id=trajectory_id,
        step=counter,
        status=torch.full_like(counter, Status.ACTIVE),
        reason=torch.full_like(counter, Reason.NONE),
        initial_total_energy=torch.zeros(traj, dtype=torch.float64, device=device),
        last_hop_step=torch.full_like(counter, -1),
    )
    _refuse_rows(~is_finite(batch), "positions, velocities or surfaces are not finite numbers")
    masses = torch.as_tensor(potential.molecule.masses, dtype=torch.float64, device=device)
    total = total_energy(batch, masses)
    return _map(lambda name, value: total if name == "initial_total_energy" else value, batch)


def kinetic_energy(
    batch: TrajectoryBatch, masses: Float64[Tensor, " atom"]
) -> Float64[Tensor, " traj"]:
    """½ Σ M v² of every trajectory, Hartree."""
    return kinetic_energy_of(batch.velocities, masses)


def kinetic_energy_of(
    velocities: Float64[Tensor, "traj atom 3"], masses: Float64[Tensor, " atom"]
) -> Float64[Tensor, " traj"]:
    """½ Σ M v² of velocities that are not in a batch yet, Hartree."""
    return 0.5 * (masses[:, None] * velocities * velocities).sum((1, 2))


def active_energy(batch: TrajectoryBatch) -> Float64[Tensor, " traj"]:
    """E_a, the potential energy that moves the nuclei, Hartree."""
    return batch.energies.gather(1, batch.active_state[:, None]).squeeze(1)


def total_energy(
    batch: TrajectoryBatch, masses: Float64[Tensor, " atom"]
) -> Float64[Tensor, " traj"]:
    """Kinetic plus active-state energy, Hartree."""
    return kinetic_energy(batch, masses) + active_energy(batch)


def is_finite(batch: TrajectoryBatch) -> Bool[Tensor, " traj"]:
    """Whether every real or complex number of a trajectory is finite."""
    sound = torch.ones(len(batch), dtype=torch.bool, device=batch.positions.device)
    for field in fields(batch):
        value: Tensor = getattr(batch, field.name)
        if not value.dtype.is_floating_point and not value.dtype.is_complex:
            continue
        sound = sound & torch.isfinite(value.reshape(len(batch), -1)).all(1)
    return sound


def select(batch: TrajectoryBatch, index: Int64[Tensor, " row"]) -> TrajectoryBatch:
    """Take the rows ``index`` in that order."""
    return _map(lambda _, value: value.index_select(0, index), batch)


def merge(first: TrajectoryBatch, second: TrajectoryBatch) -> TrajectoryBatch:
    """Put the rows of ``second`` after those of ``first``."""
    return _map(lambda name, value: torch.cat((value, getattr(second, name))), first)


def choose(
    condition: Bool[Tensor, " traj"], first: TrajectoryBatch, second: TrajectoryBatch
) -> TrajectoryBatch:
    """Row by row ``first`` where the condition holds, else ``second`` (bits untouched)."""

    def pick(name: str, value: Tensor) -> Tensor:
        mask = condition.reshape(-1, *(1,) * (value.ndim - 1))
        return torch.where(mask, value, getattr(second, name))

    return _map(pick, first)


def _map(change: Callable[[str, Tensor], Tensor], batch: TrajectoryBatch) -> TrajectoryBatch:
    """Make a batch whose field ``name`` is ``change(name, value)``."""
    names = (field.name for field in fields(batch))
    return TrajectoryBatch(**{name: change(name, getattr(batch, name)) for name in names})


def _check_input(
    potential: Potential, positions: Tensor, velocities: Tensor, active_state: Tensor
) -> None:
    """Refuse initial conditions that do not belong to the potential."""
    expected = (len(active_state), len(potential.molecule), 3)
    for name, value in (("positions", positions), ("velocities", velocities)):
        if tuple(value.shape) != expected:
            raise DataError(
                f"shape {tuple(value.shape)}, expected {expected} (trajectories, atoms, xyz)",
                where=f"initial conditions, {name}",
                hint="do the initial conditions and the potential belong to the same molecule?",
            )
    states = len(potential.states)
    outside = (active_state < 0) | (active_state >= states)
    _refuse_rows(outside, f"the active state must lie between 0 and {states - 1}")


def _refuse_rows(bad: Bool[Tensor, " traj"], message: str) -> None:
    """Raise with the first bad rows named."""
    if bool(bad.any()):
        rows = bad.nonzero().squeeze(1).tolist()
        named = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
        raise DataError(
            message,
            where=f"initial conditions, trajectory {named}",
            hint="check the initial geometry, velocity and state of these trajectories",
        )
