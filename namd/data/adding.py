"""Take labels made anywhere into a dataset that is trained on, or say why not.

New groups get names of their own, chosen so that no held-out group changes: neither do frames join
an old group, nor does a pattern or the draw of :mod:`namd.data.splits` put them into the test.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from namd import __version__
from namd.data.combining import couplings_like, refuse_strangers
from namd.data.dataset import Dataset
from namd.data.doctor.doubles import CONTRADICTION, near_repeats
from namd.data.doctor.examine import examine
from namd.data.finding import Finding, describe_frames
from namd.errors import ConfigError, DataError
from namd.schema import PROPERTIES
from namd.units import EV_PER_HARTREE

_LARGEST_SHIFT = 3.0
"""Spans of the known ground-state energies that new ones may lie away from them."""
_SMALLEST_SPAN = 0.1  # Hartree
_NAMES_TRIED = 1000


def _nothing_is_held_out(name: str) -> bool:  # noqa: ARG001  (one of several rules)
    """Hold no group out."""
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Addition:
    """What came of adding labels to a dataset.

    Parameters
    ----------
    dataset
        The old frames, then the new ones.
    added, repeats
        Numbers of the labels that were taken, and of those left out because the dataset, or an
        earlier label, has (nearly) the same geometry.
    groups
        The new name of every group of the labels.
    findings
        Warnings about the new labels, frames counted in their own file.
    """

    dataset: Dataset
    added: Int[np.ndarray, " added"]
    repeats: Int[np.ndarray, " repeat"]
    groups: dict[str, str]
    findings: tuple[Finding, ...]


def add_labels(
    dataset: Dataset,
    labels: Dataset,
    *,
    prefix: str,
    where: str,
    held_out: Callable[[str], bool] = _nothing_is_held_out,
) -> Addition:
    """Append labels to a dataset.

    Parameters
    ----------
    dataset
        What there is.
    labels
        What is to be added. Couplings are brought into the convention of the dataset; quantities
        that only one of the two has are unknown (NaN) in the other.
    prefix
        Put before the names of their groups, ``PREFIX-GROUP``; no group of the dataset may begin
        so.
    where
        Names the labels in messages.
    held_out
        Whether a group of some name would be held out. A new group whose name would be gets a
        number behind it, the first one that is not.

    Raises
    ------
    DataError
        If molecule, charge, states, multiplicity or level of theory differ; couplings are missing;
        energies are of another zero or unit; the doctor finds an error; the gaps of a known
        geometry are others than those known; or all labels are repeats.
    ConfigError
        If the prefix is taken, or every name with it would be held out.
    """
    refuse_strangers(labels, dataset, where=where)
    _refuse_taken(prefix, dataset)
    labels = _in_its_convention(labels, dataset, where=where)
    _refuse_other_energies(labels, dataset, where=where)
    _refuse_errors(examine(labels), where=where)
    joined = _joined(dataset, labels)
    repeats = _repeats(joined, known=len(dataset), where=where)
    added = np.setdiff1d(np.arange(len(labels)), repeats)
    if not added.size:
        raise DataError(
            f"all {len(labels)} frames repeat geometries that have labels already",
            where=where,
            hint="nothing is to be added",
        )
    groups = {
        name: _free_name(f"{prefix}-{name}", held_out=held_out)
        for name in np.unique(labels["group"]).tolist()
    }
    named = joined["group"].astype(object)
    named[len(dataset) :] = [groups[name] for name in labels["group"].tolist()]
    joined = replace(joined, arrays={**joined.arrays, "group": named.astype(np.str_)})
    joined = joined.select(np.concatenate([np.arange(len(dataset)), len(dataset) + added]))
    findings = _of_the_new(examine(joined), known=len(dataset), rows=added)
    _refuse_errors(findings, where=where)
    steps = [*dataset.provenance.get("steps", []), _record(labels, added, repeats, prefix)]
    return Addition(
        dataset=replace(joined, provenance={**dataset.provenance, "steps": steps}),
        added=added,
        repeats=repeats,
        groups=groups,
        findings=findings,
    )


def free_prefix(dataset: Dataset) -> str:
    """First of ``added-00``, ``added-01``, … with which no group begins."""
    groups = dataset["group"]
    names = (f"added-{number:02d}" for number in range(len(groups) + 1))
    return next(name for name in names if not np.char.startswith(groups, f"{name}-").any())


def _refuse_taken(prefix: str, dataset: Dataset) -> None:
    if np.char.startswith(dataset["group"], f"{prefix}-").any():
        raise ConfigError(
            "the dataset has groups that begin so",
            where=f"--prefix {prefix}",
            hint="choose another, so that no old group changes",
        )


def _in_its_convention(labels: Dataset, dataset: Dataset, *, where: str) -> Dataset:
    """Give the labels the couplings that the dataset has, d or h."""
    if dataset.has_coupling and not labels.has_coupling:
        raise DataError(
            "these labels have no couplings, the dataset has",
            where=where,
            hint="compute them, or train on datasets without couplings only",
        )
    return couplings_like(labels, dataset)


def _refuse_other_energies(labels: Dataset, dataset: Dataset, *, where: str) -> None:
    """Refuse energies that are all far from those known: another unit, zero or method."""
    known, new = dataset["energies"][:, 0], labels["energies"][:, 0]
    span = max(float(np.ptp(known)), _SMALLEST_SPAN)
    away = np.maximum(new - known.max(), known.min() - new)
    if float(away.min()) > _LARGEST_SHIFT * span:
        shift = (np.median(new) - np.median(known)) * EV_PER_HARTREE
        raise DataError(
            f"the ground-state energies lie {shift:+.1f} eV from those of the dataset",
            where=f"{where}  energies",
            hint="another unit, zero of energy or method cannot be added",
        )


def _refuse_errors(findings: tuple[Finding, ...], *, where: str) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        first = errors[0]
        raise DataError(
            first.message,
            where=f"{where}  {first.name}{describe_frames(first.frames)}",
            hint=f"{first.hint}; `namd data check` tells more",
        )


def _joined(dataset: Dataset, labels: Dataset) -> Dataset:
    """Both, one after the other; what one does not have is unknown in its frames."""

    def values(name: str, part: Dataset) -> np.ndarray:
        if name in part:
            return part[name]
        there, dtype = labels if part is dataset else dataset, PROPERTIES[name].dtype
        unknown = -1 if dtype == "int64" else np.nan
        return np.full((len(part), *there[name].shape[1:]), unknown, dtype=dtype)

    names = dict.fromkeys([*dataset, *labels])
    arrays = {name: np.concatenate([values(name, dataset), values(name, labels)]) for name in names}
    return replace(dataset, arrays=arrays)


def _repeats(joined: Dataset, *, known: int, where: str) -> Int[np.ndarray, " repeat"]:
    """Labels whose geometry is known; refused where their gaps are not the known ones."""
    later, earlier = near_repeats(joined)
    new = later >= known
    later, earlier = later[new], earlier[new]
    differ: Bool[np.ndarray, "pair gap"] = (
        np.abs(joined.gaps[later] - joined.gaps[earlier]) > CONTRADICTION
    )
    if differ.any():
        row = int(np.flatnonzero(differ.any(axis=1))[0])
        frames = np.unique(later[differ.any(axis=1)]) - known
        gap = np.abs(joined.gaps[later[row]] - joined.gaps[earlier[row]]).max() * EV_PER_HARTREE
        raise DataError(
            f"the gap differs by {gap:.3f} eV from that of (nearly) the same geometry, frame "
            f"{earlier[row]} of all",
            where=f"{where}  energies{describe_frames(frames)}",
            hint="one of the two is another electronic solution: label both again, or leave it out",
        )
    return np.unique(later) - known


def _free_name(name: str, *, held_out: Callable[[str], bool]) -> str:
    names = (name if number == 0 else f"{name}~{number}" for number in range(_NAMES_TRIED))
    found = next((each for each in names if not held_out(each)), None)
    if found is None:
        raise ConfigError(
            "every group of such a name would be held out for the test",
            where=f"group {name}",
            hint="choose another --prefix, or a narrower pattern in data.test",
        )
    return found


def _of_the_new(
    findings: tuple[Finding, ...], *, known: int, rows: Int[np.ndarray, " added"]
) -> tuple[Finding, ...]:
    """Findings about frames behind the first ``known``, counted as in the labels' own file."""
    about = [replace(f, frames=rows[f.frames[f.frames >= known] - known]) for f in findings]
    return tuple(finding for finding in about if finding.frames.size)


def _record(
    labels: Dataset,
    added: Int[np.ndarray, " added"],
    repeats: Int[np.ndarray, " repeat"],
    prefix: str,
) -> dict[str, Any]:
    return {
        "step": "add",
        "namd": __version__,
        "added": int(added.size),
        "repeats_left_out": int(repeats.size),
        "prefix": prefix,
        "labels": dict(labels.provenance),
    }
