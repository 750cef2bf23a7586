"""``namd benchmark``: how fast things are on this machine."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "throughput": LazyCommand(
        "namd.cli.benchmark_throughput:throughput",
        "Trajectory steps and training frames per second of any network.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def benchmark() -> None:
    """Measure how fast networks, steps and trainings are on this machine.

    \b
    Examples:
      namd benchmark throughput
      namd benchmark throughput stilbene-ssr mace-64 --batch 64
    """
