"""``namd models describe``: what a model is, what it is made of and what it costs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.nn.summary import LayerSummary


@click.command()
@click.argument("model", metavar="NAME_OR_CONFIG")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def describe(model: str, *, as_json: bool) -> None:
    """Show what a model is: molecule, states, layers, parameters, operations, errors.

    \b
    Examples:
      namd models describe stilbene-ssr
      namd models describe runs/my-model --json
      namd models describe mofd-sparse-16

    NAME_OR_CONFIG is a model folder, a name of the zoo, or a training configuration (a file, or a
    name such as mace-64), whose data are read for the molecule. The errors are those found at the
    end of the training; `namd evaluate` finds them on other labels. FLOP: floating-point operations
    of one W of one molecule; per batch: those on weights alone, done once for all its molecules. A
    layer holds its indented parts; "(its own)" is what no part of it does, as sums over neighbours.

    JSON: name, molecule, charge, states, level_of_theory, architecture, head, parameters,
    flops_per_molecule, flops_per_batch, layers (module, irreps, parameters, flops, flops_per_batch,
    diagrams and parts of each; parts are such layers), and, null if there is none, sha256 and
    folder (of a model), file (of a configuration), training_frames, epochs_done, errors (part of
    the split → as in namd evaluate --json) and, of a committee, members (folder and sha256 of each;
    layers and parameters are those of one) and calibration.
    """
    from dataclasses import asdict

    from namd.io.committee_file import is_committee, read_committee
    from namd.io.model_header import read_model_header
    from namd.nn.parallel import use_threads
    from namd.train.planned import planned_model, summary_of

    use_threads()
    information, source = planned_model(model)
    trained = source.is_dir()
    committee = read_committee(source) if trained and is_committee(source) else None
    digest = None
    if trained:
        digest = committee.sha256 if committee else read_model_header(source)["sha256"]
    summary = summary_of(information)
    facts = {
        "name": information.name,
        "molecule": information.molecule.formula,
        "charge": information.molecule.charge,
        "states": list(information.states.labels),
        "level_of_theory": information.level_of_theory,
        "architecture": information.architecture.model_dump(mode="json"),
        "head": information.head.model_dump(mode="json"),
        "parameters": summary.parameters,
        "flops_per_molecule": summary.flops,
        "flops_per_batch": summary.batch_flops,
        "layers": [_layer(part) for part in summary.layers],
        "sha256": digest,
        "folder": str(source) if trained else None,
        "file": None if trained else str(source),
        **_training(source if trained else None),
        "members": committee and [asdict(member) for member in committee.members],
        "calibration": committee and (dict(committee.calibration) or None),
    }
    if as_json:
        console.result_json(facts)
        return
    _show(facts, source)
    if trained and facts["errors"] is None:
        console.note("metrics.json is missing; find the errors with `namd evaluate`")


def _layer(summary: "LayerSummary") -> dict[str, Any]:
    return {
        "module": summary.layer.module,
        "irreps": summary.layer.irreps,
        "parameters": summary.parameters,
        "flops": summary.flops,
        "flops_per_batch": summary.batch_flops,
        "diagrams": [str(diagram) for diagram in summary.layer.diagrams],
        "parts": [_layer(part) for part in summary.parts],
    }


def _rows(layers: list[dict[str, Any]], depth: int = 0) -> Iterator[list[str]]:
    """Rows of the table of layers; what no part of a layer does is a row of its own."""
    for layer in layers:
        name = layer["module"] if depth == 0 else layer["module"].rpartition(".")[2]
        yield _row("  " * depth + name, layer)
        yield from _rows(layer["parts"], depth + 1)
        rest = {
            key: layer[key] - sum(part[key] for part in layer["parts"])
            for key in ("parameters", "flops", "flops_per_batch")
        }
        if layer["parts"] and any(rest.values()):
            yield _row("  " * (depth + 1) + "(its own)", rest)


def _row(name: str, layer: dict[str, Any]) -> list[str]:
    counts = (f"{layer[key] / 1e6:.2f}" for key in ("flops", "flops_per_batch"))
    return [name, layer.get("irreps", ""), str(layer["parameters"]), *counts]


def _show(facts: dict[str, Any], source: Path) -> None:
    from namd.train.card import error_headings, error_rows

    network, head = dict(facts["architecture"]), dict(facts["head"])
    chosen = [f"{k} {v}" for k, v in head.items() if k != "kind" and v]
    lines = {
        "name": facts["name"],
        "folder" if facts["folder"] else "config": str(source),
        "molecule": f"{facts['molecule']}, charge {facts['charge']:+d}".removesuffix(", charge +0"),
        "states": " ".join(facts["states"]),
        "level": facts["level_of_theory"],
        "network": f"{network.pop('kind')}: {', '.join(f'{k} {v}' for k, v in network.items())}",
        "head": ", ".join([head["kind"], *chosen]),
        "size": f"{facts['parameters']} parameters, "
        f"{facts['flops_per_molecule'] / 1e6:.2f} MFLOP per molecule",
    }
    if facts["members"]:
        lines["members"] = f"{len(facts['members'])}; network, head and size are those of each"
        scales = (facts["calibration"] or {}).get("scales", {})
        factors = ", ".join(f"{name} {value:.3g}" for name, value in scales.items())
        lines["expects"] = f"deviations times {factors}" if factors else "not calibrated"
    lines["weights"] = "untrained"
    if facts["sha256"]:
        lines["weights"] = f"SHA-256 {facts['sha256']}"
    if facts["errors"] is not None:
        epochs = facts["epochs_done"]
        said = ", ".join(map(str, epochs)) if facts["members"] else str(epochs)
        lines["training"] = f"{facts['training_frames']} frames, {said} epochs"
    for name, fact in lines.items():
        console.result(f"{name:<10}{fact}")
    console.result()
    console.table(
        ["layer", "irreps", "parameters", "MFLOP", "per batch"], list(_rows(facts["layers"]))
    )
    drawn = [(n["module"], text) for n in facts["layers"] for text in n["diagrams"]]
    if drawn:
        console.result("\nFusion diagrams (`namd models diagram` draws them)")
    for module, text in drawn:
        console.result(f"  {module:<10}{text}")
    for part, errors in (facts["errors"] or {}).items():
        console.result()
        console.table(
            error_headings(facts["states"]),
            error_rows(errors, facts["states"]),
            title=f"Errors on {part} frames",
        )


def _training(folder: Path | None) -> dict[str, Any]:
    """What ``metrics.json`` says of the training; all None if there is none."""
    from namd.errors import ModelError

    names = ("training_frames", "epochs_done", "errors")
    if folder is None:
        return dict.fromkeys(names)
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
