"""The state of many trajectories of one molecule: a frozen value, one row per trajectory.

A batch holds everything the next step needs and nothing else, so that writing its tensors to a
file and reading them back is a checkpoint. Rows never look at each other. What the chosen methods
do not need has length zero along its own axis, so that every batch has the same fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, TypedDict, runtime_checkable

import torch
from jaxtyping import Bool, Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.status import Reason, Status
from namd.errors import ConfigError, DataError
from namd.potentials.protocol import Needs, Potential, Surfaces, following

Memory = Mapping[str, Tensor]
"""What methods keep between steps, ``[traj, …]`` by name."""


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
    energies, force, eigenvectors, diabatic_hamiltonian, couplings, forces
        Surfaces at ``positions`` (:class:`namd.potentials.protocol.Surfaces`); ``force`` belongs to
        ``active_state``, after a hop to the new one. The signs of the states continue those of the
        step before (:mod:`namd.dynamics.gauge`). No diabats without a basis, no pairs and no states
        where couplings or all forces are not needed.
    energy_deviation, gap_deviation, force_deviation, coupling_deviation
        What the potential says of its errors there; of length zero where it says nothing.
        ``force_deviation`` belongs to the state that moved the nuclei here, also after a hop.
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
    memory
        What the methods remember of earlier steps; each knows its own by name.
    """

    positions: Float64[Tensor, "traj atom 3"]
    velocities: Float64[Tensor, "traj atom 3"]
    amplitudes: Complex128[Tensor, "traj state"]
    active_state: Int64[Tensor, " traj"]
    energies: Float64[Tensor, "traj state"]
    force: Float64[Tensor, "traj atom 3"]
    eigenvectors: Float64[Tensor, "traj diabat state"]
    diabatic_hamiltonian: Float64[Tensor, "traj diabat diabat"]
    couplings: Float64[Tensor, "traj pair atom 3"]
    forces: Float64[Tensor, "traj known_force atom 3"]
    energy_deviation: Float64[Tensor, "traj known_deviation"]
    gap_deviation: Float64[Tensor, "traj known_gap_deviation"]
    force_deviation: Float64[Tensor, "traj known_force_deviation"]
    coupling_deviation: Float64[Tensor, "traj known_coupling_deviation"]
    trajectory_id: Int64[Tensor, " traj"]
    step: Int64[Tensor, " traj"]
    status: Int64[Tensor, " traj"]
    reason: Int64[Tensor, " traj"]
    initial_total_energy: Float64[Tensor, " traj"]
    last_hop_step: Int64[Tensor, " traj"]
    memory: Memory = field(default_factory=dict)

    def __len__(self) -> int:
        return self.positions.shape[0]


@runtime_checkable
class Preparation(Protocol):
    """What the methods of a run want to find at step 0; the options of a step know it."""

    @property
    def needs(self) -> Needs:
        """What they need of every geometry."""
        ...

    def first_memory(self, batch: TrajectoryBatch) -> Memory:
        """What they remember before the first step."""
        ...


def start(
    potential: Potential,
    positions: Float64[Tensor, "traj atom 3"],
    velocities: Float64[Tensor, "traj atom 3"],
    active_state: Int64[Tensor, " traj"],
    *,
    trajectory_id: Int64[Tensor, " traj"] | None = None,
    diabatic_state: Int64[Tensor, " traj"] | None = None,
    options: Preparation | None = None,
) -> TrajectoryBatch:
    """Trajectories at step 0, each with c the unit vector of its active state or of a diabat.

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
    diabatic_state
        Diabat d in which the electrons of each trajectory are, 0-based: c = Uᵀe_d instead of the
        unit vector of the active state, which is to be drawn with |c_a|².
    options
        Options of the steps to be made. May be left out for methods that need nothing but the basis
        and remember nothing, such as the default ones.

    Raises
    ------
    ConfigError
        If the potential does not have what a method, or the start in a diabat, needs.
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
    needs = Needs.NOTHING if options is None else options.needs
    mine = following(potential, trajectory_id)
    surfaces = mine.surfaces(positions, active_state, needs=needs)
    _refuse_unserved(surfaces, needs, potential)
    amplitudes = torch.nn.functional.one_hot(active_state, len(potential.states))
    if diabatic_state is not None:
        amplitudes = _in_diabat(surfaces, diabatic_state, potential)
    counter = torch.zeros(traj, dtype=torch.int64, device=device)
    batch = TrajectoryBatch(
        positions=positions,
        velocities=velocities,
        amplitudes=amplitudes.to(torch.complex128),
        active_state=active_state,
        **surface_fields(surfaces),
        trajectory_id=trajectory_id,
        step=counter,
        status=torch.full_like(counter, Status.ACTIVE),
        reason=torch.full_like(counter, Reason.NONE),
        initial_total_energy=torch.zeros(traj, dtype=torch.float64, device=device),
        last_hop_step=torch.full_like(counter, -1),
    )
    _refuse_rows(~is_finite(batch), "positions, velocities or surfaces are not finite numbers")
    masses = torch.as_tensor(potential.molecule.masses, dtype=torch.float64, device=device)
    batch = replace(batch, initial_total_energy=total_energy(batch, masses))
    return batch if options is None else replace(batch, memory=options.first_memory(batch))


class SurfaceFields(TypedDict):
    """The fields of a batch that are the surfaces at its positions."""

    energies: Tensor
    force: Tensor
    eigenvectors: Tensor
    diabatic_hamiltonian: Tensor
    couplings: Tensor
    forces: Tensor
    energy_deviation: Tensor
    gap_deviation: Tensor
    force_deviation: Tensor
    coupling_deviation: Tensor


def surface_fields(surfaces: Surfaces) -> SurfaceFields:
    """Surfaces as fields of a batch: what is missing becomes an axis of length zero."""
    energies, force = surfaces.energies, surfaces.force
    traj, states = energies.shape
    doubt = surfaces.force_deviation

    def given(value: Tensor | None, *shape: int) -> Tensor:
        return energies.new_zeros(traj, *shape) if value is None else value

    return {
        "energies": energies,
        "force": force,
        "eigenvectors": given(surfaces.eigenvectors, 0, states),
        "diabatic_hamiltonian": given(surfaces.diabatic_hamiltonian, 0, 0),
        "couplings": given(surfaces.couplings, 0, *force.shape[1:]),
        "forces": given(surfaces.forces, 0, *force.shape[1:]),
        "energy_deviation": given(surfaces.energy_deviation, 0),
        "gap_deviation": given(surfaces.gap_deviation, 0),
        "force_deviation": given(None if doubt is None else doubt[:, None], 0),
        "coupling_deviation": given(surfaces.coupling_deviation, 0),
    }


def recall(batch: TrajectoryBatch, name: str) -> Tensor:
    """What a method remembers under ``name``.

    Raises
    ------
    DataError
        If the trajectories were started for other methods.
    """
    if name not in batch.memory:
        raise DataError(
            f"the trajectories do not remember {name}",
            where="trajectory batch",
            hint="start them with the options of their steps: start(…, options=options)",
        )
    return batch.memory[name]


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
    for value in tensors(batch).values():
        if not value.dtype.is_floating_point and not value.dtype.is_complex:
            continue
        sound = sound & torch.isfinite(value.reshape(len(batch), -1)).all(1)
    return sound


def select(batch: TrajectoryBatch, index: Int64[Tensor, " row"]) -> TrajectoryBatch:
    """Take the rows ``index`` in that order."""
    return _map(lambda value: value.index_select(0, index), batch)


def merge(first: TrajectoryBatch, *others: TrajectoryBatch) -> TrajectoryBatch:
    """Put the rows of ``others`` after those of ``first``."""
    return _map(lambda *values: torch.cat(values), first, *others)


def put_rows(
    batch: TrajectoryBatch, index: Int64[Tensor, " row"], rows: TrajectoryBatch
) -> TrajectoryBatch:
    """Replace the rows ``index`` by ``rows``."""
    return _map(lambda value, new: value.index_copy(0, index, new), batch, rows)


def choose(
    condition: Bool[Tensor, " traj"], first: TrajectoryBatch, second: TrajectoryBatch
) -> TrajectoryBatch:
    """Row by row ``first`` where the condition holds, else ``second`` (bits untouched)."""

    def pick(value: Tensor, other: Tensor) -> Tensor:
        return torch.where(condition.reshape(-1, *(1,) * (value.ndim - 1)), value, other)

    return _map(pick, first, second)


def tensors(batch: TrajectoryBatch) -> dict[str, Tensor]:
    """Every tensor of a batch by name; those of the memory as ``memory/name``."""
    plain = {entry.name: getattr(batch, entry.name) for entry in fields(batch)}
    memory = plain.pop("memory")
    return plain | {f"memory/{name}": value for name, value in memory.items()}


def from_tensors(values: Mapping[str, Tensor]) -> TrajectoryBatch:
    """Undo :func:`tensors`."""
    memory = {name.removeprefix("memory/"): name for name in values if name.startswith("memory/")}
    plain = {name: value for name, value in values.items() if name not in memory.values()}
    return TrajectoryBatch(
        **plain, memory={name: values[full] for name, full in sorted(memory.items())}
    )


def _map(change: Callable[..., Tensor], *batches: TrajectoryBatch) -> TrajectoryBatch:
    """Make a batch of ``change`` applied to the tensors of one name of all batches."""
    tables = [tensors(batch) for batch in batches]
    return from_tensors({name: change(*(table[name] for table in tables)) for name in tables[0]})


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


def _in_diabat(surfaces: Surfaces, diabat: Tensor, potential: Potential) -> Tensor:
    """Row d of U, real: the diabatic state in the adiabatic basis."""
    vectors = surfaces.eigenvectors
    if vectors is None or vectors.shape[1] != vectors.shape[2]:
        raise ConfigError(
            "trajectories can start in a diabatic state only where the adiabatic states are as "
            "many as the diabatic ones",
            where=potential.describe()["name"],
            hint="start them in an adiabatic state",
        )
    outside = (diabat < 0) | (diabat >= vectors.shape[1])
    _refuse_rows(outside, f"the diabatic state must lie between 0 and {vectors.shape[1] - 1}")
    return vectors[torch.arange(len(diabat), device=diabat.device), diabat]


def _refuse_unserved(surfaces: Surfaces, needs: Needs, potential: Potential) -> None:
    """Refuse methods that need what the potential does not have."""
    offered = {
        Needs.BASIS: ("a quasi-diabatic basis of its states", surfaces.eigenvectors),
        Needs.COUPLINGS: ("couplings", surfaces.couplings),
        Needs.FORCES: ("the forces of all states", surfaces.forces),
        Needs.DEVIATION: ("an estimate of its own errors", surfaces.energy_deviation),
    }
    for need, (words, value) in offered.items():
        if need in needs and value is None:
            raise ConfigError(
                f"a method of this run needs {words}, which the potential does not have",
                where=potential.describe()["name"],
                hint="leave guards.uncertainty out, or run a committee (`namd train --members`) or "
                "a model that keeps the distance from its training frames"
                if need is Needs.DEVIATION
                else "choose another method of electronic propagation (without a basis for example "
                "nac-vectors), hopping or rescaling",
            )


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
