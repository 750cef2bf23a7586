"""``namd sample wigner``: a minimum with its Hessian in, geometries and velocities out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from namd.cli import console
from namd.errors import ConfigError

if TYPE_CHECKING:
    from namd.io.samples import Samples
    from namd.sampling.wigner import LowModes

_YAML = (".yaml", ".yml")
_OF_A_GEOMETRY = (
    "name",
    "hessian",
    "model",
    "relax",
    "temperature",
    "low_modes_below",
    "low_modes",
    "imaginary",
)


@click.command()
@click.argument("geometry")
@click.option("--name", help="Group inside an HDF5 file, e.g. cis.")
@click.option("--hessian", help="File of the Hessian, if it is not in GEOMETRY: text, .npy, …")
@click.option(
    "--number",
    "-n",
    type=click.IntRange(min=1),
    help="How many samples.  [default: 500; of a configuration: its trajectories]",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Of the vibrations, K.",
)
@click.option(
    "--low-modes-below",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Modes under this wavenumber are treated apart, 1/cm.",
)
@click.option(
    "--low-modes",
    type=click.Choice(["freeze", "classical"]),
    default="freeze",
    show_default=True,
    help="Their treatment: no displacement and momentum, or equipartition.",
)
@click.option(
    "--imaginary",
    type=click.Choice(["refuse", "freeze"]),
    default="refuse",
    show_default=True,
    help="Treatment of imaginary modes.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**63 - 1),
    help="Seed.  [default: 0, or that of a configuration]",
)
@click.option("--model", help="Also compute energies: a model folder, or a name in the zoo.")
@click.option(
    "--relax", is_flag=True, help="Relax on the ground state of --model, and use its Hessian."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .h5, or .xyz (extended XYZ with momenta).",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.pass_context
def wigner(
    ctx: click.Context,
    *,
    geometry: str,
    name: str | None,
    hessian: str | None,
    number: int | None,
    temperature: float,
    low_modes_below: float,
    low_modes: str,
    imaginary: str,
    seed: int | None,
    model: str | None,
    relax: bool,
    output: Path,
    force: bool,
) -> None:
    """Sample positions and velocities from the harmonic Wigner distribution.

    GEOMETRY is a minimum with its Hessian: HDF5 in atomic units (atomic_numbers, positions,
    hessian), ORCA's .hess, Gaussian's .fchk, or any geometry file beside --hessian FILE (Hartree
    per Bohr squared, flattened over atom and xyz). Translations and rotations are projected out.
    Sample k of a seed does not depend on their number.

    GEOMETRY may also be a run configuration (.yaml, or its name in the library): then its potential
    and its initial conditions are taken, before any excitation.

    What is written starts trajectories (initial_conditions: {method: file, path: samples.h5}) and
    can be given to any program for labels. With --model, or a configuration, energies of all
    states are in it, and transition dipoles where the potential has them: `namd analyze spectrum`.

    \b
    Examples:
      namd sample wigner models/stilbene-ssr/data/minima.h5 --name cis --output samples.h5
      namd sample wigner freq.hess --temperature 300 -n 1000 --output samples.xyz
      namd sample wigner opt.xyz --hessian hessian.txt --low-modes-below 30 --output samples.h5
      namd sample wigner guess.xyz --model stilbene-ssr --relax --output samples.h5
      namd sample wigner pyrazine -n 2000 --output pyrazine.h5
    """
    from namd.io.samples import check_samples_path, write_samples
    from namd.sampling.wigner import LowModes

    of_a_run = _is_configuration(Path(geometry))
    check_samples_path(output, overwrite=force, energies=of_a_run or model is not None)
    if of_a_run:
        _refuse_options(ctx)
        samples = _of_configuration(geometry, number=number, seed=seed)
    else:
        low = LowModes(
            below_inverse_cm=low_modes_below,
            treatment="classical" if low_modes == "classical" else "freeze",
            imaginary="freeze" if imaginary == "freeze" else "refuse",
        )
        samples = _of_geometry(
            geometry,
            name=name,
            hessian=hessian,
            model=model,
            relax=relax,
            low_modes=low,
            temperature_k=temperature,
            number=number or 500,
            seed=seed or 0,
        )
    write_samples(samples, output, overwrite=force)
    _show(samples, output)


def _is_configuration(geometry: Path) -> bool:
    """Whether this is a configuration file, or can only be the name of one in the library."""
    return geometry.suffix in _YAML or not (geometry.suffix or geometry.is_file())


def _refuse_options(ctx: click.Context) -> None:
    """Refuse options that a run configuration answers itself."""
    for name in _OF_A_GEOMETRY:
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise ConfigError(
                "a run configuration says this itself",
                where=f"--{name.replace('_', '-')}",
                hint="leave it out and change the configuration, or give a geometry",
            )


def _of_configuration(name: str, *, number: int | None, seed: int | None) -> "Samples":
    from namd.config.loading import load_config
    from namd.config.run import RunConfig
    from namd.io.library import find_run_config
    from namd.nn.device import choose_device
    from namd.potentials.from_config import make_potential
    from namd.sampling.labelled_samples import sample_run

    path = find_run_config(name)
    config = load_config(path, RunConfig)
    device = choose_device(config.device)
    return sample_run(
        config,
        make_potential(config.potential, base=path.parent, device=device),
        number=number or config.trajectories,
        seed=config.seed if seed is None else seed,
        base=path.parent,
        device=device,
        where=str(path),
    )


def _of_geometry(
    geometry: str,
    *,
    name: str | None,
    hessian: str | None,
    model: str | None,
    relax: bool,
    low_modes: "LowModes",
    temperature_k: float,
    number: int,
    seed: int,
) -> "Samples":
    from namd.io.library import find_file
    from namd.sampling.sample_sets import read_minimum, sample_wigner

    if relax and model is None:
        raise ConfigError("on which ground state?", where="--relax", hint="give --model too")
    minimum, molecule, where = read_minimum(
        find_file(geometry),
        name=name,
        hessian_file=None if hessian is None else find_file(hessian),
    )
    potential = None
    if model is not None:
        from namd.config.potential import PotentialConfig
        from namd.nn.device import choose_device
        from namd.potentials.from_config import make_potential
        from namd.sampling.geometry import check_molecule

        device = choose_device("auto")
        potential = make_potential(PotentialConfig(model=model), base=Path(), device=device)
        check_molecule(minimum.atomic_numbers, potential.molecule, where=where)
        if relax:
            from namd.sampling.model_hessian import relaxed_geometry

            minimum = relaxed_geometry(potential, minimum, device=device)
    samples = sample_wigner(
        minimum,
        molecule,
        number=number,
        temperature_k=temperature_k,
        low_modes=low_modes,
        seed=seed,
        where=where,
    )
    if potential is None:
        return samples
    from namd.sampling.labelled_samples import with_labels

    return with_labels(samples, potential, device=device, where=where)


def _show(samples: "Samples", output: Path) -> None:
    from namd.analysis.subject import formula
    from namd.units import EV_PER_HARTREE

    for line in samples.notes:
        console.note(line)
    if samples.energies is not None and samples.states is not None:
        gaps = (samples.energies[:, 1:] - samples.energies[:, :1]) * EV_PER_HARTREE
        console.table(
            ["transition", "energy/eV", "spread", "lowest", "highest"],
            [
                [
                    f"{samples.states.labels[0]} → {label}",
                    *(f"{value:.3f}" for value in (g.mean(), g.std(), g.min(), g.max())),
                ]
                for label, g in zip(samples.states.labels[1:], gaps.T, strict=True)
            ],
            title=f"Vertical excitations  {samples.potential.get('name', '')}",
        )
    kept = ", ".join(
        name
        for name in ("positions", "velocities", "energies", "transition_dipoles")
        if getattr(samples, name) is not None
    )
    console.result(
        f"{output}: {len(samples)} samples of {formula(samples.molecule.atomic_numbers)} "
        f"({kept.replace('_', ' ')})"
    )
