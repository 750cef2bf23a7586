"""``namd validate``: our dynamics beside results that are not ours."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "sharc": LazyCommand(
        "namd.cli.validate_sharc:sharc", "A SHARC 2 trajectory, replayed step by step."
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def validate() -> None:
    """Compare our dynamics with exact and published results.

    \b
    Examples:
      namd validate sharc TRAJ_00002/output.dat
    """
