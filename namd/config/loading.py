"""From a YAML file and ``--set`` overrides to a validated configuration.

The steps are the same for every kind of configuration: read the file (a key given twice is an
error, which YAML itself would pass over), put the overrides in, validate. What went wrong is told
by :mod:`namd.config.complaints`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from namd.config.complaints import complaint
from namd.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def load_config(path: Path, model_class: type[ConfigT], overrides: Sequence[str] = ()) -> ConfigT:
    """Read, override and validate one configuration file.

    Parameters
    ----------
    path
        A YAML file.
    model_class
        The pydantic model that describes it.
    overrides
        ``key=value`` strings as given to ``--set``; keys are dotted, values are read as YAML.

    Raises
    ------
    ConfigError
        Missing or unreadable file, wrong key, wrong value, malformed override.
    """
    return validate(apply_overrides(read_yaml(path), overrides), model_class, where=str(path))


def validate(data: dict[str, Any], model_class: type[ConfigT], *, where: str) -> ConfigT:
    """Turn a plain mapping into ``model_class``; ``where`` names its file in messages."""
    try:
        made = model_class.model_validate(data)
    except ValidationError as error:
        raise complaint(error, data, model_class, where=where) from None
    for key, value in _truths_read_as_numbers(data, made.model_dump(mode="json"), ""):
        raise ConfigError(
            "expected a number",
            where=f"{where}  {key} = {str(value).lower()}",
            hint="YAML reads yes, no, on and off as true and false",
        )
    return made


def _truths_read_as_numbers(given: Any, read: Any, key: str) -> Iterator[tuple[str, bool]]:
    """Keys with true or false where a number is meant, which Python counts as 1 or 0."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name in given:
            yield from _truths_read_as_numbers(
                given[name], read.get(name), f"{key}.{name}".lstrip(".")
            )
    elif isinstance(given, list) and isinstance(read, list):
        for position, (old, new) in enumerate(zip(given, read, strict=False)):
            yield from _truths_read_as_numbers(old, new, f"{key}.{position}")
    elif isinstance(given, bool) and isinstance(read, int | float) and not isinstance(read, bool):
        yield key, given


def resolved_config(config: BaseModel) -> dict[str, Any]:
    """Every key with its value, defaults included, as plain JSON types."""
    return config.model_dump(mode="json")


def differing_keys(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Dotted keys whose values differ between two resolved configurations, in order.

    Examples
    --------
    >>> differing_keys({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
    ['a.c']
    """
    return list(_differences(first, second, ""))


def _differences(first: Any, second: Any, key: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for name in dict.fromkeys([*first, *second]):
            yield from _differences(first.get(name), second.get(name), f"{key}.{name}".lstrip("."))
    elif first != second:
        yield key


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping a YAML file holds.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, repeats a key, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file", where=str(path), hint="check the path and its spelling"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read as text: {error}", where=str(path), hint="a YAML file is expected"
        ) from error
    data = _parse(text, where=str(path))
    if not isinstance(data, dict):
        raise ConfigError(
            f"expected a mapping of keys to values, found {_kind(data)}",
            where=str(path),
            hint="see `namd config schema` for the keys",
        )
    return data


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Copy ``data`` with every dotted ``key=value`` put in; later ones win.

    Examples
    --------
    >>> apply_overrides({"dynamics": {"duration_fs": 500}}, ["dynamics.duration_fs=50"])
    {'dynamics': {'duration_fs': 50}}
    """
    for override in overrides:
        key, equals, text = override.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise ConfigError(
                "expected key=value with a dotted key",
                where=f"--set {override}",
                hint="for example --set dynamics.duration_fs=200",
            )
        data = _with(data, names, _parse(text, where=f"--set {override}"), f"--set {override}")
    return data


def _with(data: Any, names: list[str], value: Any, where: str) -> Any:
    """Copy ``data`` with ``value`` at the path ``names``; integers index lists."""
    if not names:
        return value
    head, rest = names[0], names[1:]
    if isinstance(data, list):
        if not head.isdigit() or int(head) >= len(data):
            raise ConfigError(
                f"{head!r} is no position in a list of {len(data)}",
                where=where,
                hint="count from 0",
            )
        position = int(head)
        return [
            _with(item, rest, value, where) if k == position else item
            for k, item in enumerate(data)
        ]
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{head!r} lies inside {_kind(data)}, which has no keys", where=where)
    data = data or {}
    return {**data, head: _with(data.get(head), rest, value, where)}


def _parse(text: str, *, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}, line {mark.line + 1}" if mark is not None else where
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ConfigError(f"not valid YAML: {problem}", where=place) from None


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word, not a list or mapping", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _kind(value: Any) -> str:
    names = {type(None): "nothing", list: "a list", str: "a text", dict: "a mapping"}
    return names.get(type(value), f"the value {value!r}")
