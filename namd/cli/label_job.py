"""The steps of ``namd label``, each a call into the library."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from namd.cli import console
from namd.cli.label_progress import show_progress
from namd.config.labelling import LabellingConfig
from namd.config.loading import apply_overrides, read_yaml, validate
from namd.data.frames import Frames, read_frames
from namd.data.native import write_dataset
from namd.dynamics.stopping import StopRequest, stop_on_signals
from namd.errors import ConfigError, PhysicsError
from namd.io.atomic import write_text
from namd.io.library import in_library
from namd.io.run_folder import RunFolder, locked
from namd.io.saving import refuse_existing
from namd.qm.label_folder import LabelFolder, LabelledFrame
from namd.qm.labelling import (
    describe_job,
    join_labels,
    provenance_of,
    read_results,
    refuse_changes,
    run_labelling,
    tell,
)
from namd.qm.protocol import EngineInfo
from namd.qm.registry import ENGINES, make_engine
from namd.qm.verification import (
    Comparison,
    as_json,
    compare,
    coupling_statement,
    displaced_frames,
    draw_probes,
    overall,
)
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE

_SHOWN_FAILURES = 5


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for: the options of ``namd label``.

    A command that needs labels on its way gives its own words in ``asked_by``.
    """

    frames: Path
    engine: str | None
    config: Path | None
    output: Path
    workers: int
    verify: int
    resume: bool
    force: bool
    overrides: tuple[str, ...]
    asked_by: tuple[str, ...] = ()

    @property
    def base(self) -> Path:
        """Folder that names in the configuration are relative to."""
        return Path() if self.config is None else self.config.parent

    @property
    def folder(self) -> LabelFolder:
        """Where labels are collected."""
        return LabelFolder(self.output.with_name(self.output.name + ".labelling"))

    @property
    def story(self) -> Path:
        """File beside the dataset that tells how the labels came about."""
        return self.output.with_name(self.output.name + ".json")

    def command(self) -> list[str]:
        """Words after ``namd`` that ask for it again."""
        if self.asked_by:
            return list(self.asked_by)
        words = ["label", str(self.frames)]
        for name in ("engine", "config", "output", "workers", "verify"):
            if value := getattr(self, name):
                words += [f"--{name}", str(value)]
        words += ["--force"] if self.force else []
        return words + [word for each in self.overrides for word in ("--set", each)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """What is labelled, and how."""

    request: Request
    config: LabellingConfig
    frames: Frames
    info: EngineInfo
    folder: LabelFolder

    def describe(self) -> dict[str, Any]:
        """As plain JSON types."""
        return describe_job(self.frames, self.config, self.info)


def run_job(request: Request) -> None:
    """Start or resume a labelling, write its dataset, and show how it ended.

    Raises
    ------
    NamdError
        If the configuration, the frames or the engine cannot be used, no frame could be labelled,
        the verification finds a disagreement, or the labelling was stopped.
    """
    if request.resume and request.output.exists() and not request.folder.path.exists():
        console.note(f"{request.output}: this labelling is complete; nothing is left to do")
        return
    if not (request.force or request.resume):
        refuse_existing(request.output)
    job = prepare(request)
    frames, config = job.frames, job.config
    console.note(
        f"{len(frames)} frames of {frames.molecule.formula}, {job.info.level_of_theory}, "
        f"{request.workers} worker{'s' if request.workers > 1 else ''}"
    )
    with _opened(job), stop_on_signals() as stop, console.resumable(*request.command()):
        results = _label(job, job.frames, job.folder, stop=stop)
        story = tell(results, frames, job=job.describe(), source=request.frames.name)
        comparisons, statement = _verify(job, results, stop=stop)
        if statement:
            story["verification"] = as_json(comparisons, statement, config.verification)
        write(job, results, story)
    if not request.asked_by:
        _show(job, story, comparisons, statement)


def prepare(request: Request) -> Job:
    """Read what is to be labelled and how, and find the engine.

    Raises
    ------
    NamdError
        If the configuration, the frames or the engine cannot be used.
    """
    config = _config(request)
    frames = read_frames(in_library(request.frames))
    if config.charge is not None:
        frames = replace(frames, molecule=replace(frames.molecule, charge=config.charge))
    engine = make_engine(config.engine, molecule=frames.molecule, base=request.base)
    return Job(
        request=request,
        config=config,
        frames=frames,
        info=engine.describe(),
        folder=request.folder,
    )


def _config(request: Request) -> LabellingConfig:
    """Read the configuration; ``--engine`` names the engine where the file does not."""
    if request.config is None and request.engine is None and not request.overrides:
        raise ConfigError(
            "which engine is to compute the labels?",
            where="--config, --engine",
            hint="give a configuration (`namd label --help` has some), or an engine and its keys "
            "with --set",
        )
    where = "--set" if request.config is None else str(request.config)
    data = apply_overrides(
        {} if request.config is None else read_yaml(request.config), request.overrides
    )
    if request.engine is not None:
        if request.engine not in ENGINES:
            raise ConfigError(
                f"expected one of: {', '.join(ENGINES)}", where=f"--engine {request.engine}"
            )
        section = data.get("engine") or {}
        default = "callable" if "callable" in section else request.engine
        named = section.get("name", default) if isinstance(section, dict) else None
        if named != request.engine:
            raise ConfigError(
                f"the configuration is for the engine {named}",
                where=f"--engine {request.engine}",
                hint="leave --engine out, or give another --config",
            )
        data = {**data, "engine": {"name": request.engine, **section}}
    return validate(data, LabellingConfig, where=where)


@contextmanager
def _opened(job: Job) -> Iterator[None]:
    """Hold the folder of the labelling, a new one or the one to be resumed."""
    folder, resume = job.folder, job.request.resume
    if folder.path.exists() and not resume:
        raise ConfigError(
            "a labelling into this dataset was begun and not finished",
            where=str(folder.path),
            hint="go on with --resume, or remove the folder to begin anew",
        )
    fresh = not folder.path.exists()
    if fresh and resume:
        console.note("nothing has been begun yet; starting")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be made: {error.strerror}",
            where=str(folder.path),
            hint="choose a place where you may write",
        ) from error
    with locked(RunFolder(folder.path)):
        if fresh or not folder.job.exists():
            folder.write_job(job.describe())
        else:
            refuse_changes(folder, job.describe())
        folder.prepare()
        yield
        folder.remove()


class _AnnouncedStop:
    """A wish to stop that says, when it is first heard, what will come of it."""

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop
        self.told = False

    def __bool__(self) -> bool:
        if self.stop and not self.told:
            self.told = True
            console.note("finishing the labels under way; Ctrl-C again stops at once")
        return bool(self.stop)


def _label(
    job: Job, frames: Frames, folder: LabelFolder, *, stop: StopRequest
) -> dict[int, LabelledFrame]:
    """Label all frames and read what came of them."""
    with show_progress() as report:
        complete = run_labelling(
            frames,
            job.config,
            base=job.request.base,
            folder=folder,
            workers=job.request.workers,
            stop=_AnnouncedStop(stop),
            report=report,
        )
    if not complete:
        labelled, failed = job.folder.finished()
        raise stop.error(
            f"labelling stopped; {len(labelled) + len(failed)} of {len(job.frames)} frames are "
            "finished and kept",
            where=str(job.folder.path),
            hint="go on with --resume",
        )
    return read_results(folder)


def _verify(
    job: Job, results: dict[int, LabelledFrame], *, stop: StopRequest
) -> tuple[list[Comparison], str]:
    """Compare with finite differences, where that is asked for."""
    labels = {k: result for k, result in results.items() if result.reason is None}
    if not job.request.verify or not labels:
        return [], ""
    config = job.config.verification
    probes = draw_probes(
        list(labels), count=job.request.verify, atoms=len(job.frames.molecule), config=config
    )
    frames = displaced_frames(job.frames, probes, config)
    console.note(f"verification: {len(frames)} displaced geometries")
    folder = job.folder.verification
    folder.prepare()
    displaced = list(_label(job, frames, folder, stop=stop).values())
    drawn = {probe.frame: labels[probe.frame] for probe in probes}
    comparisons = compare(probes, drawn, displaced, states=job.info.states, config=config)
    return comparisons, coupling_statement(drawn)


def write(job: Job, results: dict[int, LabelledFrame], story: dict[str, Any]) -> None:
    """Write the story first: it tells what failed also where that is everything."""
    write_text(job.request.story, json.dumps(story, indent=1, ensure_ascii=False) + "\n")
    dataset = join_labels(
        results,
        job.frames,
        config=job.config,
        info=job.info,
        provenance=provenance_of(story, job.frames),
    )
    write_dataset(dataset, job.request.output, overwrite=job.request.force or job.request.resume)


def _show(job: Job, story: dict[str, Any], comparisons: list[Comparison], statement: str) -> None:
    output = job.request.output
    seconds = story["seconds_per_label"]["median"]
    console.result(
        f"{output}: {story['labelled']} frames of {job.frames.molecule.formula} at "
        f"{job.config.level_of_theory or job.info.level_of_theory}; median {seconds:.2g} s a label"
    )
    if failures := story["failures"]:
        console.warn(f"{len(failures)} of {len(job.frames)} frames failed; {job.request.story}:")
        for failure in failures[:_SHOWN_FAILURES]:
            console.note(f"  frame {failure['frame']}: {failure['reason']}")
    if statement:
        _show_verification(job, comparisons, statement)


def _show_verification(job: Job, comparisons: list[Comparison], statement: str) -> None:
    unit = EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    console.result()
    console.table(
        ["frame", "along n", "label", "differences", "deviation", "uncertainty", "verdict"],
        [
            [
                str(c.frame),
                c.quantity,
                f"{c.label * unit:.6f}",
                f"{c.difference * unit:.6f}",
                f"{c.deviation * unit:.1e}",
                f"{c.uncertainty * unit:.1e}",
                c.verdict,
            ]
            for c in comparisons
        ],
        title="Labels and finite differences along random directions, eV/Å",
    )
    verdict = overall(comparisons)
    counts = Counter(c.verdict for c in comparisons)
    worst = max((c.deviation * unit for c in comparisons if c.verdict != "undecided"), default=0.0)
    console.result(
        f"\n{verdict}: {counts['agrees']} agree, {counts['disagrees']} disagree, "
        f"{counts['undecided']} undecided (the differences of both steps differ too much); largest "
        f"deviation {worst:.1e} eV/Å; {statement}"
    )
    if verdict == "disagrees":
        wrong = [c for c in comparisons if c.verdict == "disagrees"]
        raise PhysicsError(
            f"{len(wrong)} of {len(comparisons)} labels differ from finite differences by more "
            f"than {job.config.verification.tolerance_ev_per_angstrom:g} eV/Å, the first: "
            f"{wrong[0].quantity} of frame {wrong[0].frame}",
            where=str(job.request.output),
            hint="the dataset is kept; check units, conventions and convergence of the engine",
        )
