"""Everything that decides how a step is made, apart from the potential."""

from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.decoherence.protocol import Decoherence
from namd.dynamics.demands import Demanding, Remembering
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.norm_preserving import NormPreserving
from namd.dynamics.electronic.protocol import ElectronicPropagation
from namd.dynamics.guards.not_a_number import NotANumber
from namd.dynamics.guards.protocol import Guard
from namd.dynamics.hopping.finite_step import FiniteStep
from namd.dynamics.hopping.protocol import HopBySpheres, HopInHindsight, HopProbability
from namd.dynamics.momentum.along_coupling import AlongCoupling
from namd.dynamics.momentum.frustrated import Keep, Reverse
from namd.dynamics.momentum.protocol import FrustratedHop, MomentumRescaling
from namd.errors import ConfigError
from namd.potentials.protocol import Needs


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Numbers and strategies of a step.

    Parameters
    ----------
    timestep
        dt in atomic units of time.
    masses
        In electron masses, on the device of the batch.
    seed
        64-bit seed of the run.
    electronic, hopping, rescaling, frustrated, decoherence
        One strategy of each kind (:mod:`namd.dynamics.registry` finds them by name). A hopping
        method that needs no amplitudes goes with no electronic propagation and no decoherence; one
        with spheres goes with a propagation that remembers nothing, no decoherence and reversal.
    guards
        Asked in this order; the first that trips parks the trajectory with its reason.
    hop_capacity
        ``None``: couplings are computed for exactly the trajectories that try to hop (the host
        reads how many: free on a CPU, a synchronisation on a GPU). A number: for a bucket of that
        size, with the same result as long as :attr:`StepResult.overflow` is false.

    Raises
    ------
    ConfigError
        If the time step or the capacity is not positive, or amplitudes are propagated for a hopping
        method that needs none, or not for one that does, or what goes with spheres is not given.
    """

    timestep: float
    masses: Float64[Tensor, " atom"]
    seed: int
    electronic: ElectronicPropagation | None = field(default_factory=LocalDiabatization)
    hopping: HopProbability | HopInHindsight | HopBySpheres = field(default_factory=FiniteStep)
    rescaling: MomentumRescaling = field(default_factory=AlongCoupling)
    frustrated: FrustratedHop = field(default_factory=Keep)
    decoherence: Decoherence = field(default_factory=EnergyBasedDecoherence)
    guards: tuple[Guard, ...] = (NotANumber(),)
    hop_capacity: int | None = None

    def __post_init__(self) -> None:
        if not self.timestep > 0:
            raise ConfigError("the time step must be positive", where=f"timestep = {self.timestep}")
        if self.hop_capacity is not None and self.hop_capacity < 1:
            raise ConfigError(
                "the bucket for hopping trajectories needs at least one place",
                where=f"hop_capacity = {self.hop_capacity}",
            )
        propagated = self.electronic is not None
        damped = not isinstance(self.decoherence, NoDecoherence)
        without_amplitudes = isinstance(self.hopping, HopInHindsight)
        if (propagated or damped) if without_amplitudes else not propagated:
            raise ConfigError(
                "a hopping method without amplitudes goes with no electronic propagation and no "
                "decoherence, every other one with an electronic propagation",
                where=f"electronic = {self.electronic}, hopping = {self.hopping}",
            )
        if isinstance(self.hopping, HopBySpheres):
            self._refuse_without_spheres(damped=damped)

    def _refuse_without_spheres(self, *, damped: bool) -> None:
        """Refuse what spheres cannot go with."""
        pairwise = isinstance(self.electronic, LocalDiabatization | NormPreserving | NacVectors)
        remembering = isinstance(self.electronic, NacVectors) and (
            self.electronic.velocities_before_hop
        )
        if damped or remembering or not pairwise or not isinstance(self.frustrated, Reverse):
            raise ConfigError(
                "a hopping method with spheres goes with local diabatisation, norm-preserving "
                "interpolation or coupling vectors, no decoherence, and reversal of the momentum "
                "after a refused hop",
                where=f"hopping = {self.hopping}, electronic = {self.electronic}, "
                f"decoherence = {self.decoherence}, frustrated = {self.frustrated}",
            )

    @property
    def propagation(self) -> ElectronicPropagation:
        """The propagation of the amplitudes, for methods that have any."""
        if self.electronic is None:
            raise ConfigError("no amplitudes are propagated", where="electronic = none")
        return self.electronic

    @property
    def probability(self) -> HopProbability:
        """The hop probability, for methods that make it of amplitudes."""
        if isinstance(self.hopping, HopInHindsight | HopBySpheres):
            raise ConfigError("hops do not follow amplitudes", where=f"hopping = {self.hopping}")
        return self.hopping

    @property
    def needs(self) -> Needs:
        """What any of the strategies needs of every geometry."""
        wishes = (each.needs for each in self._strategies() if isinstance(each, Demanding))
        return reduce(or_, wishes, Needs.NOTHING)

    def first_memory(self, batch: TrajectoryBatch) -> Memory:
        """What the strategies remember of a batch at step 0."""
        memory: dict[str, Tensor] = {}
        for each in self._strategies():
            if isinstance(each, Remembering):
                memory |= each.first_memory(batch, seed=self.seed)
        return memory

    def _strategies(self) -> tuple[object, ...]:
        own = (self.electronic, self.hopping, self.rescaling, self.frustrated, self.decoherence)
        return *own, *self.guards
