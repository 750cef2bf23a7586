"""``namd active-learn add``: labels made anywhere in, a larger training dataset out."""

from collections.abc import Callable
from pathlib import Path

import click

from namd.cli import console

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("labels", nargs=-1, required=True, type=FILE)
@click.option("--to", "known", type=FILE, required=True, help="Dataset they are added to.")
@click.option("--output", type=FILE, required=True, help="Dataset to write (.h5): both together.")
@click.option(
    "--prefix", metavar="TEXT", help="Of the new groups' names.  [default: the next added-NN]"
)
@click.option(
    "--training",
    type=FILE,
    help="Training configuration whose test groups stay what they are: no new group is named so "
    "that it would be held out.",
)
@click.option("--level", metavar="TEXT", help="Level of theory, where the labels do not say it.")
@click.option("--charge", type=int, metavar="E", help="Total charge, where they are silent.")
@click.option(
    "--units", multiple=True, metavar="NAME=UNIT", help="As of `namd data convert`; repeatable."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key of --training, e.g. data.test=[traj-3]; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def add(
    *,
    labels: tuple[Path, ...],
    known: Path,
    output: Path,
    prefix: str | None,
    training: Path | None,
    level: str | None,
    charge: int | None,
    units: tuple[str, ...],
    overrides: tuple[str, ...],
    force: bool,
) -> None:
    """Add labels to a training dataset, whatever program made them, or say why not.

    LABELS are datasets of any format that `namd data convert` reads. Refused are another molecule,
    other states, another level of theory or zero of energy, errors that `namd data check` finds,
    and other gaps at a known geometry. (Nearly) repeated geometries are left out. The new groups
    are called PREFIX-GROUP.

    \b
    Examples:
      namd active-learn add labels.h5 --to dataset.h5 --output larger.h5 --training train.yaml
      namd active-learn add TRAJ_*/output.dat --to dataset.h5 --output larger.h5 --charge 1 \\
          --level "SA3-CASSCF(6,4)/cc-pVDZ" --prefix sharc
    """
    from namd.data.adding import add_labels, free_prefix
    from namd.data.conversion import gather
    from namd.data.finding import describe_frames
    from namd.data.formats.spainn_layout import UNITS
    from namd.data.formats.stated import Stated
    from namd.data.formats.units import parse_units
    from namd.data.native import write_dataset
    from namd.data.reading import read_dataset
    from namd.io.library import in_library
    from namd.io.saving import refuse_existing

    if not force:
        refuse_existing(output)
    dataset = read_dataset(in_library(known))
    stated = Stated(
        level_of_theory=level,
        charge=charge,
        units=parse_units(units, known=UNITS),
        warn=console.warn,
    )
    rule: dict[str, Callable[[str], bool]] = (
        {} if training is None else {"held_out": _rule(in_library(training), overrides)}
    )
    made = add_labels(
        dataset,
        gather(labels, stated=stated),
        prefix=free_prefix(dataset) if prefix is None else prefix,
        where=" ".join(map(str, labels)),
        **rule,
    )
    write_dataset(made.dataset, output, overwrite=force)
    for finding in made.findings:
        if finding.severity == "warning":
            console.warn(f"{finding.name}{describe_frames(finding.frames)}: {finding.message}")
    left_out = f"; {made.repeats.size} repeats left out" if made.repeats.size else ""
    console.result(
        f"{output}: {len(dataset)} + {made.added.size} = {len(made.dataset)} frames, "
        f"{len(made.groups)} new groups such as {next(iter(made.groups.values()))}{left_out}"
    )


def _rule(path: Path, overrides: tuple[str, ...]) -> Callable[[str], bool]:
    """What a training configuration holds out."""
    from functools import partial

    from namd.config.loading import load_config
    from namd.config.training import TrainingConfig
    from namd.data.splits import is_held_out

    data = load_config(path, TrainingConfig, overrides).data
    return partial(
        is_held_out,
        validation=data.validation,
        test=data.test,
        test_fraction=data.test_fraction,
        seed=data.split_seed,
    )
