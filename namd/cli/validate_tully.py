"""``namd validate tully``: options in, our fractions beside the exact ones out."""

from typing import TYPE_CHECKING, Any, cast

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.validation.channels import Channels
    from namd.validation.tully_reference import Model
    from namd.validation.tully_run import TullyOutcome

_TITLES = {
    "sac": "simple avoided crossing",
    "dac": "dual avoided crossing",
    "ecr": "extended coupling with reflection",
}


@click.command()
@click.option("--model", type=click.Choice(list(_TITLES)), required=True, help="Which model.")
@click.option("--momentum", type=float, required=True, help="Incoming momentum, atomic units.")
@click.option("--trajectories", type=click.IntRange(min=1), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--method",
    default="fssh",
    show_default=True,
    metavar="PRESET",
    help="Preset of methods; `namd config methods` lists them.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key of the run, e.g. dynamics.frustrated=reverse; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def tully(
    *,
    model: str,
    momentum: float,
    trajectories: int,
    seed: int,
    method: str,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send monoenergetic trajectories over one of Tully's models and count where they leave.

    The particle (mass 2000) comes from the left on the lower surface. Ours are fractions of all
    trajectories with their standard errors; exact is the stationary Schrödinger equation solved at
    the same momentum. Where they differ by more than the error the *method* is at fault as a rule:
    surface hopping has no exact limit here. `other FSSH` is an independent program without
    decoherence (2000 trajectories), given where its numbers are known.

    \b
    Examples:
      namd validate tully --model dac --momentum 30
      namd validate tully --model ecr --momentum 14 --method fssh-edc --trajectories 500
      namd validate tully --model sac --momentum 8.5 --json

    \b
    JSON: transmission_lower, transmission_upper, reflection_lower, reflection_upper, unfinished,
    standard_errors (same names), exact (the four, or null where it cannot be solved for), then
    exact_table and other_fssh (tabulated, or null), model, momentum, trajectories, seed, method,
    decoherence, timestep_au, steps.
    """
    from namd.errors import ConfigError
    from namd.nn.parallel import use_threads
    from namd.validation.tully_reference import exact_channels, table
    from namd.validation.tully_run import run_tully

    if not momentum > 0:
        raise ConfigError("the momentum must be positive", where=f"--momentum {momentum:g}")
    use_threads()
    which = cast("Model", model)
    try:
        exact = exact_channels(which, momentum)
    except ConfigError as error:
        console.warn(f"no exact result: {error.message}")
        exact = None
    outcome = run_tully(
        which,
        momentum,
        trajectories=trajectories,
        seed=seed,
        preset=method,
        overrides=overrides,
    )
    references = {
        "exact": exact,
        "exact_table": table("exact").get((model, momentum)),
        "other_fssh": table("fssh").get((model, momentum)),
    }
    if as_json:
        about = {"model": model, "momentum": momentum, "seed": seed, "method": method}
        console.result_json(_as_json(outcome, references) | about)
    else:
        title = f"Tully: {_TITLES[model]}, momentum {momentum:g}, method {method}"
        _show(outcome, references, title=title)


def _as_json(outcome: "TullyOutcome", references: dict[str, "Channels | None"]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        **asdict(outcome.fractions),
        "unfinished": outcome.unfinished,
        "standard_errors": asdict(outcome.standard_errors),
        **{name: known and asdict(known) for name, known in references.items()},
        "trajectories": outcome.trajectories,
        "decoherence": outcome.decoherence,
        "timestep_au": outcome.timestep,
        "steps": outcome.steps,
    }


def _show(outcome: "TullyOutcome", references: dict[str, "Channels | None"], *, title: str) -> None:
    ours = zip(outcome.fractions.values, outcome.standard_errors.values, strict=True)
    rows = [["ours (surface hopping)", *(f"{p:.4f} ± {error:.4f}" for p, error in ours)]]
    names = {"exact": "exact (solved here)", "exact_table": "exact (independent program)"}
    names["other_fssh"] = "other FSSH program"
    for name, known in references.items():
        if known is not None:
            digits = 4 if name != "exact" else 5
            rows.append([names[name], *(f"{p:.{digits}f}" for p in known.values)])
    headings = ["", "T lower", "T upper", "R lower", "R upper"]
    console.table(headings, rows, title=title)
    console.result(
        f"{outcome.trajectories} trajectories, dt {outcome.timestep:.4g} a.u., "
        f"{outcome.steps} steps; unfinished {outcome.unfinished:.4f}"
    )
    console.result(f"Decoherence: {outcome.decoherence}")
