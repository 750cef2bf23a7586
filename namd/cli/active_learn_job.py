"""The rounds of ``namd active-learn``: each step is one of the single commands."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from namd.active.figure import rounds_figure
from namd.active.report import (
    HEADINGS,
    Report,
    make_report,
    read_report,
    table_rows,
    write_json,
    write_report,
)
from namd.active.select import NothingToLabelError
from namd.active.steps import Inputs, Loop, Step, commands
from namd.active.stopping import budget_left, reason_to_stop
from namd.analysis.figures import save_figure
from namd.cli import console
from namd.config.active_learning import MAY_CHANGE, ActiveLearningConfig
from namd.config.labelling import LabellingConfig
from namd.config.loading import differing_keys, load_config, read_yaml, resolved_config
from namd.config.run import RunConfig
from namd.config.training import TrainingConfig
from namd.data.reading import read_dataset
from namd.errors import ConfigError, Interrupted, ResumableStop
from namd.io.atomic import remove_leftovers, write_text
from namd.io.library import find_file, find_model, find_run_config
from namd.io.run_folder import RunFolder, locked
from namd.nn.parallel import use_threads
from namd.qm.registry import make_engine
from namd.train.predictors import load_predictor

CONFIG_FILE = "active-learning.yaml"


class WaitingForLabels(ResumableStop):
    """The chosen frames are to be labelled elsewhere."""

    title = "Waiting"


def run_loop(path: Path, *, output: Path, overrides: Sequence[str], as_json: bool) -> None:
    """Make what is left of the rounds, and show all of them.

    Parameters
    ----------
    path
        Configuration.
    output
        Folder of the rounds.
    overrides
        ``key=value`` strings.
    as_json
        Print JSON in place of the table.

    Raises
    ------
    NamdError
        Whatever ends a step; a ``ResumableStop`` where labels are waited for.
    """
    use_threads()
    config = load_config(path, ActiveLearningConfig, overrides)
    loop, training = _loop(config, path, output)
    _open(loop)
    with locked(RunFolder(loop.path)):
        remove_leftovers(loop.path)
        try:
            for step in loop.start():
                _make(step, title="start")
            _check_engine(loop)
            reports = _rounds(loop, training)
        except WaitingForLabels:
            raise
        except (Interrupted, ResumableStop) as stop:  # of a step, with its own way to go on
            stop.hint = "what is finished is kept; the same command of active-learn goes on"
            raise
        _show(loop, reports, as_json=as_json)


def _loop(config: ActiveLearningConfig, path: Path, output: Path) -> tuple[Loop, TrainingConfig]:
    """Find and check everything the loop is made of, before any work is done."""
    base = path.parent
    beside = base / config.run.config
    run_path = (beside if beside.is_file() else find_run_config(config.run.config)).resolve()
    run = load_config(run_path, RunConfig, config.run.overrides)
    training_path = find_file(config.training.config, base=base).resolve()
    training = load_config(training_path, TrainingConfig, config.training.overrides)
    load_config(
        training_path,
        TrainingConfig,
        [*config.training.overrides, *config.training.later_overrides],
    )
    labelling = None
    if config.labelling is not None:
        labelling = find_file(config.labelling.config, base=base).resolve()
        load_config(labelling, LabellingConfig)
    if config.training.members > 1 and run.dynamics.electronic == "local-diabatization":
        raise ConfigError(
            "a committee has no diabatic basis for local-diabatization",
            where=f"{run_path}  dynamics.electronic",
            hint="use nac-vectors or curvature there, or set training.members: 1",
        )
    inputs = Inputs(
        run=run_path,
        training=training_path,
        seed=run.seed,
        data=tuple(
            find_file(name, base=training_path.parent).resolve() for name in training.data.files
        ),
        labelling=labelling,
        model=None if config.model is None else find_model(config.model, base=base).resolve(),
        test=None if config.test is None else find_file(config.test, base=base).resolve(),
        candidates=tuple(find_file(name, base=base).resolve() for name in config.candidates),
    )
    return Loop(path=output.resolve(), config=config, inputs=inputs), training


def _open(loop: Loop) -> None:
    """Make the folder, or refuse one that was begun with another configuration."""
    stored, resolved = loop.path / CONFIG_FILE, resolved_config(loop.config)
    if stored.exists():
        differing = [
            key
            for key in differing_keys(read_yaml(stored), resolved)
            if key.partition(".")[0] not in MAY_CHANGE
        ]
        if differing:
            raise ConfigError(
                f"these rounds were begun with another {', '.join(differing)}",
                where=str(loop.path),
                hint="give the same configuration, or choose another --output",
            )
    elif loop.path.exists() and not _is_empty(loop.path):
        raise ConfigError(
            "this exists already and holds no rounds",
            where=str(loop.path),
            hint="choose another --output",
        )
    try:
        loop.path.mkdir(parents=True, exist_ok=True)
        write_text(stored, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be made: {error.strerror}", where=str(loop.path)
        ) from error


def _is_empty(path: Path) -> bool:
    """Whether nothing is in a folder, but for what a killed process had not finished writing."""
    return path.is_dir() and all(each.suffix == ".part" for each in path.iterdir())


def _make(step: Step, *, title: str) -> None:
    """Do what is left of a step, by the command that a user would give."""
    from namd.cli.main import cli

    step.result.parent.mkdir(parents=True, exist_ok=True)
    if step.is_done:
        return
    remove_leftovers(step.result.parent)
    words = step.prepared()
    console.note(f"\n{title}, {step.name}")
    with redirect_stdout(sys.stderr):  # results of a step are talk of the loop
        cli.main(args=list(words), prog_name="namd", standalone_mode=False)


def _check_engine(loop: Loop) -> None:
    """Refuse an engine that is missing, or whose labels could not be added to the first ones."""
    path = loop.inputs.labelling
    if path is None:
        return
    config, first = load_config(path, LabellingConfig), read_dataset(loop.dataset(0))
    engine = make_engine(config.engine, molecule=first.molecule, base=path.parent).describe()
    ours = (config.level_of_theory or engine.level_of_theory, engine.states.labels)
    theirs = (first.level_of_theory, first.states.labels)
    if ours != theirs:
        raise ConfigError(
            f"the engine makes labels of {' '.join(ours[1])} at {ours[0]}, the first labels are of "
            f"{' '.join(theirs[1])} at {theirs[0]}",
            where=str(path),
            hint="take their method; level_of_theory there calls it by their name",
        )


def _rounds(loop: Loop, training: TrainingConfig) -> list[Report]:
    """Make rounds until one ends them; returns the reports of all."""
    reports: list[Report] = []
    while True:
        number = len(reports)
        title = f"round {number}"
        _make(loop.run(number), title=title)
        report = _report(loop, training, reports)
        if report.stop is not None:
            return [*reports, report]
        budget = budget_left(report, loop.config.stop, budget=loop.config.selection.budget)
        select = loop.select(number, budget=budget)
        if not select.is_done:  # of what is done the script stays as it was
            script = loop.folder(number) / "commands.sh"
            write_text(script, commands(loop, number, budget=budget))
        try:
            _make(select, title=title)
        except NothingToLabelError as error:
            report = replace(report, stop=error.message)
            write_report(report, loop.report(number))
            return [*reports, report]
        _label(loop, number, title=title)
        _make(loop.add(number), title=title)
        _make(loop.train(number), title=title)
        reports.append(report)


def _report(loop: Loop, training: TrainingConfig, earlier: Sequence[Report]) -> Report:
    """Read the report of a round, or make it; ask the rule to stop where it has not gone on."""
    number = len(earlier)
    path = loop.report(number)
    if path.exists():
        report = read_report(path)
    else:
        console.note(f"\nround {number}, test")
        report = make_report(
            load_predictor(loop.model(number)),
            number=number,
            model=loop.model(number),
            dataset=loop.dataset(number),
            run=loop.folder(number) / "run",
            training=training,
            test=loop.inputs.test,
        )
    went_on = loop.train(number).is_done  # whatever the rule is now
    reason = None if went_on else reason_to_stop([*earlier, report], loop.config.stop)
    report = replace(report, stop=reason)
    write_report(report, path)
    console.note(
        f"round {number}: {report.labels} labels, {report.parked} of {report.trajectories} "
        f"trajectories parked"
    )
    return report


def _label(loop: Loop, number: int, *, title: str) -> None:
    """Label the chosen frames, or say what is waited for."""
    step, added = loop.label(number), loop.add(number)
    if added.is_done:
        return
    if step.is_done or loop.inputs.labelling is not None:
        _make(step, title=title)
        return
    raise WaitingForLabels(
        f"waiting for labels of {loop.folder(number) / 'selected.h5'}",
        where=title,
        hint=f"label them anywhere and put the dataset, of any format, at {step.result}, e.g.\n"
        f"  {step.shown()}\n  then the same command of active-learn goes on",
    )


def _show(loop: Loop, reports: Sequence[Report], *, as_json: bool) -> None:
    """Write the table and the figure, and print the table."""
    stopped = reports[-1].stop
    content = {"rounds": [asdict(report) for report in reports], "stopped": stopped}
    write_json(content, loop.path / "summary.json")
    subject = f"{len(reports)} rounds; {stopped}"
    save_figure(rounds_figure(reports, subject=subject), loop.path / "summary.png")
    if as_json:
        console.result_json(content)
        return
    console.table(list(HEADINGS), table_rows(reports), title=f"Active learning  {loop.path}")
    console.result(f"\nStopped: {stopped}")
    tested = reports[-1].test_frames
    console.note(
        f"errors on {tested} test frames that no round learned; parked, violated and drift of the "
        "trajectories run with the model of that round"
    )
