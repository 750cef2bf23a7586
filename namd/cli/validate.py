"""``namd validate``: our dynamics beside results that are not ours."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "sharc": LazyCommand(
        "namd.cli.validate_sharc:sharc", "A SHARC 2 trajectory, replayed step by step."
    ),
    "tully": LazyCommand(
        "namd.cli.validate_tully:tully", "Tully's models beside exact quantum scattering."
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def validate() -> None:
    """Compare our dynamics with exact and published results.

    \b
    Examples:
      namd validate sharc TRAJ_00002/output.dat
      namd validate tully --model dac --momentum 30
      namd validate tully --model ecr --momentum 14 --method fssh-edc --json
    """
