"""``namd analyze spectrum``: options in, the absorption spectrum of a nuclear ensemble out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.analysis.spectrum import Line, Spectrum
    from namd.data.nuclear_ensemble import NuclearEnsemble

_ROWS = 20
_UNITS = {"angstrom2": "Å²", "molar": "L/(mol cm)"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", help="Frames of this source.  [default: wigner, where there are any]")
@click.option("--group", help="Frames of these groups, e.g. 'wigner-cis-*'.")
@click.option("--from", "initial", default=0, show_default=True, help="Absorbing state, 0-based.")
@click.option(
    "--line",
    type=click.Choice(["gaussian", "lorentzian"]),
    default="gaussian",
    show_default=True,
    help="Shape of a single line.",
)
@click.option(
    "--width",
    type=float,
    help="Full width at half maximum of a line, eV.  [default: by Silverman's rule]",
)
@click.option(
    "--range", "range_ev", type=(float, float), metavar="LOW HIGH", help="Photon energies, eV."
)
@click.option(
    "--unit",
    type=click.Choice(list(_UNITS)),
    default="angstrom2",
    show_default=True,
    help="Cross-section per molecule, or decadic molar absorptivity (table and figure).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also draw a figure (.png, .pdf, .svg)."
)
@click.option("--full", is_flag=True, help=f"Print every energy, not about {_ROWS} of them.")
def spectrum(
    file: Path,
    *,
    source: str | None,
    group: str | None,
    initial: int,
    line: "Line",
    width: float | None,
    range_ev: tuple[float, float] | None,
    unit: str,
    as_json: bool,
    figure: Path | None,
    full: bool,
) -> None:
    """Absorption spectrum of a nuclear ensemble, with 95 % intervals.

    FILE holds sampled geometries with energies and transition dipoles: labelled data, or samples of
    `namd sample wigner` with a potential that has dipoles. Every geometry absorbs at its vertical
    excitation energies; the mean over them is the spectrum (Crespo-Otero and Barbatti, Theor. Chem.
    Acc. 131 (2012) 1237). Heights are absolute, for one molecule in vacuum; there is no vibrational
    structure. Lines are as narrow as the size of the sample allows (Silverman's rule) unless a
    width is given. Intervals are those of the sample, not of the level of theory.

    \b
    Examples:
      namd analyze spectrum models/stilbene-ssr/data/stilbene-ssr-thinned.h5 --group 'wigner-cis-*'
      namd analyze spectrum labels.h5 --width 0.05 --unit molar --figure spectrum.png
      namd analyze spectrum samples.h5 --range 3 7 --json > spectrum.json

    \b
    JSON: file, taken, level_of_theory, initial, samples, left_out (labels missing), line, width_ev,
      energy_ev [energy], cross_section_angstrom2, lower, upper [energy] (95 %),
      molar_absorptivity [energy] in L/(mol cm), maximum_ev, integral_ev_angstrom2,
      bands (list: state, energy_ev and energy_spread_ev of the vertical excitations,
             strength and strength_error, cross_section [energy])
    """
    from namd.analysis.excitations import vertical_excitations
    from namd.analysis.spectrum import absorption_spectrum
    from namd.data.nuclear_ensemble import read_nuclear_ensemble
    from namd.io.library import in_library

    if figure is not None:
        from namd.analysis.figures import check_figure_path

        check_figure_path(figure)
    file = in_library(file)
    ensemble = read_nuclear_ensemble(file, source=source, group=group)
    excitations = vertical_excitations(
        ensemble.energies, ensemble.transition_dipoles, ensemble.states, initial=initial
    )
    known = excitations.known()
    found = absorption_spectrum(
        excitations.select(known), line=line, width_ev=width, range_ev=range_ev
    )
    left_out = int((~known).sum())
    if figure is not None:
        from namd.analysis.figures import save_figure
        from namd.analysis.spectrum_figure import spectrum_figure

        drawn = spectrum_figure(found, subject=_subject(ensemble, found), molar=unit == "molar")
        save_figure(drawn, figure)
        console.note(f"Figure written to {figure}")
    if as_json:
        console.result_json(_as_json(file, ensemble, found, left_out))
    else:
        _show(ensemble, found, left_out, unit=unit, rows=None if full else _ROWS)


def _subject(ensemble: "NuclearEnsemble", found: "Spectrum") -> str:
    from namd.analysis.subject import formula

    level = [ensemble.level_of_theory.partition(", ")[0]] if ensemble.level_of_theory else []
    words = [
        formula(ensemble.molecule.atomic_numbers),
        *level,
        f"{found.samples} geometries ({ensemble.taken})",
    ]
    return " · ".join(words)


def _as_json(file: Path, ensemble: "NuclearEnsemble", found: "Spectrum", left_out: int) -> Any:
    from namd.analysis.jsonable import jsonable
    from namd.units import MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM

    return jsonable(
        {
            "file": str(file),
            "taken": ensemble.taken,
            "level_of_theory": ensemble.level_of_theory,
            "initial": found.initial,
            "samples": found.samples,
            "left_out": left_out,
            "line": found.line,
            "width_ev": found.width_ev,
            "energy_ev": found.energy_ev,
            "cross_section_angstrom2": found.cross_section,
            "lower": found.lower,
            "upper": found.upper,
            "molar_absorptivity": found.cross_section * MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM,
            "maximum_ev": found.maximum_ev,
            "integral_ev_angstrom2": found.integral,
            "bands": found.bands,
        }
    )


def _show(
    ensemble: "NuclearEnsemble", found: "Spectrum", left_out: int, *, unit: str, rows: int | None
) -> None:
    from namd.units import MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM, NANOMETRE_EV

    factor = MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM if unit == "molar" else 1.0
    digits = 0 if unit == "molar" else 4
    console.table(
        ["transition", "energy/eV", "spread", "f", "± s.e."],
        [
            [
                f"{found.initial} → {band.state}",
                f"{band.energy_ev:.3f}",
                f"{band.energy_spread_ev:.3f}",
                f"{band.strength:.4f}",
                f"{band.strength_error:.4f}",
            ]
            for band in found.bands
        ],
        title=f"Absorption  {_subject(ensemble, found)}",
    )
    console.result()
    number = len(found.energy_ev)
    step = 1 if rows is None else max(1, -(-(number - 1) // rows))
    several = found.bands if len(found.bands) > 1 else ()
    console.table(
        ["energy/eV", "λ/nm", _UNITS[unit], "95 %", *(band.state for band in several)],
        [
            [
                f"{found.energy_ev[k]:.3f}",
                f"{NANOMETRE_EV / found.energy_ev[k]:.1f}",
                f"{factor * found.cross_section[k]:.{digits}f}",
                f"{factor * found.lower[k]:.{digits}f}–{factor * found.upper[k]:.{digits}f}",
                *(f"{factor * band.cross_section[k]:.{digits}f}" for band in several),
            ]
            for k in sorted({*range(0, number, step), number - 1})
        ],
    )
    console.result(
        f"Maximum at {found.maximum_ev:.2f} eV ({NANOMETRE_EV / found.maximum_ev:.0f} nm); "
        f"{found.line} lines of {found.width_ev:.3g} eV (FWHM); area {found.integral:.3f} eV Å²."
    )
    if ensemble.assumed:
        console.warn(
            "all frames are taken, whatever they are; a spectrum is that of a ground-state sample"
        )
    if left_out:
        console.warn(f"geometries without energies or dipoles, left out: {left_out}")
