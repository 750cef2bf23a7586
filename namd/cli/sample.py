"""``namd sample``: ensembles of geometries and velocities."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "wigner": LazyCommand(
        "namd.cli.sample_wigner:wigner", "Harmonic Wigner distribution about a minimum."
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def sample() -> None:
    """Sample geometries and velocities of the ground state.

    \b
    Examples:
      namd sample wigner models/stilbene-ssr/data/minima.h5 --name cis --output samples.h5
      namd sample wigner freq.hess --temperature 300 --number 500 --output samples.xyz
    """
