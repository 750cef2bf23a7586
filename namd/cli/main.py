"""The root command. Sub-commands are imported when they are invoked, so that help comes at once.

Exit codes (:mod:`namd.errors`): 0 done, 1 a bug of ours, 2 usage or configuration, 3 input data or
model, 4 physics guard, 75 stopped but resumable, 130 interrupted.
"""

import importlib
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn

import click

from namd import __version__
from namd.cli import console
from namd.errors import NamdError

INTERRUPTED = 130


class LazyCommand(NamedTuple):
    """Where a sub-command lives, and the line that stands for it in the help."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group that imports a sub-command's module only when it is invoked.

    Parameters
    ----------
    lazy
        Name → :class:`LazyCommand` with ``target`` = ``"module:attribute"``.
    """

    def __init__(self, *args: Any, lazy: dict[str, LazyCommand], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of the workflow, not of the alphabet."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one sub-command."""
        if cmd_name not in self.lazy:
            return None
        module, attribute = self.lazy[cmd_name].target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a misspelt one is answered with the nearest name."""
        if args[0] not in self.lazy and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.lazy, n=1)
            question = f'Did you mean "{near[0]}"?' if near else f"Known: {', '.join(self.lazy)}."
            raise click.UsageError(f'No such command "{args[0]}". {question}', ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands from the static summaries: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.lazy.items()])


COMMANDS: dict[str, LazyCommand] = {
    "data": LazyCommand("namd.cli.data:data", "Inspect, check and convert labelled datasets."),
    "train": LazyCommand("namd.cli.train:train", "Train a model on a labelled dataset."),
    "evaluate": LazyCommand("namd.cli.evaluate:evaluate", "Measure a model's errors on a dataset."),
    "sample": LazyCommand(
        "namd.cli.sample:sample", "Sample geometries: vibrations, scans, intersections."
    ),
    "label": LazyCommand("namd.cli.label:label", "Label geometries with a reference method."),
    "active-learn": LazyCommand(
        "namd.cli.active_learn:active_learn", "Learn where the model does not know, in rounds."
    ),
    "run": LazyCommand("namd.cli.run:run", "Run surface-hopping trajectories."),
    "analyze": LazyCommand(
        "namd.cli.analyze:analyze", "Populations, quantum yields, hops, spectra."
    ),
    "validate": LazyCommand(
        "namd.cli.validate:validate", "Compare our dynamics with exact and published results."
    ),
    "models": LazyCommand("namd.cli.models:models", "List, describe and draw the models at hand."),
    "benchmark": LazyCommand(
        "namd.cli.benchmark:benchmark", "Measure steps and training frames per second."
    ),
    "config": LazyCommand("namd.cli.config:config", "Check, show and document configurations."),
    "doctor": LazyCommand("namd.cli.doctor:doctor", "Check this installation and its speed-ups."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="namd")
def cli() -> None:
    """Machine-learned non-adiabatic molecular dynamics.

    \b
    Examples:
      namd run surface-hopping trajectories/stilbene-cis.yaml --output runs/cis
      namd analyze populations runs/cis --figure populations.png
      namd analyze quantum-yield runs/cis --json
      namd train models/stilbene-ssr/train.yaml --output my-model

    Results go to stdout, talk and progress to stderr. Exit codes: 0 done, 1 a bug of ours,
    2 usage or configuration, 3 input data or model, 4 physics guard, 75 stopped (resumable),
    130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code.

    Parameters
    ----------
    argv
        Arguments after the program's name; those of the process if left out.
    """
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code instead of leaving the process.

    Every exception ends here: ours as message and remedy, click's as usage, an interrupt as 130,
    anything else as one line with the traceback in a log file.
    """
    try:
        code = cli.main(args=argv, prog_name="namd", standalone_mode=False)
    except NamdError as error:
        console.show_error(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        console.note("Interrupted.")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the last line of defence)
        console.show_crash(error)
        return 1
    return code if isinstance(code, int) else 0
