"""Every name of a configuration makes its strategy; a wrong one gets advice."""

import pytest

from namd.dynamics import registry
from namd.dynamics.decoherence.augmented import AugmentedDecoherence
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.instantaneous import InstantaneousDecoherence
from namd.dynamics.electronic.curvature import Curvature
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.norm_preserving import NormPreserving
from namd.dynamics.hopping.finite_step import FiniteStep
from namd.dynamics.hopping.global_flux import GlobalFlux
from namd.dynamics.hopping.landau_zener import LandauZener
from namd.dynamics.hopping.tully_rate import TullyRate
from namd.dynamics.hopping.unsmash import UncoupledSpheres
from namd.dynamics.momentum.along_coupling import AlongCoupling
from namd.dynamics.momentum.along_gradient_difference import AlongGradientDifference
from namd.dynamics.momentum.along_projected_coupling import AlongProjectedCoupling
from namd.dynamics.momentum.along_velocity import AlongVelocity
from namd.dynamics.momentum.along_velocity_per_freedom import AlongVelocityPerFreedom
from namd.dynamics.momentum.delta_v import DeltaV
from namd.dynamics.momentum.frustrated import Keep, Reverse
from namd.errors import ConfigError


@pytest.mark.parametrize(
    ("table", "name", "parameters", "expected"),
    [
        (registry.ELECTRONIC, "local-diabatization", {"substeps": 7}, LocalDiabatization(7)),
        (
            registry.ELECTRONIC,
            "nac-vectors",
            {"velocities_before_hop": True},
            NacVectors(25, velocities_before_hop=True),
        ),
        (registry.ELECTRONIC, "npi", {"substeps": 5}, NormPreserving(5)),
        (registry.ELECTRONIC, "curvature", {"form": "gradient"}, Curvature(25, "gradient", None)),
        (registry.HOPPING, "finite-step", {}, FiniteStep()),
        (registry.HOPPING, "tully-rate", {}, TullyRate()),
        (registry.HOPPING, "unsmash", {}, UncoupledSpheres()),
        (registry.HOPPING, "gfsh", {}, GlobalFlux()),
        (registry.HOPPING, "landau-zener", {}, LandauZener()),
        (registry.RESCALING, "coupling", {}, AlongCoupling()),
        (registry.RESCALING, "velocity", {}, AlongVelocity()),
        (registry.RESCALING, "velocity-per-freedom", {}, AlongVelocityPerFreedom()),
        (registry.RESCALING, "gradient-difference", {}, AlongGradientDifference()),
        (registry.RESCALING, "projected-coupling", {}, AlongProjectedCoupling()),
        (registry.FRUSTRATED, "keep", {}, Keep()),
        (registry.FRUSTRATED, "delta-v", {}, DeltaV()),
        (registry.FRUSTRATED, "reverse", {}, Reverse()),
        (
            registry.DECOHERENCE,
            "edc",
            {"constant": 0.2, "convention": "amplitude"},
            EnergyBasedDecoherence(0.2, "amplitude"),
        ),
        (registry.DECOHERENCE, "a-fssh", {}, AugmentedDecoherence()),
        (
            registry.DECOHERENCE,
            "instantaneous",
            {"collapse": "attempted"},
            InstantaneousDecoherence("attempted"),
        ),
    ],
)
def test_names(table, name, parameters, expected):
    assert registry.make(table, name, **parameters) == expected


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError) as caught:
        registry.make(registry.DECOHERENCE, "ecd")
    assert "expected one of: none, edc" in caught.value.message
    assert caught.value.hint == 'did you mean "edc"?'
