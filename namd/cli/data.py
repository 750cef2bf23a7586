"""``namd data``: convert, inspect and check labelled datasets. Imports no torch."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

from namd.cli import console
from namd.cli.data_check import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from namd.data.finding import Finding
    from namd.data.inspection import Inspection, PairSummary, Spread

FILE = click.Path(path_type=Path)


@click.group()
def data() -> None:
    """Convert, inspect and check labelled datasets.

    \b
    Examples:
      namd data inspect models/stilbene-ssr/data/stilbene-ssr-thinned.h5
      namd data check labels.h5 --fix repaired.h5
      namd data convert labels.h5 dataset.h5 --thin 3500
    """


@data.command()
@click.argument("inputs", nargs=-1, required=True, type=FILE, metavar="IN [IN]...")
@click.argument("out", type=FILE, metavar="OUT")
@click.option("--level", metavar="TEXT", help="Level of theory, where the file does not say it.")
@click.option("--charge", type=int, metavar="E", help="Total charge, where the file is silent.")
@click.option("--states", metavar="LABELS", help='State labels by energy, e.g. "S0 S1 S2".')
@click.option("--title", metavar="TEXT", help="Title of the dataset.")
@click.option("--licence", metavar="TEXT", help="Licence of the data, e.g. CC BY 4.0.")
@click.option(
    "--thin",
    type=click.IntRange(min=1),
    metavar="N",
    help="Thin trajectories by what differs, to N frames at most.",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(["hdf5", "xyz", "ase-db", "shnitsel", "sharc"]),
    help="Format of OUT, whatever its name ends in.",
)
@click.option(
    "--units",
    multiple=True,
    metavar="NAME=UNIT",
    help="Unit of a quantity in an ASE database or a SHNITSEL file, e.g. distance=Bohr; may be "
    "repeated.",
)
@click.option(
    "--frames",
    metavar="START:STOP",
    help="Take only these frames of every IN, counted from 0, as Python slices: 10: leaves out "
    "the first ten.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def convert(
    *,
    inputs: "Sequence[Path]",
    out: Path,
    level: str | None,
    charge: int | None,
    states: str | None,
    title: str | None,
    licence: str | None,
    thin: int | None,
    target: str | None,
    units: "Sequence[str]",
    frames: str | None,
    force: bool,
) -> None:
    """Convert labelled frames from and to any known format, and join them.

    \b
    Examples:
      namd data convert labels.h5 dataset.h5
      namd data convert labels.h5 thinned.h5 --thin 3500
      namd data convert TRAJ_*/output.dat ch2nh2.h5 --level "MR-CISD(6,4)/aug-cc-pVDZ" --charge 1
      namd data convert butene.db butene.xyz
      namd data convert butene.nc butene.h5 --level "SA3-CASSCF(2,2)/cc-pVDZ"
      namd data convert schnarc.db set.h5 --charge 1 --units distance=Bohr --units energy=Hartree \\
          --units forces=Hartree/Bohr --frames 10:

    \b
    Formats, in and out (IN by its content, OUT by the end of its name):
      hdf5      .h5 .hdf5      datasets of namd; plain tables of frames (read only)
      xyz       .xyz .extxyz   extended XYZ with several states, eV and Å
      ase-db    .db            ASE database of SPaiNN; that of SchNarc (read only)
      shnitsel  .nc            NetCDF trajectories of SHNITSEL
      sharc     .dat           output.dat of SHARC 2 to 4, one trajectory

    What cannot be right (NaN, atoms on top of each other, wrong units, …) is refused, and the
    frame is named. Units that a file does not state are asked for, or told as assumed.
    """
    from namd.data.checks import unknown_couplings, unknown_forces
    from namd.data.conversion import gather
    from namd.data.formats.registry import UNITS, writer_for
    from namd.data.formats.stated import Stated, parse_frames
    from namd.data.formats.units import parse_units
    from namd.data.thinning import thin as thin_frames
    from namd.io.library import in_library
    from namd.io.saving import refuse_existing

    write = writer_for(out, name=target)
    if not force:
        refuse_existing(out)
    dataset = gather(
        [in_library(path) for path in inputs],
        stated=Stated(
            level_of_theory=level,
            charge=charge,
            units=parse_units(units, known=UNITS),
            frames=parse_frames(frames or ":"),
            warn=console.warn,
        ),
        states=states.split() if states is not None else None,
        title=title,
        licence=licence,
    )
    read = len(dataset)
    if thin is not None:
        dataset = thin_frames(dataset, max_frames=thin)
    write(dataset, out, overwrite=force)
    kept = f"{len(dataset)} of {read} frames" if len(dataset) < read else _count(read)
    console.note(f"{out}: {kept} of {dataset.molecule.formula}, {out.stat().st_size / 1e6:.1f} MB")
    if lacking := int(unknown_couplings(dataset).sum()):
        console.warn(
            f"in {_count(lacking)} the couplings are missing: `namd train` refuses such frames"
        )
    if unknown := int(unknown_forces(dataset).any(axis=1).sum()):
        console.warn(
            f"in {_count(unknown)} the forces of some states were not computed (NaN): "
            "`namd train` learns from the others, except with loss.derivatives: sampled"
        )


@data.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(file: Path, as_json: bool) -> None:
    """Tell what a dataset holds, and which frames deserve a look.

    \b
    Examples:
      namd data inspect models/stilbene-ssr/data/stilbene-ssr-thinned.h5
      namd data inspect labels.h5 --json

    Frames, states, level of theory, groups, ranges per state, gap histogram, coupling norms,
    suspicious rows. Exit code 3 if the dataset cannot be used; what only deserves a look is told
    with exit code 0. Frames are counted from 0.
    """
    from namd.data.checks import refuse
    from namd.data.inspection import inspect_dataset
    from namd.data.reading import read_dataset
    from namd.io.library import in_library

    file = in_library(file)
    dataset = read_dataset(file)
    inspection = inspect_dataset(dataset)
    if as_json:
        console.result_json({"file": str(file), **inspection.as_json()})
    else:
        _show(inspection, file)
    refuse(inspection.findings, path=file)


data.add_command(check)


def _count(frames: int) -> str:
    return f"{frames} frame{'' if frames == 1 else 's'}"


def _show(inspection: "Inspection", file: Path) -> None:
    dataset = inspection.dataset
    charge = f", charge {dataset.molecule.charge:+d}" if dataset.molecule.charge else ""
    largest = ", ".join(f"{name} ({n})" for name, n in inspection.groups.most_common(3))
    facts = {
        "file": str(file),
        "title": dataset.title or "—",
        "molecule": f"{dataset.molecule.formula}, {len(dataset.molecule)} atoms{charge}",
        "states": f"{' '.join(dataset.states.labels)}, multiplicity {dataset.multiplicity}",
        "level": dataset.level_of_theory or "—",
        "licence": dataset.licence or "—",
        "frames": str(len(dataset)),
        "sources": ", ".join(f"{name} {n}" for name, n in inspection.sources.most_common()),
        "groups": f"{len(inspection.groups)}, the largest: {largest}",
        "arrays": ", ".join(sorted(dataset)),
    }
    for name, fact in facts.items():
        console.result(f"{name:<10}{fact}")
    console.result()
    console.table(
        ["state", "energy / eV", "median", "RMS force / eV/Å", "median"],
        [
            [
                state.label,
                *_range_and_median(state.energy_ev, 3),
                *_range_and_median(state.force_rms_ev_per_angstrom, 3),
            ]
            for state in inspection.states
        ],
        title="States (energies above the lowest one)",
    )
    if inspection.pairs:
        _show_pairs(inspection.pairs)
    errors, warnings = inspection.of("error"), inspection.of("warning")
    _show_findings("Unusable", errors)
    _show_findings("Deserves a look", warnings)
    console.result(
        "\n`namd data check` tells what to do about it."
        if errors or warnings
        else "\nNothing suspicious."
    )


def _show_pairs(pairs: "Sequence[PairSummary]") -> None:
    from namd.data.inspection import GAP_BINS_EV

    console.result()
    console.table(
        ["pair", "gap / eV", "median", "|h| / eV/Å", "median", "|d| / 1/Å", "median", "|Σd|/|d|"],
        [
            [
                pair.label,
                *_range_and_median(pair.gap_ev, 3),
                *_range_and_median(pair.interstate_coupling_ev_per_angstrom, 2),
                *_range_and_median(pair.nonadiabatic_coupling_per_angstrom, 2),
                _range_and_median(pair.translation_ratio, 3)[1],
            ]
            for pair in pairs
        ],
        title="Pairs (h = ⟨i|∇H|j⟩, d = h/gap; norms over all atoms)",
    )
    edges = [f"{edge:g}" for edge in GAP_BINS_EV]
    bins = [f"{low} – {high}" for low, high in pairwise(edges)]
    console.result()
    console.table(
        ["gap / eV", *(pair.label for pair in pairs)],
        [
            [name, *(str(pair.gap_histogram[k]) for pair in pairs)]
            for k, name in enumerate([*bins, f"above {edges[-1]}"])
            if any(pair.gap_histogram[k] for pair in pairs)
        ],
        title="Frames by gap",
    )


def _show_findings(heading: str, findings: "Sequence[Finding]") -> None:
    from namd.data.finding import describe_frames

    if not findings:
        return
    console.result(f"\n{click.style(heading, bold=True)}")
    for finding in findings:
        console.result(f"  {finding.message}{describe_frames(finding.frames)}")


def _range_and_median(spread: "Spread | None", digits: int) -> tuple[str, str]:
    if spread is None or spread.median is None:
        return "—", "—"
    low, high = f"{spread.minimum:.{digits}f}", f"{spread.maximum:.{digits}f}"
    return f"{low} … {high}", f"{spread.median:.{digits}f}"
