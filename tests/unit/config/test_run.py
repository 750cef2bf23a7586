"""The run configuration: units, rules across keys, documentation, and the shipped files."""

from pathlib import Path
from typing import Any

import pytest

from namd.config.loading import load_config, validate
from namd.config.run import WITHOUT_INFLUENCE, RunConfig
from namd.errors import ConfigError
from namd.units import FS_PER_ATOMIC_TIME

LIBRARY = sorted(
    path
    for path in (Path(__file__).parents[3] / "trajectories").glob("*.yaml")
    if not path.name.startswith("classes-")
)

LANDAU_ZENER = {"timestep_fs": 1, "max_steps": 1, "hopping": "landau-zener"}


def tully(**changes: Any) -> dict[str, Any]:
    return {
        "potential": {"tully": "sac"},
        "initial_conditions": {
            "method": "model-particle",
            "position_bohr": -5,
            "momentum_au": 20,
        },
        "dynamics": {"timestep_fs": 0.1, "duration_fs": 5},
        **changes,
    }


def config(**changes: Any) -> RunConfig:
    return validate(tully(**changes), RunConfig, where="test")


def test_times_become_atomic_units_and_whole_steps() -> None:
    made = config(output={"every_fs": 0.5})
    assert made.dynamics.timestep == pytest.approx(0.1 / FS_PER_ATOMIC_TIME)
    assert (made.dynamics.steps, made.frame_steps) == (50, 5)
    model = config(dynamics={"timestep_au": 2.0, "max_steps": 7})
    assert (model.dynamics.timestep, model.dynamics.steps, model.frame_steps) == (2.0, 7, 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dynamics": {"timestep_fs": 1, "timestep_au": 1, "max_steps": 1}}, "timestep_fs and"),
        ({"dynamics": {"max_steps": 1}}, "exactly one of timestep_fs"),
        ({"dynamics": {"timestep_fs": 1}}, "exactly one of duration_fs"),
        ({"dynamics": {"timestep_fs": -0.5, "max_steps": 1}}, "greater than 0"),
        ({"output": {"every_fs": 0.25}}, "no whole number of time steps"),
        ({"dynamics": {"timestep_fs": 1, "duration_fs": 0.4}}, "less than one step of 1 fs"),
        ({"dynamics": 3}, "expected a mapping of keys"),
        ({"seed": True}, "seed = true: expected a number"),
        ({"dynamics": {"timestep_fs": True, "max_steps": 1}}, "timestep_fs = true: expected a n"),
        ({"output": {"every_fs": 1, "every_steps": 1}}, "not both"),
        ({"potential": {}}, "exactly one of model, committee, calc"),
        (
            {"potential": {"tully": "sac", "model": "x"}},
            "exactly one of model, committee, calc",
        ),
        ({"potential": {"morse": 4}}, "expected one of: 1, 2, 3"),
        ({"potential": {"spin_boson": {"bias_inverse_cm": 1}}}, "required and missing"),
        ({"trajectories": 0}, "greater than 0"),
        (
            {"dynamics": {"timestep_fs": 1, "max_steps": 1, "hopping": "tully-rate"}},
            "needs a time-derivative coupling",
        ),
        (
            {"dynamics": {**LANDAU_ZENER, "electronic": "npi"}},
            "landau-zener has no amplitudes",
        ),
        (
            {"dynamics": {**LANDAU_ZENER, "decoherence": "edc"}},
            "landau-zener has no amplitudes",
        ),
        (
            {"dynamics": {"timestep_fs": 1, "max_steps": 1, "electronic": "none"}},
            "goes with hopping: landau-zener only",
        ),
        *(
            (
                {"dynamics": {"timestep_fs": 1, "max_steps": 1, "hopping": "unsmash", key: value}},
                "unsmash has no decoherence and reverses",
            )
            for key, value in (
                ("decoherence", "edc"),
                ("frustrated", "keep"),
                ("electronic", "curvature"),
            )
        ),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_landau_zener_has_no_amplitudes_by_default() -> None:
    dynamics = config(dynamics=LANDAU_ZENER).dynamics
    assert (dynamics.electronic, dynamics.decoherence) == ("none", "none")


def test_unsmash_brings_what_goes_with_it() -> None:
    for preset in ({}, {"preset": "sharc2"}):
        given = {"timestep_fs": 1, "max_steps": 1, "hopping": "unsmash", **preset}
        dynamics = config(dynamics=given).dynamics
        assert (dynamics.frustrated, dynamics.decoherence) == ("reverse", "none")


def test_every_key_is_documented() -> None:
    schema = RunConfig.model_json_schema()
    sections = {"RunConfig": schema, **schema["$defs"]}
    plain = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, entry in section.get("properties", {}).items()
        if not ({"description", "const"} & set(entry)) and "$ref" not in str(entry)
    ]
    assert plain == []


def test_keys_without_influence_exist() -> None:
    resolved = config().model_dump()
    for key in WITHOUT_INFLUENCE:
        value = resolved
        for part in key.split("."):
            value = value[part]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_the_run_library_is_valid_and_opens_with_a_comment(path: Path) -> None:
    assert path.read_text().startswith("# ")
    load_config(path, RunConfig)


def test_the_library_holds_the_promised_runs() -> None:
    promised = {"stilbene-cis", "stilbene-trans", "stilbene-smoke", "tully-1", "tully-2", "tully-3"}
    promised |= {"morse-1", "morse-2", "morse-3", "pyrazine", "so2"}
    promised |= {"photoisomerization", "spin-boson"}
    assert promised <= {path.stem for path in LIBRARY}


def test_the_classes_of_the_stilbene_runs_are_those_of_the_classes_file() -> None:
    import yaml

    folder = LIBRARY[0].parent
    classes = yaml.safe_load((folder / "classes-stilbene.yaml").read_text())
    for name in ("stilbene-cis", "stilbene-trans", "stilbene-smoke"):
        assert yaml.safe_load((folder / f"{name}.yaml").read_text())["analysis"] == classes


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_the_analytic_potentials_of_the_library_can_be_made(path: Path) -> None:
    from namd.potentials.dipoles import has_dipoles
    from namd.potentials.from_config import make_potential

    loaded = load_config(path, RunConfig)
    if loaded.potential.model is None:
        potential = make_potential(loaded.potential, base=path.parent, device="cpu")
        state = loaded.initial_conditions.state
        assert has_dipoles(potential) if state is None else state < len(potential.states)
