"""``namd sample boltzmann``: a geometry in, classical thermal phase-space points out."""

from pathlib import Path

import click

from namd.cli import console


@click.command()
@click.argument("geometry")
@click.option("--name", help="Group inside an HDF5 file, e.g. cis.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Of momenta and positions, K.",
)
@click.option(
    "--number",
    "-n",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="How many samples.",
)
@click.option(
    "--positions",
    type=click.Choice(["harmonic", "fixed"]),
    default="harmonic",
    show_default=True,
    help="Displace along the vibrations, or leave all at GEOMETRY.",
)
@click.option("--hessian", help="File of the Hessian, if it is not in GEOMETRY: text, .npy, …")
@click.option(
    "--low-modes-below",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Modes under this wavenumber stay at the minimum, 1/cm.",
)
@click.option(
    "--imaginary",
    type=click.Choice(["refuse", "freeze"]),
    default="refuse",
    show_default=True,
    help="Treatment of imaginary modes.",
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), default=0, show_default=True, help="Seed."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .h5, or .xyz (extended XYZ with momenta).",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def boltzmann(
    *,
    geometry: str,
    name: str | None,
    temperature: float,
    number: int,
    positions: str,
    hessian: str | None,
    low_modes_below: float,
    imaginary: str,
    seed: int,
    output: Path,
    force: bool,
) -> None:
    """Sample positions and velocities from the classical canonical distribution.

    Momenta are Maxwell–Boltzmann, without total linear and angular momentum. Positions are those
    of classical harmonic oscillators about a minimum with its Hessian (as for `namd sample
    wigner`), or all at GEOMETRY, which then may be any and needs no Hessian. Sample k of a seed
    does not depend on their number. Below room temperature vibrations are quantum: sample wigner.

    \b
    Examples:
      namd sample boltzmann models/stilbene-ssr/data/minima.h5 --name cis --low-modes-below 30 \\
        --output thermal.h5
      namd sample boltzmann twisted.xyz --positions fixed --temperature 900 -n 50 --output hot.h5
    """
    from namd.analysis.subject import formula
    from namd.io.library import find_file
    from namd.io.samples import check_samples_path, write_samples
    from namd.sampling.sample_sets import read_minimum, sample_boltzmann
    from namd.sampling.wigner import LowModes

    check_samples_path(output, overwrite=force, energies=False)
    place, molecule, where = read_minimum(
        find_file(geometry),
        name=name,
        hessian_file=None if hessian is None else find_file(hessian),
    )
    low = LowModes(
        below_inverse_cm=low_modes_below,
        treatment="freeze",
        imaginary="freeze" if imaginary == "freeze" else "refuse",
    )
    samples = sample_boltzmann(
        place,
        molecule,
        number=number,
        temperature_k=temperature,
        low_modes=low if positions == "harmonic" else None,
        seed=seed,
        where=where,
    )
    write_samples(samples, output, overwrite=force)
    for line in samples.notes:
        console.note(line)
    console.result(f"{output}: {number} samples of {formula(molecule.atomic_numbers)}")
