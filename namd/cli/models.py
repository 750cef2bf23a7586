"""``namd models``: the models at hand, and what each of them is."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "list": LazyCommand("namd.cli.models_list:list_models", "The models of the zoo."),
    "describe": LazyCommand(
        "namd.cli.models_describe:describe", "Molecule, network layer by layer, cost, errors."
    ),
    "guard": LazyCommand(
        "namd.cli.models_guard:guard", "Let an older model expect its own errors."
    ),
    "diagram": LazyCommand("namd.cli.models_diagram:diagram", "The fusion diagrams of a network."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def models() -> None:
    """List, describe and draw the models that can be used by name.

    \b
    Examples:
      namd models list
      namd models describe stilbene-ssr
      namd models diagram stilbene-ssr --figure diagrams.svg
    """
