"""``namd active-learn``: rounds of run, select, label, add, train; and its single steps."""

from pathlib import Path

import click

from namd.cli.main import LazyCommand, LazyGroup

COMMANDS: dict[str, LazyCommand] = {
    "loop": LazyCommand(
        "namd.cli.active_learn_loop:loop", "All rounds; what `namd active-learn CONFIG` does."
    ),
    "select": LazyCommand(
        "namd.cli.active_learn_select:select", "Choose frames worth a label, with their reasons."
    ),
    "add": LazyCommand(
        "namd.cli.active_learn_add:add", "Add labels made anywhere to a training dataset."
    ),
}


class _LoopByDefault(LazyGroup):
    """A configuration, or an option, in place of a command means the loop."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "--help"
        is_help = first in ctx.help_option_names
        is_file = Path(first).suffix in (".yaml", ".yml") or Path(first).is_file()
        if first not in self.lazy and not is_help and (is_file or first.startswith("-")):
            args = ["loop", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_LoopByDefault, lazy=COMMANDS)
def active_learn() -> None:
    """Learn where the model does not know: run, select, label, add, train, and again.

    \b
    Examples:
      namd active-learn ethylene.yaml --output runs/ethylene
      namd active-learn select runs/cis --model stilbene-ssr -n 500 --output to_label.h5
      namd active-learn add labels.h5 --to dataset.h5 --output larger.h5

    `namd active-learn CONFIG --output FOLDER` makes the rounds; it goes on where it was stopped or
    killed when it is called again. Every step is one of the single commands, which each round's
    commands.sh lists.
    """
