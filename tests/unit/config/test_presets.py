"""Presets: what they fill in, who wins, and that every one is a valid configuration."""

from typing import Any, get_args

import pytest

from namd.config.loading import apply_overrides, resolved_config, validate
from namd.config.presets import PRESETS, expand_preset, with_preset
from namd.config.run import DynamicsConfig
from namd.errors import ConfigError


def dynamics(**keys: Any) -> DynamicsConfig:
    return validate({"timestep_au": 2, "max_steps": 7, **keys}, DynamicsConfig, where="test")


def test_the_configuration_offers_exactly_these() -> None:
    (offered, _) = get_args(DynamicsConfig.model_fields["preset"].annotation)
    assert set(get_args(offered)) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_what_it_says(name: str) -> None:
    made = resolved_config(dynamics(preset=name))
    preset = PRESETS[name]
    assert {key: made[key] for key in preset.settings} == dict(preset.settings)
    assert not {"timestep_fs", "timestep_au", "duration_fs", "max_steps"} & set(preset.settings)
    assert "DOI 10." in preset.reference
    assert preset.summary.endswith(".")
    # What was resolved once stays as it is.
    assert resolved_config(validate(made, DynamicsConfig, where="again")) == made


def test_an_explicit_key_wins() -> None:
    made = dynamics(preset="sharc2", decoherence_convention="population")
    assert made.decoherence_convention == "population"
    assert dynamics(preset="sharc2").decoherence_convention == "amplitude"
    assert dynamics().decoherence_convention == "population"


def test_the_defaults_are_the_preset_that_says_so() -> None:
    plain = resolved_config(dynamics())
    named = resolved_config(dynamics(preset="fssh-edc"))
    assert {**plain, "preset": "fssh-edc"} == named


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        dynamics(preset="sharc-2")
    assert caught.value.hint == 'did you mean "sharc2"?'
    assert with_preset({"preset": 3}) == {"preset": 3}


def test_a_preset_on_the_command_line_replaces_the_methods_of_the_file() -> None:
    file = {"dynamics": {"timestep_fs": 0.5, "duration_fs": 1, "decoherence": "edc"}}
    overrides = ["dynamics.preset=mlatom", "dynamics.rescaling=coupling"]
    made = apply_overrides(file, expand_preset(overrides))["dynamics"]
    assert made["decoherence"] == "none"
    assert made["hopping"] == "landau-zener"
    assert made["rescaling"] == "coupling"  # given after the preset: it wins
    assert expand_preset(["dynamics.preset=nobody"]) == ["dynamics.preset=nobody"]
