"""The electronic structure of a finished trajectory, served again at its own geometries.

A potential that is known at the frames of a trajectory only. Each geometry asked for is answered
with the frame nearest to it, if it is that frame but for rounding, and with NaN elsewhere, so that
a trajectory that leaves the recorded way is parked. It is a function of the geometry like any other
potential, without a counter: rows may come in any order and number.

States are those of the file, with the signs its program gave them, frame by frame: the eigenvectors
are unit vectors, which says that nobody is to align couplings again. They are no diabatic basis;
propagate with the coupling vectors (``nac-vectors``).
"""

import hashlib
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from namd.errors import DataError
from namd.molecule import Molecule
from namd.potentials.protocol import Needs, Surfaces
from namd.states import StateSpace

SAME_GEOMETRY = 1e-6
"""Largest distance of a coordinate from that of its frame, Bohr."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplayPotential:
    """A :class:`~namd.potentials.protocol.Potential` made of recorded frames, atomic units.

    Parameters
    ----------
    molecule, states
        What the trajectory is one of.
    positions, energies, gradients, couplings
        R, E_k, ∇E_k and h_ij of all ordered pairs; NaN where they were not computed.
    name
        Where it comes from.

    Raises
    ------
    DataError
        If the arrays are not of the same frames, atoms and states.
    """

    molecule: Molecule
    states: StateSpace
    positions: Float64[Tensor, "frame atom 3"]
    energies: Float64[Tensor, "frame state"]
    gradients: Float64[Tensor, "frame state atom 3"]
    couplings: Float64[Tensor, "frame state state atom 3"]
    name: str
    _digest: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        frames, n, atoms = len(self.positions), len(self.states), len(self.molecule)
        expected = {
            "positions": (frames, atoms, 3),
            "energies": (frames, n),
            "gradients": (frames, n, atoms, 3),
            "couplings": (frames, n, n, atoms, 3),
        }
        digest = hashlib.sha256()
        for name, shape in expected.items():
            value: Tensor = getattr(self, name)
            if tuple(value.shape) != shape or not frames:
                raise DataError(
                    f"{name} have shape {tuple(value.shape)}, expected {shape}, at least one frame",
                    where=self.name,
                )
            digest.update(value.cpu().contiguous().numpy().tobytes())
        object.__setattr__(self, "_digest", digest.hexdigest())

    def surfaces(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        active_state: Int64[Tensor, " traj"],
        *,
        needs: Needs = Needs.NOTHING,
    ) -> Surfaces:
        """Recorded energies, forces and couplings of the frames at ``positions`` (Bohr)."""
        frame, known = self._frames(positions)
        energies = _or_nan(self.energies[frame], known)
        n = len(self.states)
        couplings = forces = None
        if Needs.COUPLINGS in needs:
            first, second = torch.triu_indices(n, n, offset=1)
            couplings = _or_nan(self.couplings[frame][:, first, second], known)
        if Needs.FORCES in needs:
            forces = -_or_nan(self.gradients[frame], known)
        return Surfaces(
            energies=energies,
            force=self.force(positions, active_state),
            eigenvectors=torch.eye(n, dtype=torch.float64).expand(len(frame), n, n).clone(),
            diabatic_hamiltonian=torch.diag_embed(energies),
            couplings=couplings,
            forces=forces,
        )

    def force(
        self, positions: Float64[Tensor, "traj atom 3"], state: Int64[Tensor, " traj"]
    ) -> Float64[Tensor, "traj atom 3"]:
        """−∇E of one chosen state per trajectory, Hartree/Bohr."""
        frame, known = self._frames(positions)
        return -_or_nan(self.gradients[frame, state], known)

    def coupling(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """h_ij of one chosen pair per trajectory, Hartree/Bohr; for i = j it is ∇E_i."""
        frame, known = self._frames(positions)
        own = (first == second)[:, None, None]
        return _or_nan(
            torch.where(own, self.gradients[frame, first], self.couplings[frame, first, second]),
            known,
        )

    def describe(self) -> dict[str, str]:
        """Name, kind, and a digest of the frames."""
        return {
            "name": self.name,
            "kind": f"replay of {len(self.positions)} frames",
            "digest": self._digest,
        }

    def _frames(
        self, positions: Float64[Tensor, "traj atom 3"]
    ) -> tuple[Int64[Tensor, " traj"], Bool[Tensor, " traj"]]:
        """Nearest frame of each geometry, and whether it is that frame."""
        flat = self.positions.flatten(1)
        # Row by row: every frame against one geometry, so that no row depends on another.
        nearest = [(flat - row).abs().amax(1).min(0) for row in positions.flatten(1).unbind(0)]
        if not nearest:
            return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)
        frame = torch.stack([found.indices for found in nearest])
        return frame, torch.stack([found.values for found in nearest]) <= SAME_GEOMETRY


def _or_nan(values: Tensor, known: Bool[Tensor, " traj"]) -> Tensor:
    """NaN in the rows that are not known."""
    return torch.where(known.reshape(-1, *(1,) * (values.ndim - 1)), values, float("nan"))
