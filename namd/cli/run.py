"""``namd run``: from a configuration to an ensemble."""

from pathlib import Path

import click

EPILOG = (
    "Exit codes: 0 done, 2 configuration, 3 model or data, 4 physics guard, 75 stopped by SIGTERM "
    "or a full disk, 130 Ctrl-C; after the last two the same command with --resume goes on."
)


@click.group()
def run() -> None:
    """Run trajectories."""


@run.command("surface-hopping", epilog=EPILOG)
@click.argument("config")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Run folder; must not exist yet.  [default: runs/CONFIG-TIME]",
)
@click.option("--trajectories", type=int, help="How many trajectories.")
@click.option("--seed", type=int, help="Seed of every random number.")
@click.option("--device", help="auto, cpu, cuda, cuda:0, …")
@click.option("--resume", is_flag=True, help="Go on with the run in --output.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key, e.g. dynamics.duration_fs=200; may be repeated.",
)
def surface_hopping(
    *,
    config: str,
    output: Path | None,
    trajectories: int | None,
    seed: int | None,
    device: str | None,
    resume: bool,
    overrides: tuple[str, ...],
) -> None:
    """Propagate an ensemble of surface-hopping trajectories.

    \b
    Examples:
      namd run surface-hopping trajectories/stilbene-cis.yaml --output runs/cis
      namd run surface-hopping trajectories/stilbene-cis.yaml --output runs/cis --resume
      namd run surface-hopping stilbene-smoke --trajectories 4 --seed 7
      namd run surface-hopping tully-1 --set initial_conditions.momentum_au=10

    \b
    Ground-state dynamics with any calculator of ASE, here EMT (n2.yaml, beside n2.xyz):
      potential:
        calculator: {callable: "ase.calculators.emt:EMT", geometry: n2.xyz}
      initial_conditions:
        {method: wigner, geometry: {file: n2.xyz}, hessian: model, temperature_k: 300, state: 0}
      dynamics: {timestep_fs: 0.5, duration_fs: 100}

    CONFIG is a YAML file or the name of one in the run library; `namd config schema run`
    documents every key. The run folder holds ensemble.h5 when the run is complete; a run that is
    stopped or killed goes on from its last checkpoint with --resume, with identical results.
    """
    from namd.cli.surface_hopping_job import run_job

    given = {"trajectories": trajectories, "seed": seed, "device": device}
    options = [f"{key}={value}" for key, value in given.items() if value is not None]
    run_job(config, overrides=[*overrides, *options], output=output, resume=resume)
