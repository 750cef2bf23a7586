"""A trained network behind the potential protocol: one forward and, by default, one vjp per step.

The active force is the vector–Jacobian product of W with the cotangent u_a u_aᵀ, a coupling that
with the symmetrised u_i u_jᵀ; neither needs ∇W as a whole. Whatever the number of states, a step
costs one forward and one backward pass; couplings are asked for only by trajectories that try to
hop. A method that needs all couplings or forces in every step costs one more backward pass for each
of them, on the same forward pass.

Heads that add a field to ∇W (the couplings of a direct head, the residual of a quasi-diabatic one)
have it contracted with the same cotangents. Their potential has no basis: overlaps of eigenvectors
would leave that part of the coupling out, so that amplitudes must follow v·d (``nac-vectors``).

On the CPU geometries are evaluated in slices of a fixed number (the last one padded), each by one
thread: they stay in cache, and the arithmetic of one trajectory does not depend on how many others
there are.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.errors import ModelError
from namd.molecule import Molecule
from namd.nn.adiabatic import adiabatic_dipoles
from namd.nn.base import Prediction
from namd.nn.device import choose_device
from namd.nn.distance import FeatureDistance, load_distance
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model, read_header
from namd.nn.parallel import side_by_side
from namd.potentials.deviation import Scales
from namd.potentials.diabatic import pick_state
from namd.potentials.eigen import symmetric_eigen
from namd.potentials.protocol import Needs, Surfaces
from namd.potentials.slices import Part, Plan, surfaces_together
from namd.states import StateSpace

_CPU_SLICE = 8

Cotangents = Callable[[Float64[Tensor, "row diabat diabat"], slice], tuple[Tensor, ...]]
"""From W of a slice to the cotangents ``[row, vjp, diabat, diabat]``, and what else is kept."""


class NetworkPotential:
    """A :class:`~namd.potentials.protocol.Potential` from a :class:`DiabaticModel`.

    Parameters
    ----------
    model
        In evaluation mode, on the device where the trajectories are.
    digest
        SHA-256 of its weights, written into every file a run makes.
    slice_size
        Molecules evaluated at a time; None for all at once (GPU).
    distance
        How far a geometry is from the training frames, which tells what errors to expect; None if
        that is not known.
    """

    def __init__(
        self,
        model: DiabaticModel,
        *,
        digest: str = "",
        slice_size: int | None = _CPU_SLICE,
        distance: FeatureDistance | None = None,
    ) -> None:
        self._model = model.requires_grad_(False)
        self._distance = None if distance is None else distance.to(model.shift.device)
        self._digest = digest
        self._slice_size = slice_size

    @property
    def molecule(self) -> Molecule:
        """The molecule the model was trained for."""
        return self._model.information.molecule

    @property
    def states(self) -> StateSpace:
        """Its adiabatic states."""
        return self._model.information.states

    def describe(self) -> dict[str, str]:
        """Name, kind, level of theory and digest of the weights."""
        info = self._model.information
        head = "" if info.head.kind == "quasi-diabatic" else f", {info.head.kind} head"
        return {
            "name": info.name,
            "kind": f"network ({info.architecture.kind}{head})",
            "level_of_theory": info.level_of_theory,
            "digest": self._digest,
        }

    def surfaces(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        active_state: Int64[Tensor, " traj"],
        *,
        needs: Needs = Needs.NOTHING,
    ) -> Surfaces:
        """Energies, active-state force and quasi-diabatic basis, and all else that is needed."""
        return surfaces_together([self], positions, active_state, needs=needs)[0]

    def plan(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        active_state: Int64[Tensor, " traj"],
        *,
        needs: Needs,
    ) -> Plan:
        """The slices of :meth:`surfaces`."""
        kept = len(self.states)
        pairs = self.states.pairs if Needs.COUPLINGS in needs else ()
        every = range(kept) if Needs.FORCES in needs else ()

        def wanted(matrix: Tensor, rows: slice) -> tuple[Tensor, ...]:
            energies, vectors = symmetric_eigen(matrix)
            columns = vectors.unbind(2)
            active = pick_state(vectors, _padded(active_state[rows], len(matrix)))
            weights = [_symmetric(active, active)]
            weights += [_symmetric(columns[i], columns[j]) for i, j in pairs]
            weights += [_symmetric(columns[k], columns[k]) for k in every]
            return torch.stack(weights, 1), energies, vectors

        def join(parts: Sequence[Part]) -> Surfaces:
            return self._surfaces(_joined(parts, len(positions)), needs=needs)

        return Plan(slices=self._slices(positions, wanted), join=join)

    def _surfaces(self, found: Part, *, needs: Needs) -> Surfaces:
        """Take apart what the slices of a plan came to."""
        matrix, gradients, apart, energies, vectors = found
        kept = len(self.states)
        pairs = len(self.states.pairs) if Needs.COUPLINGS in needs else 0
        couplings, forces = gradients[:, 1 : 1 + pairs], gradients[:, 1 + pairs :]
        return Surfaces(
            energies=energies[:, :kept].contiguous(),
            force=-gradients[:, 0],
            eigenvectors=vectors[:, :, :kept].contiguous() if self._model.has_basis else None,
            diabatic_hamiltonian=matrix if self._model.has_basis else None,
            couplings=couplings.contiguous() if Needs.COUPLINGS in needs else None,
            forces=-forces if Needs.FORCES in needs else None,
            **self._deviations(apart, pairs=Needs.COUPLINGS in needs),
        )

    def _deviations(self, apart: Tensor, *, pairs: bool) -> dict[str, Tensor]:
        """Expected errors at a distance ``[traj, 1]`` from the training frames, if it is known."""
        if self._distance is None:
            return {}
        by, states = Scales.of(self._distance.scales), self.states
        # Every component of a vector is expected to be off alike: √3 of them at each atom.
        found = {
            "energy_deviation": (by.energy * apart).expand(-1, len(states)).contiguous(),
            "gap_deviation": (by.gap * apart).expand(-1, len(states.pairs)).contiguous(),
            "force_deviation": 3.0**0.5 * by.force * apart[:, 0],
        }
        if pairs:
            coupling = 3.0**0.5 * by.coupling * apart
            found["coupling_deviation"] = coupling.expand(-1, len(states.pairs)).contiguous()
        return found

    def force(
        self, positions: Float64[Tensor, "traj atom 3"], state: Int64[Tensor, " traj"]
    ) -> Float64[Tensor, "traj atom 3"]:
        """−∇E of one chosen state per trajectory, Hartree/Bohr."""
        return -self.coupling(positions, state, state)

    def coupling(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """h_ij of one chosen pair per trajectory, Hartree/Bohr; for i = j it is ∇E_i."""

        def pair(matrix: Tensor, rows: slice) -> tuple[Tensor, ...]:
            _, vectors = symmetric_eigen(matrix)
            left = pick_state(vectors, _padded(first[rows], len(matrix)))
            right = pick_state(vectors, _padded(second[rows], len(matrix)))
            return (_symmetric(left, right)[:, None],)

        if len(positions) == 0:
            return torch.zeros_like(positions)
        parts = side_by_side(lambda piece: piece(), self._slices(positions, pair))
        return _joined(parts, len(positions))[1][:, 0]

    def _slices(self, positions: Tensor, cotangents: Cotangents) -> list[Callable[[], Part]]:
        """W, Σ_kl C_kl ∇W_kl of every cotangent, the distance and what their maker keeps."""
        model = self._model
        number = len(positions)
        # Positions relative to the centroid: float32 loses nothing to a drift of the molecule.
        centred = positions - positions.mean(dim=1, keepdim=True)
        size = self._slice_size or number

        def evaluate(start: int) -> tuple[Tensor, ...]:
            rows = slice(start, min(start + size, number))
            chosen = _padded(centred[rows], size).to(model.dtype).requires_grad_()
            with torch.enable_grad():
                prediction = model.network.evaluate(chosen)
            raw = prediction.matrix
            matrix = model.in_hartree(raw.detach())
            weights, *kept = cotangents(matrix, rows)
            ways = (weights * model.scale).to(raw.dtype).unbind(1)
            last = len(ways) - 1
            gradients = [
                torch.autograd.grad(raw, chosen, way, retain_graph=k < last)[0].double()
                for k, way in enumerate(ways)
            ]
            whole = torch.stack(gradients, 1)
            with torch.no_grad():
                learned = model.learned_coupling(prediction)
            if learned is not None:
                terms = weights[..., None, None] * learned[:, None]
                whole = whole + terms.flatten(2, 3).sum(2)
            return matrix, whole, self._apart(prediction), *kept

        return [partial(evaluate, start) for start in range(0, number, size)]

    @torch.no_grad()
    def _apart(self, prediction: Prediction) -> Float64[Tensor, "row known_distance"]:
        """Distance from the training frames; no column where it is not known."""
        if self._distance is None or prediction.features is None:
            return self._model.shift.new_zeros(len(prediction.matrix), 0)
        return self._distance(prediction.features.detach())[:, None]

    @property
    def has_dipoles(self) -> bool:
        """Whether the model was trained on transition dipoles."""
        return self._model.information.head.dipoles

    def energies_and_dipoles(
        self, positions: Float64[Tensor, "traj atom 3"]
    ) -> tuple[Float64[Tensor, "traj state"], Float64[Tensor, "traj pair 3"]]:
        """Energies (Hartree) and transition dipoles u_iᵀ μ u_j (e·Bohr), the latter in one gauge.

        Raises
        ------
        ModelError
            If the model has no dipoles.
        """
        model = self._model
        centred = positions - positions.mean(dim=1, keepdim=True)
        size = self._slice_size or len(positions)

        @torch.no_grad()
        def evaluate(start: int) -> tuple[Tensor, Tensor]:
            chosen = _padded(centred[start : start + size], size).to(model.dtype)
            prediction = model.network.evaluate(chosen, dipoles=True)
            if prediction.dipoles is None:
                raise ModelError(
                    f"model {model.information.name} has no transition dipoles",
                    where="transition dipoles",
                    hint="train with head.dipoles: true on labels that have them",
                )
            energies, vectors = symmetric_eigen(model.in_hartree(prediction.matrix))
            kept = len(self.states)
            dipoles = adiabatic_dipoles(prediction.dipoles, vectors[:, :, :kept])
            return energies[:, :kept], dipoles

        parts = side_by_side(evaluate, range(0, len(positions), size))
        energies, dipoles = zip(*parts, strict=True)
        return torch.cat(energies)[: len(positions)], torch.cat(dipoles)[: len(positions)]


def _joined(parts: Sequence[Part], number: int) -> Part:
    """Put slices together, without what the last one was filled up with."""
    return tuple(torch.cat(column)[:number] for column in zip(*parts, strict=True))


def _symmetric(left: Tensor, right: Tensor) -> Tensor:
    """½(u vᵀ + v uᵀ), the cotangent of uᵀ(∇W)v."""
    outer = left[:, :, None] * right[:, None, :]
    return 0.5 * (outer + outer.mT)


def _padded(rows: Tensor, size: int) -> Tensor:
    """Repeat the last row until there are ``size``."""
    missing = size - len(rows)
    return rows if missing == 0 else torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])


def load_network_potential(folder: Path, *, device: str = "cpu") -> NetworkPotential:
    """Load a model folder as a potential.

    Parameters
    ----------
    folder
        A model folder; see :mod:`namd.nn.model_folder`.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ModelError
        If the folder cannot be used.
    ConfigError
        If there is no such device.
    """
    choose_device(device)
    digest = str(read_header(folder)[0]["sha256"])
    distance = load_distance(folder, sha256=digest)
    return network_potential(load_model(folder), device=device, digest=digest, distance=distance)


def network_potential(
    model: DiabaticModel,
    *,
    device: str = "cpu",
    digest: str = "",
    distance: FeatureDistance | None = None,
) -> NetworkPotential:
    """Put a model on a device and behind the protocol, in slices on a CPU, whole on a GPU.

    Parameters
    ----------
    model
        Its weights are not differentiated any more.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    digest
        SHA-256 of its weights.
    distance
        How far a geometry is from its training frames, if that is known.

    Raises
    ------
    ConfigError
        If there is no such device.
    """
    target = choose_device(device)
    size = _CPU_SLICE if target == "cpu" else None
    return NetworkPotential(model.to(target), digest=digest, slice_size=size, distance=distance)
