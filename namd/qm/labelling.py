"""Label frames: make the job, run or resume it, and join what came of it into a dataset."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from namd import __version__
from namd.config.labelling import WITHOUT_INFLUENCE, LabellingConfig
from namd.config.loading import differing_keys, resolved_config
from namd.data.dataset import Dataset
from namd.data.frames import Frames
from namd.errors import ConfigError, DataError
from namd.qm.chains import chains
from namd.qm.label_folder import LabelFolder, LabelledFrame
from namd.qm.pool import Pool, StopWish
from namd.qm.protocol import EngineInfo
from namd.qm.worker import Assignment, Chain, Done
from namd.units import ANGSTROM_PER_BOHR


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a labelling stands.

    Parameters
    ----------
    labelled, failed, total
        Frames.
    made
        Frames finished since this process began.
    elapsed
        Seconds since then.
    """

    labelled: int
    failed: int
    total: int
    made: int
    elapsed: float


def describe_job(frames: Frames, config: LabellingConfig, info: EngineInfo) -> dict[str, Any]:
    """What is labelled and how, as plain JSON types: kept to recognise a job at its resumption."""
    return {
        "namd": __version__,
        "frames_sha256": frames.digest(),
        "engine": {
            **asdict(info),
            "states": list(info.states.labels),
            "provides": [*info.provides],
        },
        "config": resolved_config(config),
    }


def refuse_changes(folder: LabelFolder, job: dict[str, Any]) -> None:
    """Refuse to resume another job than the one in the folder.

    Raises
    ------
    ConfigError
        If frames, engine or configuration differ in what has an influence.
    """
    before = folder.read_job()
    where = str(folder.path)
    if before["frames_sha256"] != job["frames_sha256"]:
        raise ConfigError(
            "the frames are not those this labelling was started with",
            where=where,
            hint="give the same file, or start anew with another --output",
        )
    changed = [
        key
        for key in differing_keys(before["config"], job["config"])
        if key not in WITHOUT_INFLUENCE
    ]
    if not changed:
        changed = [f"engine: {key}" for key in differing_keys(before["engine"], job["engine"])]
    if changed:
        raise ConfigError(
            f"the labelling was started with another {', '.join(changed)}",
            where=where,
            hint="give the same configuration and program, or start anew with another --output",
        )


def run_labelling(
    frames: Frames,
    config: LabellingConfig,
    *,
    base: Path,
    folder: LabelFolder,
    workers: int,
    stop: StopWish,
    report: Callable[[Progress], None],
) -> bool:
    """Compute what is not computed yet.

    Parameters
    ----------
    frames
        All geometries, with the charge the engine shall use.
    config
        Engine, chains, threads.
    base
        Folder of the configuration.
    folder
        Prepared; finished frames in it are kept as they are.
    workers
        Processes.
    stop
        Wish to stop.
    report
        Called at the beginning and after each frame.

    Returns
    -------
    bool
        Whether every frame is finished; ``False`` after a wish to stop.

    Raises
    ------
    NamdError
        If the engine cannot be used, or labels cannot be written.
    """
    labelled, failed = folder.finished()
    begun = len(labelled) + len(failed)
    start = time.monotonic()

    def show() -> None:
        report(
            Progress(
                labelled=len(labelled),
                failed=len(failed),
                total=len(frames),
                made=len(labelled) + len(failed) - begun,
                elapsed=time.monotonic() - start,
            )
        )

    def note(done: Done) -> None:
        (failed if done.failed else labelled).add(done.frame)
        show()

    show()
    finished = labelled | failed
    unfinished = [
        Chain(chain, frames.positions[chain.start : chain.stop])
        for chain in chains(
            frames.group.tolist(),
            frames.positions,
            length=config.chain_length,
            within=config.guess_within_angstrom / ANGSTROM_PER_BOHR,
        )
        if not finished.issuperset(chain)
    ]
    assignment = Assignment(
        engine=config.engine, molecule=frames.molecule, base=base, folder=folder
    )
    pool = Pool(assignment, threads=config.threads_per_worker, report=note)
    return pool.run(unfinished, workers=workers, stop=stop)


def read_results(folder: LabelFolder) -> dict[int, LabelledFrame]:
    """What came of every frame that is finished by now."""
    labelled, failed = folder.finished()
    return {frame: folder.read(frame) for frame in sorted(labelled | failed)}


def join_labels(
    results: Mapping[int, LabelledFrame],
    frames: Frames,
    *,
    config: LabellingConfig,
    info: EngineInfo,
    provenance: dict[str, Any],
) -> Dataset:
    """Join labels into a dataset; frames that failed, or are not finished yet, are left out.

    Parameters
    ----------
    results
        Of every finished frame.
    frames
        The geometries.
    config, info
        What the labels are.
    provenance
        How they were made.

    Raises
    ------
    DataError
        If no frame could be labelled.
    """
    rows = [k for k, result in results.items() if result.reason is None]
    if not rows:
        reasons = [result.reason or "" for result in results.values()]
        raise DataError(
            f"none of the {len(results)} frames could be labelled; mostly: "
            f"{statistics.mode(reasons)}",
            hint="see what the engine needs, or try one geometry by hand",
        )
    names = ("energies", "forces", *info.provides)
    labels = {name: np.stack([results[k].arrays[name] for k in rows]) for name in names}
    kept = {"positions": frames.positions, "group": frames.group, "source": frames.source}
    geometry = {name: values[rows] for name, values in {**kept, **frames.carried}.items()}
    return Dataset(
        molecule=frames.molecule,
        states=info.states,
        level_of_theory=config.level_of_theory or info.level_of_theory,
        arrays={**geometry, **labels},
        multiplicity=info.multiplicity,
        title=config.title,
        licence=config.licence,
        provenance=provenance,
    )


def tell(
    results: Mapping[int, LabelledFrame], frames: Frames, *, job: dict[str, Any], source: str
) -> dict[str, Any]:
    """The whole story of a labelling, as plain JSON types.

    Parameters
    ----------
    results
        Of every finished frame.
    frames
        The geometries.
    job
        As :func:`describe_job` made it.
    source
        Name of the frames' file.

    Returns
    -------
    dict
        ``frames``: for every row of the dataset the frame it came from, seconds and notes;
        ``failures``: frame, group, source, reason, seconds of those that have no label.
    """
    rows = [(k, result) for k, result in results.items() if result.reason is None]
    return {
        **job,
        "input": source,
        "labelled": len(rows),
        "failed": len(results) - len(rows),
        "seconds_per_label": _timing([result.seconds for _, result in rows]),
        "failures": [
            {
                "frame": k,
                "group": str(frames.group[k]),
                "source": str(frames.source[k]),
                "reason": result.reason,
                "seconds": round(result.seconds, 3),
            }
            for k, result in results.items()
            if result.reason is not None
        ],
        "frames": [
            {"frame": k, "seconds": round(result.seconds, 3), "notes": dict(result.notes)}
            for k, result in rows
        ],
    }


def provenance_of(story: dict[str, Any], frames: Frames) -> dict[str, Any]:
    """What of the story the dataset itself keeps, after the steps of its frames."""
    kept = ("input", "frames_sha256", "engine", "config", "labelled", "failed", "seconds_per_label")
    step = {"step": "label", "namd": story["namd"], **{name: story[name] for name in kept}}
    return {**frames.provenance, "steps": [*frames.provenance.get("steps", []), step]}


def _timing(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {"median": round(statistics.median(seconds), 3), "total": round(sum(seconds), 3)}
