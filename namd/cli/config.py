"""``namd config``: check, show and document configurations.

Nothing here imports torch but ``methods``, which reads the registry of the methods themselves.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.config.section import Section

KINDS = click.Choice(["run", "train", "label", "active-learn"])


@click.group()
def config() -> None:
    """Check, show and document configurations."""


@config.command()
@click.argument("kind", type=KINDS, default="run")
def schema(kind: str) -> None:
    """Print the JSON schema of a configuration: every key, its default, its meaning.

    \b
    Examples:
      namd config schema
      namd config schema train > train.schema.json
      namd config schema label
    """
    console.result(json.dumps(_model(kind).model_json_schema(), indent=2, ensure_ascii=False))


@config.command()
@click.argument("file")
@click.option("--kind", type=KINDS, help="What FILE describes.  [default: told by its keys]")
@click.option("--show", is_flag=True, help="Print every key with its value, defaults included.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one key; repeatable."
)
def check(file: str, kind: str | None, show: bool, overrides: tuple[str, ...]) -> None:
    """Check a configuration: keys, values, units; says what is wrong and where.

    \b
    Examples:
      namd config check trajectories/stilbene-cis.yaml
      namd config check stilbene-cis --show --set dynamics.duration_fs=200
      namd config check models/stilbene-ssr/train.yaml --kind train
    """
    import yaml

    from namd.config.loading import load_config, read_yaml, resolved_config
    from namd.io.library import find_run_config

    path = Path(file) if Path(file).is_file() else find_run_config(file)
    chosen = kind or _kind(read_yaml(path))
    loaded = load_config(path, _model(chosen), overrides)
    if show:
        text = yaml.safe_dump(resolved_config(loaded), sort_keys=False, allow_unicode=True)
        console.result(text.rstrip())
    console.note(f"{path}: a valid {chosen} configuration")
    _tell_departures(resolved_config(loaded).get("dynamics", {}))


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def methods(*, as_json: bool) -> None:
    """List every method of surface hopping and every preset, with references.

    \b
    Examples:
      namd config methods
      namd config methods --json

    \b
    JSON: methods (list: kind, name, summary, reference), presets (list: name, summary,
    conventions, reference, settings).
    """
    from namd.cli.config_methods import show_methods

    show_methods(as_json=as_json)


def _tell_departures(dynamics: dict[str, Any]) -> None:
    """Say where a run is not what the name of its preset promises."""
    from namd.config.presets import departures

    for key, (usual, here) in departures(dynamics).items():
        console.note(f"dynamics.{key}: {here}, not {usual} as in the preset {dynamics['preset']}")


def _kind(data: dict[str, Any]) -> str:
    """What a configuration describes, told by its keys."""
    if "training" in data:
        return "active-learn"
    if "data" in data:
        return "train"
    return "label" if "engine" in data else "run"


def _model(kind: str) -> "type[Section]":
    if kind == "active-learn":
        from namd.config.active_learning import ActiveLearningConfig

        return ActiveLearningConfig
    if kind == "label":
        from namd.config.labelling import LabellingConfig

        return LabellingConfig
    if kind == "train":
        from namd.config.training import TrainingConfig

        return TrainingConfig
    from namd.config.run import RunConfig

    return RunConfig
