"""From the names of a configuration to the strategies of a step."""

from typing import get_args

import numpy as np
import pytest

from namd.config.loading import validate
from namd.config.run import DynamicsConfig, RunConfig
from namd.dynamics import registry
from namd.dynamics.from_config import run_options
from namd.errors import ConfigError
from namd.molecule import Molecule

KINDS = {
    "electronic": registry.ELECTRONIC,
    "hopping": registry.HOPPING,
    "rescaling": registry.RESCALING,
    "frustrated": registry.FRUSTRATED,
    "decoherence": registry.DECOHERENCE,
}
WATER = Molecule.from_numbers(np.array([8, 1, 1]))
PARTICLE = Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([2000.0]))


def options(molecule=WATER, **dynamics):
    config = validate(
        {
            "potential": {"tully": "sac"},
            "initial_conditions": {
                "method": "model-particle",
                "position_bohr": -5,
                "momentum_au": 20,
            },
            "dynamics": {"timestep_au": 2, "max_steps": 7, **dynamics},
        },
        RunConfig,
        where="test",
    )
    return run_options(config, molecule, reference=None, device="cpu").step


@pytest.mark.parametrize("kind", KINDS)
def test_the_configuration_offers_exactly_what_the_registry_has(kind):
    offered = set(get_args(DynamicsConfig.model_fields[kind].annotation))
    if kind == "electronic":
        offered.remove("none")  # what hops without amplitudes have
    assert offered == set(KINDS[kind])
    for name in offered:
        fitting = {"electronic": "nac-vectors"} if name == "tully-rate" else {}
        made = getattr(options(**fitting, **{kind: name}), kind)
        assert type(made) is type(registry.make(KINDS[kind], name))


def test_hops_without_amplitudes_have_neither_propagation_nor_decoherence():
    for preset in ({}, {"preset": "fssh-edc"}):  # what a preset says does not matter then
        made = options(hopping="landau-zener", **preset)
        assert made.electronic is None
        assert made.decoherence.describe() == "none"
    with pytest.raises(ConfigError, match="has no amplitudes"):
        options(hopping="landau-zener", decoherence="edc")


def test_a_particle_has_no_projected_coupling():
    with pytest.raises(ConfigError, match="single particle") as caught:
        options(PARTICLE, rescaling="projected-coupling")
    assert caught.value.hint == "use coupling"


def test_each_decoherence_gets_its_own_parameters():
    edc = options(decoherence_constant_hartree=0.2, decoherence_convention="amplitude").decoherence
    assert edc.describe() == "edc, C = 0.2 hartree, convention amplitude"
    sudden = options(decoherence="instantaneous", decoherence_collapse="attempted").decoherence
    assert sudden.describe() == "instantaneous, collapse after every attempted hop"
