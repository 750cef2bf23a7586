"""Reading, overriding and validating YAML, and how mistakes are told."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from namd.config.labelling import LabellingConfig
from namd.config.loading import (
    apply_overrides,
    differing_keys,
    load_config,
    read_yaml,
    resolved_config,
    validate,
)
from namd.config.run import RunConfig
from namd.config.section import Section
from namd.config.training import TrainingConfig
from namd.errors import ConfigError
from namd.io.library import find_file


class Round(Section):
    kind: Literal["round"]
    radius: Annotated[float, Field(gt=0)]


class Square(Section):
    kind: Literal["square"]
    side: float = 1.0


class Inner(Section):
    timestep: Annotated[float, Field(gt=0)] = 0.5
    method: Literal["edc", "none"] = "edc"


class Outer(Section):
    name: str
    inner: Inner = Inner()
    shapes: tuple[Annotated[Round | Square, Field(discriminator="kind")], ...] = ()


def written(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def test_defaults_and_overrides_meet_in_the_resolved_configuration(tmp_path: Path) -> None:
    path = written(tmp_path, "name: a\ninner: {method: none}\n")
    config = load_config(path, Outer, ["inner.timestep=1e-3", "inner.timestep=2e-3"])
    assert resolved_config(config) == {
        "name": "a",
        "inner": {"timestep": 2e-3, "method": "none"},
        "shapes": [],
    }


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ("name: a\ninner: {timestpe: 1}", "inner.timestpe = 1", "unknown key", '"timestep"'),
        ("name: a\ninner: {method: ecd}", 'inner.method = "ecd"', "edc, none", '"edc"'),
        ("name: a\ninner: {timestep: -1}", "inner.timestep = -1", "greater than 0", None),
        ("name: a\ninner: {timestep: .inf}", "inner.timestep = Infinity", "finite", None),
        ("inner: {}", "name", "required and missing", None),
        ("name: a\nshapes: [{kind: rond}]", 'shapes.0.kind = "rond"', "round, square", '"round"'),
        ("name: a\nshapes: [{side: 1}]", "shapes.0.kind", "required", None),
        ("name: a\nshapes: [{kind: round}]", "shapes.0.radius", "required", None),
        ("name: a\nshapes: [{kind: square, sid: 1}]", "shapes.0.sid = 1", "unknown", '"side"'),
        ("name: a\nnmae: b\nfoo: 1", 'nmae = "b"', "unknown key", "also wrong: foo"),
    ],
)
def test_a_mistake_is_told_with_file_key_value_and_remedy(
    tmp_path: Path, text: str, where: str, message: str, hint: str | None
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, Outer)
    assert caught.value.where == f"{path}  {where}"
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b", "given twice"),
        ("name: [a", "not valid YAML"),
        ("name: {{name}}", "a key must be a word"),
        ("- a", "expected a mapping"),
        ("", "expected a mapping"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_yaml(written(tmp_path, text))


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        read_yaml(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("inner", "key=value"),
        ("=1", "key=value"),
        ("a..b=1", "key=value"),
        ("name.first=1", "has no keys"),
        ("shapes.3=1", "no position"),
        ("name=[", "not valid YAML"),
    ],
)
def test_a_malformed_override_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        apply_overrides({"name": "a", "shapes": [1]}, [override])
    assert caught.value.where == f"--set {override}" or "line" in str(caught.value.where)


def test_overrides_reach_into_lists_and_leave_the_original_alone() -> None:
    data = {"shapes": [{"side": 1}, {"side": 2}]}
    assert apply_overrides(data, ["shapes.1.side=3"]) == {"shapes": [{"side": 1}, {"side": 3}]}
    assert data == {"shapes": [{"side": 1}, {"side": 2}]}


def test_differing_keys_are_dotted_and_complete() -> None:
    first = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    second = {"a": {"b": 2, "c": [1, 3]}, "e": 1}
    assert differing_keys(first, second) == ["a.b", "a.c", "e"]
    assert differing_keys(first, first) == []


def test_a_union_tag_that_is_called_like_a_key_is_left_out_of_the_place() -> None:
    engine = {"callable": "module:function", "level_of_theory": "x", "energies": {"key": "e"}}
    with pytest.raises(ConfigError) as caught:
        validate({"engine": engine}, LabellingConfig, where="label.yaml")
    assert caught.value.where == "label.yaml  engine.energies.unit"


@pytest.mark.parametrize(
    ("file", "kind", "said"),
    [
        ("trajectories/stilbene-cis.yaml", TrainingConfig, "`namd run surface-hopping`"),
        ("models/stilbene-ssr/train.yaml", RunConfig, "`namd train`"),
        ("models/ethylene-casscf/engine.yaml", RunConfig, "`namd label`"),
        ("models/ethylene-casscf/active.yaml", TrainingConfig, "`namd active-learn`"),
    ],
)
def test_a_configuration_of_another_kind_is_told(file: str, kind: type[Section], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(find_file(file), kind)
    assert caught.value.message == f"this is a configuration for {said}"
    assert caught.value.hint is not None
    assert ("potential" if kind is RunConfig else "data") in caught.value.hint
