"""``namd models``: the models at hand, and what each of them is.

Only the description of an untrained network imports torch.
"""

import json
from pathlib import Path
from typing import Any

import click

from namd.cli import console


@click.group()
def models() -> None:
    """List and describe the models that can be used by name.

    \b
    Examples:
      namd models list
      namd models describe stilbene-ssr
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(*, as_json: bool) -> None:
    """List the models of the zoo.

    \b
    Examples:
      namd models list
      namd models list --json

    Any of them can stand where a command or configuration asks for a model; so can the path of a
    folder made by `namd train`.
    """
    from namd.io.library import zoo

    found = [_facts(folder) for folder in zoo()]
    if as_json:
        console.result_json(found)
        return
    if not found:
        console.note("the zoo is empty; `namd train` makes a model folder, to be used by its path")
        return
    console.table(
        ["name", "molecule", "states", "level of theory"],
        [[f["name"], f["molecule"], " ".join(f["states"]), f["level_of_theory"]] for f in found],
    )


@models.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def describe(model: str, *, as_json: bool) -> None:
    """Show what a model is: molecule, states, level of theory, network, errors.

    \b
    Examples:
      namd models describe stilbene-ssr
      namd models describe runs/my-model --json
      namd models describe mace-64

    MODEL is a model folder, a name of the zoo, or a training configuration (a file or a name such
    as mace-64), of which the untrained network is described. The errors are those found at the end
    of the training; `namd evaluate MODEL DATA` finds them on other labels.

    JSON: name, molecule, charge, states, level_of_theory, architecture, sha256, folder, and of its
    training (null if unknown) parameters, training_frames, epochs_done, and errors (part of the
    split → as in namd evaluate --json). Of a configuration: name, file, molecule, charge, states,
    level_of_theory, architecture, parameters.
    """
    from namd.io.library import find_model, find_training_config
    from namd.train.card import error_headings, error_rows

    config = find_training_config(model)
    if config is not None:
        _describe_config(config, as_json=as_json)
        return
    folder = find_model(model)
    facts = _facts(folder) | _training(folder)
    if as_json:
        console.result_json(facts)
        return
    lines = {
        "name": facts["name"],
        "folder": facts["folder"],
        "molecule": _molecule(facts),
        "states": " ".join(facts["states"]),
        "level": facts["level_of_theory"],
        "network": _network(facts),
        "weights": f"SHA-256 {facts['sha256']}",
    }
    if facts["errors"] is not None:
        lines["weights"] += f", {facts['parameters']} parameters"
        lines["training"] = f"{facts['training_frames']} frames, {facts['epochs_done']} epochs"
    for name, fact in lines.items():
        console.result(f"{name:<10}{fact}")
    for part, errors in (facts["errors"] or {}).items():
        console.result()
        console.table(
            error_headings(facts["states"]),
            error_rows(errors, facts["states"]),
            title=f"Errors on {part} frames",
        )
    if facts["errors"] is None:
        console.note("metrics.json is missing; find the errors with `namd evaluate`")


def _describe_config(file: Path, *, as_json: bool) -> None:
    """What a training configuration would make."""
    from namd.config.loading import load_config
    from namd.config.training import TrainingConfig
    from namd.train.pipeline import outline

    facts = outline(load_config(file, TrainingConfig, ()), base=file.parent)
    if as_json:
        console.result_json(facts | {"file": str(file)})
        return
    lines = {
        "name": facts["name"],
        "file": str(file),
        "molecule": _molecule(facts),
        "states": " ".join(facts["states"]),
        "level": facts["level_of_theory"],
        "network": _network(facts),
        "weights": f"untrained, {facts['parameters']} parameters",
    }
    for name, fact in lines.items():
        console.result(f"{name:<10}{fact}")


def _molecule(facts: dict[str, Any]) -> str:
    return f"{facts['molecule']}, charge {facts['charge']:+d}".removesuffix(", charge +0")


def _network(facts: dict[str, Any]) -> str:
    sizes = dict(facts["architecture"])
    return f"{sizes.pop('kind')}: {', '.join(f'{k} {v}' for k, v in sizes.items())}"


def _facts(folder: Path) -> dict[str, Any]:
    """What ``model.json`` says, in plain JSON types."""
    import numpy as np

    from namd.errors import ModelError, NamdError
    from namd.io.model_header import HEADER_FILE, read_model_header
    from namd.molecule import Molecule

    header = read_model_header(folder)
    try:
        numbers = np.array(header["molecule"]["atomic_numbers"], dtype=np.int64)
        return {
            "name": str(header["name"]),
            "molecule": Molecule.from_numbers(numbers).formula,
            "charge": int(header["molecule"]["charge"]),
            "states": [str(label) for label in header["states"]],
            "level_of_theory": str(header["level_of_theory"]),
            "architecture": dict(header["architecture"]),
            "sha256": str(header["sha256"]),
            "folder": str(folder),
        }
    except (KeyError, TypeError, ValueError, NamdError) as error:
        raise ModelError(
            f"the header is damaged: {error}",
            where=str(folder / HEADER_FILE),
            hint="was it edited? copy the model folder again",
        ) from None


def _training(folder: Path) -> dict[str, Any]:
    """What ``metrics.json`` says of the training; all None if there is no such file."""
    from namd.errors import ModelError

    names = ("parameters", "training_frames", "epochs_done", "errors")
    path = folder / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        return {name: metrics[name] for name in names}
    except FileNotFoundError:
        return dict.fromkeys(names)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the record of its training cannot be read: {error}",
            where=str(path),
            hint="copy the folder again",
        ) from None
