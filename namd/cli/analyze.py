"""``namd analyze``: what an ensemble says. Nothing here imports torch."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "populations": LazyCommand(
        "namd.cli.analyze_populations:populations", "State populations over time, and the lifetime."
    ),
    "lifetimes": LazyCommand(
        "namd.cli.analyze_lifetimes:lifetimes", "Lifetimes by median and fit, also by product."
    ),
    "quantum-yield": LazyCommand(
        "namd.cli.analyze_quantum_yield:quantum_yield", "Products, by classes of geometries."
    ),
    "hops": LazyCommand("namd.cli.analyze_hops:hops", "Hops: numbers, times and energy gaps."),
    "spectrum": LazyCommand(
        "namd.cli.analyze_spectrum:spectrum", "Absorption spectrum of a nuclear ensemble."
    ),
    "conservation": LazyCommand(
        "namd.cli.analyze_conservation:conservation", "Total energy: a verdict per trajectory."
    ),
    "compare": LazyCommand(
        "namd.cli.analyze_compare:compare", "Runs beside each other: lifetimes and products."
    ),
    "model-error": LazyCommand(
        "namd.cli.analyze_model_error:model_error", "Runs on several models: chance or the model?"
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def analyze() -> None:
    """Analyse an ensemble of trajectories, finished or still running.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file; several runs of one
    method, each with a seed of its own, count as one.

    \b
    Examples:
      namd analyze populations runs/cis
      namd analyze populations runs/cis-1 runs/cis-2
      namd analyze populations runs/cis --figure populations.png
      namd analyze lifetimes runs/cis
      namd analyze quantum-yield runs/cis --json
      namd analyze quantum-yield runs/cis --classes trajectories/classes-stilbene.yaml
      namd analyze hops runs/cis
      namd analyze conservation runs/cis
      namd analyze compare runs/cis runs/other
      namd analyze spectrum labels.h5 --figure spectrum.png    # of labelled samples, not of a RUN
    """
