"""Names of the strategies a configuration can choose, and how to make them.

A new method is one new file and one new line here.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from namd.dynamics.decoherence.augmented import AugmentedDecoherence
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.instantaneous import InstantaneousDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.decoherence.protocol import Decoherence
from namd.dynamics.electronic.curvature import Curvature
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.norm_preserving import NormPreserving
from namd.dynamics.electronic.protocol import ElectronicPropagation
from namd.dynamics.guards.broken_molecule import BrokenMolecule
from namd.dynamics.guards.not_a_number import NotANumber
from namd.dynamics.guards.protocol import Guard
from namd.dynamics.guards.total_energy import TotalEnergy
from namd.dynamics.guards.trust_region import TrustRegion
from namd.dynamics.hopping.finite_step import FiniteStep
from namd.dynamics.hopping.global_flux import GlobalFlux
from namd.dynamics.hopping.landau_zener import LandauZener
from namd.dynamics.hopping.protocol import HopBySpheres, HopInHindsight, HopProbability
from namd.dynamics.hopping.tully_rate import TullyRate
from namd.dynamics.hopping.unsmash import UncoupledSpheres
from namd.dynamics.momentum.along_coupling import AlongCoupling
from namd.dynamics.momentum.along_gradient_difference import AlongGradientDifference
from namd.dynamics.momentum.along_projected_coupling import AlongProjectedCoupling
from namd.dynamics.momentum.along_velocity import AlongVelocity
from namd.dynamics.momentum.along_velocity_per_freedom import AlongVelocityPerFreedom
from namd.dynamics.momentum.delta_v import DeltaV
from namd.dynamics.momentum.frustrated import Keep, Reverse
from namd.dynamics.momentum.protocol import FrustratedHop, MomentumRescaling
from namd.errors import ConfigError

Strategy = TypeVar("Strategy")

ELECTRONIC: Mapping[str, Callable[..., ElectronicPropagation]] = MappingProxyType(
    {
        "local-diabatization": LocalDiabatization,
        "nac-vectors": NacVectors,
        "npi": NormPreserving,
        "curvature": Curvature,
    }
)
HOPPING: Mapping[str, Callable[..., HopProbability | HopInHindsight | HopBySpheres]] = (
    MappingProxyType(
        {
            "finite-step": FiniteStep,
            "tully-rate": TullyRate,
            "gfsh": GlobalFlux,
            "landau-zener": LandauZener,
            "unsmash": UncoupledSpheres,
        }
    )
)
RESCALING: Mapping[str, Callable[..., MomentumRescaling]] = MappingProxyType(
    {
        "coupling": AlongCoupling,
        "projected-coupling": AlongProjectedCoupling,
        "gradient-difference": AlongGradientDifference,
        "velocity": AlongVelocity,
        "velocity-per-freedom": AlongVelocityPerFreedom,
    }
)
FRUSTRATED: Mapping[str, Callable[..., FrustratedHop]] = MappingProxyType(
    {"keep": Keep, "reverse": Reverse, "delta-v": DeltaV}
)
DECOHERENCE: Mapping[str, Callable[..., Decoherence]] = MappingProxyType(
    {
        "none": NoDecoherence,
        "edc": EnergyBasedDecoherence,
        "instantaneous": InstantaneousDecoherence,
        "a-fssh": AugmentedDecoherence,
    }
)
GUARDS: Mapping[str, Callable[..., Guard]] = MappingProxyType(
    {
        "not-a-number": NotANumber,
        "total-energy": TotalEnergy,
        "broken-molecule": BrokenMolecule.from_geometry,
        "trust-region": TrustRegion,
    }
)


def make(registry: Mapping[str, Callable[..., Strategy]], name: str, **parameters: Any) -> Strategy:
    """Make the strategy called ``name``.

    Parameters
    ----------
    registry
        One of the tables of this module.
    name
        As written in a configuration.
    parameters
        Arguments of the strategy.

    Raises
    ------
    ConfigError
        If there is no such name; the nearest one is suggested.

    Examples
    --------
    >>> make(DECOHERENCE, "edc", convention="amplitude").describe()
    'edc, C = 0.1 hartree, convention amplitude'
    """
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        raise ConfigError(
            f'no method is called "{name}"; expected one of: {", ".join(registry)}',
            hint=f'did you mean "{near[0]}"?' if near else None,
        )
    return registry[name](**parameters)
