"""``namd data check``: judge a labelled dataset, and mend what can be mended safely."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from namd.data.finding import Finding, Severity

FILE = click.Path(path_type=Path)
_HEADINGS: "dict[Severity, tuple[str, str]]" = {
    "error": ("Error", "red"),
    "warning": ("Warning", "yellow"),
    "note": ("Note", "blue"),
}


@click.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--fix", "out", type=FILE, metavar="OUT", help="Write the mended frames to OUT.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def check(*, file: Path, as_json: bool, out: Path | None, force: bool) -> None:
    """Judge a dataset: what is wrong, in which frames, what it means, what to do.

    \b
    Examples:
      namd data check labels.h5
      namd data check labels.h5 --fix repaired.h5
      namd data check labels.h5 --json

    Looked for are slipped units, outliers, repeated, nearly repeated and contradictory frames,
    groups that share geometries, forces against energies and positions against velocities along
    trajectories, exchanged and crossing states, sign flips of couplings, couplings and forces that
    do not sum to zero, unknown numbers. Frames are counted from 0. Exit code 3 if an error is found
    (with --fix: if one is left).

    --fix mends units whose factor is unambiguous, sorts states by energy with all that belongs to
    them, leaves repeats out and aligns signs along trajectories. OUT says so in its provenance.
    What cannot be mended safely stays, and is told.
    """
    from namd.data.doctor.examine import examine
    from namd.data.doctor.fixing import fix
    from namd.data.native import write_dataset
    from namd.data.reading import read_dataset
    from namd.errors import DataError
    from namd.io.library import in_library
    from namd.io.saving import refuse_existing

    if out is not None and not force:
        refuse_existing(out)
    file = in_library(file)
    dataset = read_dataset(file)
    findings = examine(dataset)
    left, report = findings, _report(file, len(dataset), findings)
    if out is not None:
        mended, done = fix(dataset)
        left = examine(mended)
        write_dataset(mended, out, overwrite=force)
        report |= {"fixed": {"file": str(out), "frames": len(mended), "done": done}}
        report["fixed"]["findings"] = [finding.as_json() for finding in left]
    if as_json:
        console.result_json(report)
    else:
        _show(findings, frames=len(dataset), heading=f"{file}: {len(dataset)} frames")
        if out is not None:
            _show_done(report["fixed"])
            _show(left, frames=len(mended), heading=f"Left in {out}: {len(mended)} frames")
    errors = sum(finding.severity == "error" for finding in left)
    if errors:
        mendable = out is None and any(f.fixable for f in left if f.severity == "error")
        raise DataError(
            f"{errors} error{'s' if errors > 1 else ''} found",
            where=str(out or file),
            hint="`--fix OUT` mends what can be mended safely"
            if mendable
            else "leave these frames out, or label them again",
        )


def _report(file: Path, frames: int, findings: "Sequence[Finding]") -> dict[str, Any]:
    return {
        "file": str(file),
        "frames": frames,
        "findings": [finding.as_json() for finding in findings],
        "counts": {
            severity: sum(finding.severity == severity for finding in findings)
            for severity in _HEADINGS
        },
    }


def _show(findings: "Sequence[Finding]", *, frames: int, heading: str) -> None:
    from namd.data.finding import describe_frames

    console.result(click.style(heading, bold=True))
    for finding in findings:
        title, colour = _HEADINGS[finding.severity]
        count = f" ({finding.frames.size} of {frames})" if finding.frames.size else ""
        console.result()
        console.result(
            f"{click.style(title, fg=colour, bold=True)}  {finding.kind}  {finding.name}"
            f"{describe_frames(finding.frames)}{count}"
        )
        console.result(f"  {finding.message}")
        mends = "  [--fix mends it]" if finding.fixable else ""
        console.result(f"  → {finding.hint}{mends}")
    if not findings:
        console.result("Nothing found.")


def _show_done(fixed: dict[str, Any]) -> None:
    console.result(f"\n{click.style('Mended', bold=True)}")
    for step in fixed["done"]:
        frames = len(step["frames"])
        console.result(f"  {step['what']}: {frames} frame{'' if frames == 1 else 's'}")
    if not fixed["done"]:
        console.result("  nothing: there was nothing that can be mended safely")
    console.result()
