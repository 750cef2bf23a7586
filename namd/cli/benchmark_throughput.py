"""``namd benchmark throughput``: steps and frames per second of some networks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.benchmark.subject import Subject
    from namd.benchmark.throughput import Throughput

_BATCHES = "1,16,64,256"


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL_OR_CONFIG]...")
@click.option(
    "--batch",
    default=_BATCHES,
    show_default=True,
    metavar="N,N,…",
    help="Batch sizes: trajectories that are moved together.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads.  [default: all cores]")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:0, …")
@click.option(
    "--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Timed stretches."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Length of a stretch.",
)
@click.option(
    "--longest",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Leave out batch sizes a single step of which would take more seconds.",
)
@click.option("--no-training", is_flag=True, help="Time steps only.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key of the training configurations, e.g. data.states=2; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def throughput(
    *,
    models: tuple[str, ...],
    batch: str,
    threads: int | None,
    device: str,
    repeats: int,
    seconds: float,
    longest: float,
    no_training: bool,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure trajectory steps per second and training frames per second.

    \b
    Examples:
      namd benchmark throughput
      namd benchmark throughput mace-64 mofd-sparse-16 --set data.states=2 --batch 1,16
      namd benchmark throughput runs/my-model --threads 1 --json
      namd benchmark throughput stilbene-ssr --device cuda --batch 1024,4096

    MODEL_OR_CONFIG is a model folder, a name of the zoo, or a training configuration, whose network
    gets fresh weights; all models of the zoo if none is given. `potential` is energies of all
    states and the force of one, as `namd run` has them made; `step` is a whole step with the
    methods and guards of the run in the library that has initial conditions for the molecule (one
    trajectory, one time step), and is missing where there is none. Training frames go through the
    loop of `namd train`: forward, backward, update. Medians of the stretches with lowest and
    highest, other work on the machine included: compare numbers of one call of this command.

    JSON: machine (versions, processor, threads, device, load) and networks, each with name, source,
    trained, architecture, states, parameters, flops_per_molecule, measured ("step" or "potential"),
    run, why_no_steps, dynamics (batch, steps_per_second, step_milliseconds, potential_per_second,
    left_out), training (frames_per_second, frames, batch_size, derivatives, states) and
    why_no_training; what was timed has median, lowest and highest.
    """
    from contextlib import nullcontext

    import torch

    from namd.analysis.jsonable import jsonable
    from namd.benchmark.clock import Plan
    from namd.benchmark.machine import load_average, machine
    from namd.benchmark.subject import find_subject
    from namd.benchmark.throughput import measure
    from namd.io.library import zoo
    from namd.nn.device import choose_device
    from namd.nn.parallel import use_threads

    batches = _numbers(batch)
    target = choose_device(device)
    about = machine(threads=use_threads(threads), device=target)
    console.note(f"{about['processor']}, {about['threads']} threads, device {target}")
    plan = Plan(repeats=repeats, seconds=seconds, longest=longest)
    networks = []
    on_gpu = torch.device(target).type == "cuda"
    with torch.cuda.device(target) if on_gpu else nullcontext():
        for name in models or [folder.name for folder in zoo()]:
            subject = find_subject(name, overrides=overrides, device=target)
            console.note(f"timing {subject.model.information.name} …")
            found = measure(
                subject, batches=batches, plan=plan, device=target, training=not no_training
            )
            networks.append(_facts(subject, found))
            if not as_json:
                _show(networks[-1])
    about["load_average_after"] = load_average()
    if as_json:
        console.result_json(jsonable({"machine": about, "networks": networks}))


def _numbers(text: str) -> list[int]:
    """Batch sizes, separated by commas."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise click.BadParameter(
            f"{text!r} is no list of positive numbers such as {_BATCHES}", param_hint="--batch"
        )
    return numbers


def _facts(subject: "Subject", found: "Throughput") -> dict[str, Any]:
    from namd.analysis.jsonable import jsonable
    from namd.train.planned import summary_of

    information = subject.model.information
    summary = summary_of(information)
    return {
        "name": information.name,
        "source": str(subject.source),
        "trained": subject.trained,
        "architecture": information.architecture.kind,
        "states": list(information.states.labels),
        "parameters": summary.parameters,
        "flops_per_molecule": summary.flops,
        "measured": "potential" if found.run is None else "step",
        **jsonable(found),
    }


def _show(facts: dict[str, Any]) -> None:
    kind = "trained" if facts["trained"] else "fresh weights"
    console.result()
    rows = [_row(row) for row in facts["dynamics"]]
    console.table(
        ["batch", "steps/s", "potential/s", "ms per step"],
        rows,
        title=f"{facts['name']} ({facts['architecture']}, {kind}, {' '.join(facts['states'])}, "
        f"{facts['parameters']} parameters)",
    )
    if facts["run"] is None:
        console.note(f"potential alone: {facts['why_no_steps']}")
    else:
        console.note(f"steps: as in the run {facts['run']}")
    training = facts["training"]
    if training is not None:
        console.result(
            f"training: {_spread(training['frames_per_second'])} frames/s, "
            f"{training['derivatives']} derivatives, batches of {training['batch_size']}"
        )
    elif facts["why_no_training"] is not None:
        console.note(f"no training: {facts['why_no_training']}")


def _row(row: dict[str, Any]) -> Sequence[str]:
    if row["left_out"] is not None:
        return [str(row["batch"]), "left out:", row["left_out"], ""]
    columns = ("steps_per_second", "potential_per_second", "step_milliseconds")
    return [str(row["batch"]), *(_spread(row[name]) for name in columns)]


def _spread(values: dict[str, float] | None) -> str:
    if values is None:
        return "–"
    median, lowest, highest = (f"{values[k]:.4g}" for k in ("median", "lowest", "highest"))
    return f"{median} ({lowest} to {highest})"
