"""``namd validate sharc``: options in, the largest deviations of a replay out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.io.sharc_input import SharcMethods


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--input",
    "input_file",
    type=click.Path(path_type=Path),
    help="SHARC's input of the trajectory.  [default: the one beside FILE, if there is one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def sharc(*, file: Path, input_file: Path | None, as_json: bool) -> None:
    """Replay a SHARC 2 trajectory with our own methods and say how far we end from it.

    FILE is the output.dat of any trajectory of singlets with gradients and coupling vectors in
    every step (write_grad, write_nacdr; coupling nacdr). Every step starts from the numbers of the
    file and must end at the next ones: velocity Verlet, propagation with coupling vectors, hop
    probabilities, rescaling and decoherence are those of `namd run`, in the conventions of SHARC 2.
    How the trajectory was propagated is read from SHARC's input; without one ekincorrect
    parallel_nac, reflect_frustrated none and decoherence edc with 0.1 hartree are assumed.

    \b
    Examples:
      namd validate sharc TRAJ_00002/output.dat
      namd validate sharc output.dat --input ../input --json

    \b
    JSON: steps, hops, atoms, states, max_deviation (positions, velocities, amplitudes,
    hop_probabilities, rescaled_velocities; atomic units, null if not finite), other_decisions
    (steps that end in another state), settings (as in SHARC's input), settings_from (its file, or
    null).
    """
    from namd.io.sharc_input import SharcMethods, input_beside, read_sharc_input
    from namd.validation.sharc_replay import QUANTITIES, replay_sharc

    source = input_file or input_beside(file)
    methods = SharcMethods() if source is None else read_sharc_input(source)
    outcome = replay_sharc(file, methods)
    largest = {name: float(outcome.deviations[name].max()) for name in QUANTITIES}
    settings = _settings(methods)
    if as_json:
        console.result_json(
            {
                "steps": len(outcome.steps),
                "hops": outcome.hops,
                "atoms": outcome.atoms,
                "states": outcome.states,
                "max_deviation": {
                    name: value if value < float("inf") else None for name, value in largest.items()
                },
                "other_decisions": outcome.other_decisions,
                "settings": settings,
                "settings_from": None if source is None else str(source),
            }
        )
        return
    where = {name: int(outcome.steps[outcome.deviations[name].argmax()]) for name in QUANTITIES}
    hops = f"{outcome.hops} hop{'s' if outcome.hops != 1 else ''}"
    console.table(
        ["quantity (atomic units)", "largest deviation", "in step"],
        [
            [name.replace("_", " "), f"{value:.1e}", str(where[name]) if value else "–"]
            for name, value in largest.items()
        ],
        title=f"Replay of {file}: {outcome.atoms} atoms, {outcome.states} states, "
        f"{len(outcome.steps)} steps, {hops}",
    )
    origin = "assumed" if source is None else str(source)
    console.result(f"Settings ({origin}): " + ", ".join(f"{k} {v}" for k, v in settings.items()))
    if outcome.other_decisions:
        console.warn(f"{outcome.other_decisions} steps end in another state than in the file")


def _settings(methods: "SharcMethods") -> dict[str, str | float]:
    return {
        "coupling": methods.coupling,
        "ekincorrect": methods.rescaling,
        "reflect_frustrated": methods.frustrated,
        "decoherence_scheme": methods.decoherence,
        "decoherence_param": methods.decoherence_constant,
        "hopping_procedure": methods.hopping,
    }
