"""What a validation failure is told as: key, value, what was expected, and the nearest good guess.

pydantic reports every problem with an internal location and wording; here the first one becomes a
:class:`namd.errors.ConfigError` that a user of YAML understands, and the others are listed by key.
"""

import json
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from namd.errors import ConfigError

_MISSING = object()
_TELLING = {
    "training": "active-learn",
    "network": "train",
    "potential": "run surface-hopping",
    "engine": "label",
}
"""A key that only one kind of configuration has, and the command that takes it."""


def complaint(
    error: ValidationError, data: dict[str, Any], model_class: type[BaseModel], *, where: str
) -> ConfigError:
    """Turn a failed validation of ``data`` into the error a user sees.

    Parameters
    ----------
    error
        What pydantic raised.
    data
        The mapping that was validated, to show the offending value.
    model_class
        Source of the known keys for "did you mean".
    where
        The file's name.
    """
    details = error.errors(include_url=False)
    if any(detail["type"] == "missing" and len(detail["loc"]) == 1 for detail in details):
        foreign = [key for key in data if key in _TELLING and key not in model_class.model_fields]
        if foreign:
            return ConfigError(
                f"this is a configuration for `namd {_TELLING[foreign[0]]}`",
                where=where,
                hint=f"keys that are needed here: {', '.join(_required(model_class))}",
            )
    first, others = details[0], details[1:]
    path, value = _locate(first, data)
    message, hint = _explain(first, path, value, model_class)
    more = list(dict.fromkeys(".".join(_locate(other, data)[0]) for other in others))
    more = [key for key in more if key and key != ".".join(path)]
    if more:
        hint = "; ".join(filter(None, [hint, f"also wrong: {', '.join(more)}"]))
    shown = "" if value is _MISSING or isinstance(value, dict | list) else f" = {_show(value)}"
    return ConfigError(message, where=f"{where}  {'.'.join(path)}{shown}".rstrip(), hint=hint)


def _required(model_class: type[BaseModel]) -> list[str]:
    return [name for name, field in model_class.model_fields.items() if field.is_required()]


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _locate(detail: ErrorDetails, data: Any) -> tuple[list[str], Any]:
    """Dotted key and value of a problem; pydantic's union tags, which are no keys, are left out."""
    path: list[str] = []
    location = detail["loc"]
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if not last and isinstance(data, dict) and not isinstance(data.get(part, {}), dict | list):
            continue  # nothing lies below a plain value: a tag that is called like a key
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            path.append(str(part))
            data = data[part]
        elif last and detail["type"] == "missing":
            path.append(str(part))
            data = _MISSING
    context = detail.get("ctx", {})
    if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        key = str(context["discriminator"]).strip("'")
        path.append(key)
        data = data.get(key, _MISSING) if isinstance(data, dict) else _MISSING
    return path, data


def _explain(
    detail: ErrorDetails, path: list[str], value: Any, model_class: type[BaseModel]
) -> tuple[str, str | None]:
    """Message and hint of one problem."""
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            known = _known_keys(model_class, path[:-1])
            return "unknown key", _nearest(path[-1], known) or f"known keys: {', '.join(known)}"
        case "missing" | "union_tag_not_found":
            return "this key is required and missing", None
        case "literal_error" | "enum" | "union_tag_invalid":
            expected = str(context.get("expected") or context.get("expected_tags"))
            choices = [c.strip(" '") for c in expected.replace(" or ", ", ").split(",")]
            return f"expected one of: {', '.join(choices)}", _nearest(str(value), choices)
        case "value_error":
            return str(context["error"]), None
        case "model_type" | "model_attributes_type":
            return "expected a mapping of keys to values", None
        case _:
            message = detail["msg"].replace("Input should be", "expected")
            return message.replace("a valid tuple", "a list, such as [4.0, 4.5]"), None


def _nearest(word: str, choices: list[str]) -> str | None:
    found = get_close_matches(word, choices, n=1, cutoff=0.55)
    return f'did you mean "{found[0]}"?' if found else None


def _known_keys(model_class: type[BaseModel], path: list[str]) -> list[str]:
    """Keys the schema knows at ``path``, over all branches of a union."""
    schema = model_class.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = _branches(schema, definitions)
    for part in path:
        below = [
            node["properties"].get(part) if "properties" in node else node.get("items")
            for node in nodes
        ]
        below += [
            node["additionalProperties"]
            for node in nodes
            if isinstance(node.get("additionalProperties"), dict)
        ]
        nodes = [branch for node in below if node for branch in _branches(node, definitions)]
    return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


def _branches(node: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Follow the references of a schema node and open its unions."""
    if "$ref" in node:
        return _branches(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions)
    for union in ("anyOf", "oneOf", "allOf"):
        if union in node:
            return [branch for sub in node[union] for branch in _branches(sub, definitions)]
    return [node]
