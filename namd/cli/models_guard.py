"""``namd models guard``: let an older model know how far it is from its training frames."""

import click

from namd.cli import console


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--force", is_flag=True, help="Replace what it knows.")
def guard(*, model: str, force: bool) -> None:
    """Let a model expect its own errors, by the distance from the frames it has learned.

    Every training ends with this; a model made before needs it once. Its folder must hold its
    train.yaml, and the data that names. Writes distance.safetensors into the folder.

    \b
    Examples:
      namd models guard runs/old-model
      namd run surface-hopping my-run.yaml --set guards.uncertainty={} --output runs/guarded
    """
    from namd.io.library import find_model
    from namd.train.guard_existing import guard_folder

    folder = find_model(model)
    distance = guard_folder(folder, overwrite=force)
    console.result(f"model    {folder}")
    console.result(f"expects  errors of {', '.join(sorted(distance.scales))}")
    console.result("next:")
    console.result("  namd evaluate MODEL DATA --reliability reliability.png")
