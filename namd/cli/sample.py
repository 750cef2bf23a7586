"""``namd sample``: geometries to start trajectories from, or to be labelled."""

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "wigner": LazyCommand(
        "namd.cli.sample_wigner:wigner", "Harmonic Wigner distribution about a minimum."
    ),
    "boltzmann": LazyCommand(
        "namd.cli.sample_boltzmann:boltzmann", "Classical thermal momenta and positions."
    ),
    "scan": LazyCommand(
        "namd.cli.sample_scan:scan", "Torsions, pyramidalisation, paths between geometries, noise."
    ),
    "relax": LazyCommand(
        "namd.cli.sample_search:relax", "Minima of any state of a model or an engine."
    ),
    "descend": LazyCommand(
        "namd.cli.sample_descend:descend", "The minimum-energy path down from a geometry."
    ),
    "hessian": LazyCommand(
        "namd.cli.sample_hessian:hessian", "A minimum with its Hessian, to sample about."
    ),
    "meci": LazyCommand(
        "namd.cli.sample_search:meci", "Minimum-energy conical intersections of either."
    ),
    "thin": LazyCommand(
        "namd.cli.sample_thin:thin", "Choose the frames that differ most; drop repeats."
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def sample() -> None:
    """Sample geometries: to start trajectories from, or to be labelled (`namd label`).

    \b
    Examples:
      namd sample wigner models/stilbene-ssr/data/minima.h5 --name cis --output samples.h5
      namd sample wigner freq.hess --temperature 300 --number 500 --output samples.xyz
      namd sample scan trans.xyz --torsion 3-0-1-4 --angles 180:0:-10 --output scan.h5
      namd sample relax guess.xyz --model stilbene-ssr --state 1 --output s1.h5
      namd sample descend cis.xyz --model stilbene-ssr --state 1 --output path.h5
      namd sample hessian guess.xyz --config engine.yaml --relax --output minimum.h5
      namd sample meci twisted.xyz --model stilbene-ssr --output meci.h5
      namd sample thin scan.h5 -n 100 --known labels.h5 --output to_label.h5
    """
