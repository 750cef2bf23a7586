"""``namd sample hessian``: a geometry in, a minimum with its Hessian out."""

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from namd.cli import console
from namd.cli.kept_search import kept_searches, resume_option, tell_labels

if TYPE_CHECKING:
    import numpy as np

    from namd.molecule import Molecule
    from namd.sampling.electronics_choice import ChosenElectronics
    from namd.sampling.normal_modes import NormalModes
    from namd.sampling.relaxation import StationaryPoint


@click.command()
@click.argument("geometry")
@click.option("--name", help="Group inside an HDF5 file of one geometry, e.g. cis.")
@click.option("--frame", type=click.IntRange(min=0), help="Which frame of GEOMETRY, from 0 on.")
@click.option("--model", help="A model folder, or a name in the zoo.")
@click.option(
    "--config",
    help="YAML file with an engine (as for `namd label`), or a run configuration, whose potential "
    "is taken.",
)
@click.option(
    "--state",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Whose, 0 the lowest.",
)
@click.option("--relax", is_flag=True, help="Go to the next minimum of the state first.")
@click.option(
    "--off-mode",
    type=click.IntRange(min=0),
    help="Before --relax, step along this mode of the Hessian in GEOMETRY, 0 the lowest, to leave "
    "a saddle point.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="File to write (.h5)."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes of an engine. The Hessian does not depend on it.",
)
@click.option(
    "--no-symmetry",
    is_flag=True,
    help="Of an engine: move all atoms, where it breaks the symmetry of the geometry.",
)
@resume_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
def hessian(
    *,
    geometry: str,
    name: str | None,
    frame: int | None,
    model: str | None,
    config: str | None,
    state: int,
    relax: bool,
    off_mode: int | None,
    output: Path,
    workers: int,
    no_symmetry: bool,
    resume: bool,
    force: bool,
) -> None:
    """Compute a Hessian with a model or an engine, by differences of forces.

    GEOMETRY is a geometry or a file of frames. What is written (atomic numbers, positions, Hessian,
    in atomic units) is what `namd sample wigner` and `boltzmann` and the initial conditions of a
    run sample about. An engine computes six geometries for every atom, of equivalent ones for one,
    side by side with --workers, and what it has computed stays in OUTPUT.displaced until the end,
    so that a kill loses none; the labels of --relax end in a dataset beside OUTPUT.

    \b
    Examples:
      namd sample hessian guess.xyz --config engine.yaml --relax --workers 2 --output minimum.h5
      namd sample hessian models/stilbene-ssr/data/minima.h5 --name trans --model stilbene-ssr \\
        --relax --state 1 --output s1-minimum.h5
      namd sample hessian saddle.h5 --off-mode 0 --relax --config engine.yaml --output minimum.h5
    """
    from namd.cli.hessian_job import HessianJob
    from namd.data.frames_file import check_frames_path
    from namd.errors import ConfigError
    from namd.io.library import find_file
    from namd.io.samples import HDF5_SUFFIXES
    from namd.sampling.electronics_choice import choose_electronics
    from namd.sampling.geometry import Geometry, write_geometry
    from namd.sampling.relaxation import StationaryPoint, check_state, relax_state
    from namd.sampling.starts import one_start, read_starts
    from namd.sampling.vibrations import modes_of

    check_frames_path(output, overwrite=force, suffixes=HDF5_SUFFIXES)
    path = find_file(geometry)
    frames = read_starts(path, name=name)
    start = one_start(frames, frame)
    if off_mode is not None:
        start = _displaced(path, name=name, molecule=frames.molecule, mode=off_mode, relax=relax)
    chosen = choose_electronics(frames.molecule, model=model, config=config, where=str(path))
    check_state(state, len(chosen.labels))
    if chosen.labelling is None and (workers > 1 or resume):
        raise ConfigError(
            "the surfaces of a model or a run are computed in one process, and not kept",
            where="--resume" if resume else "--workers",
            hint="leave it out; it is for a configuration with a section engine",
        )

    def place() -> "np.ndarray":
        numbers = frames.molecule.atomic_numbers
        if not relax:
            return start
        if chosen.labelling is None:
            return relax_state(chosen.electronics, numbers, start, state=state).positions
        with kept_searches(output, resume=resume, force=force, group=output.stem) as keep:
            kept = choose_electronics(
                frames.molecule, model=None, config=config, where=str(path), keep=keep
            )
            found = relax_state(kept.electronics, numbers, start, state=state).positions
            tell_labels(keep)
            return found

    with ExitStack() as afterwards:
        if chosen.labelling is None:
            positions = place()
            point = StationaryPoint(positions=positions, properties=chosen.electronics(positions))
            differentiated = _differentiated(chosen, positions, state=state)
        else:
            options = {"--name": name, "--frame": frame, "--config": config, "--state": state}
            options |= {"--off-mode": off_mode, "--output": str(output), "--workers": workers}
            given = [(key, str(value)) for key, value in options.items() if value is not None]
            named = {"--relax": relax, "--force": force, "--no-symmetry": no_symmetry}
            flags = [flag for flag, is_set in named.items() if is_set]
            job = HessianJob(
                molecule=chosen.molecule,
                config=chosen.labelling,
                state=state,
                folder=output.with_name(output.name + ".displaced"),
                workers=workers,
                resume=resume,
                origin={
                    "start": start.tolist(),
                    "state": state,
                    "relax": relax,
                    "symmetry": not no_symmetry,
                },
                words=("sample", "hessian", geometry, *chain.from_iterable(given), *flags),
                symmetry=not no_symmetry,
            )
            point, differentiated = job.run(place)
            afterwards.callback(job.remove)  # --resume could not mend what fails from here on
        made = Geometry(
            atomic_numbers=frames.molecule.atomic_numbers,
            positions=point.positions,
            hessian=differentiated,
            charge=chosen.molecule.charge,
        )
        modes = modes_of(made, chosen.molecule, where=str(path))
        write_geometry(made, output, overwrite=force)
    _show(modes, point, chosen, state=state, output=output)


def _displaced(
    path: Path, *, name: str | None, molecule: "Molecule", mode: int, relax: bool
) -> "np.ndarray":
    from namd.errors import ConfigError
    from namd.sampling.geometry import read_geometry
    from namd.sampling.off_saddle import off_saddle
    from namd.sampling.vibrations import modes_of

    if not relax:
        raise ConfigError(
            "a displaced geometry is no stationary point",
            where="--off-mode",
            hint="give --relax, too",
        )
    return off_saddle(modes_of(read_geometry(path, name=name), molecule, where=str(path)), mode)


def _differentiated(
    chosen: "ChosenElectronics", positions: "np.ndarray", *, state: int
) -> "np.ndarray":
    from namd.sampling.numerical_hessian import numerical_hessian

    with console.progress() as bar:
        task = bar.add_task("Hessian", total=2 * positions.size)
        return numerical_hessian(
            chosen.electronics, positions, state=state, done=lambda: bar.advance(task)
        )


def _show(
    modes: "NormalModes",
    point: "StationaryPoint",
    chosen: "ChosenElectronics",
    *,
    state: int,
    output: Path,
) -> None:
    import numpy as np

    from namd.sampling.vibrations import describe_modes
    from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

    energies = point.properties.energies
    gaps = ", ".join(
        f"{label} {(energy - energies[state]) * EV_PER_HARTREE:+.3f} eV"
        for k, (label, energy) in enumerate(zip(chosen.labels, energies, strict=True))
        if k != state
    )
    console.result(
        f"{chosen.labels[state]} {energies[state]:.6f} hartree{', ' if gaps else ''}{gaps}"
    )
    console.result("wavenumbers/cm⁻¹  " + " ".join(f"{value:.0f}" for value in modes.wavenumbers))
    force = float(np.linalg.norm(point.properties.gradients[state], axis=1).max())
    console.note(f"largest force on an atom {force * EV_PER_ANGSTROM_PER_ATOMIC_FORCE:.1e} eV/Å")
    imaginary = int((modes.wavenumbers < 0).sum())
    if imaginary:
        console.warn(
            f"{imaginary} imaginary (negative) wavenumbers: this is no minimum; to leave it, "
            f"`namd sample hessian {output} --off-mode 0 --relax`, with the same surfaces"
        )
    console.result(f"{output}: {chosen.molecule.formula}, {describe_modes(modes)}")
