"""``namd label``: frames in, a labelled dataset out."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


@click.command(
    epilog="Exit codes: 0 done (failed frames are told of), 2 configuration, program or "
    "parameters, 3 frames cannot be read or none could be labelled, 4 --verify finds a "
    "disagreement, 75 stopped by SIGTERM or a full disk, 130 Ctrl-C; after the last two the same "
    "command with --resume goes on."
)
@click.argument("frames", type=FILE)
@click.option(
    "--engine",
    metavar="NAME",
    help="dftbplus, pyscf, openmolcas, ase or callable.  [default: engine.name of --config]",
)
@click.option("--config", type=FILE, help="YAML file: `namd config schema label` has its keys.")
@click.option("--output", type=FILE, required=True, help="Dataset to write (.h5).")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes. The labels do not depend on it.",
)
@click.option(
    "--verify",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Compare the labels of N frames with finite differences.",
)
@click.option("--resume", is_flag=True, help="Go on with a labelling that was stopped or killed.")
@click.option(
    "--collect",
    type=FILE,
    help="Write the labels that an unfinished labelling into OUTPUT has by now to this dataset, "
    "and end; it may be running.",
)
@click.option("--force", is_flag=True, help="Replace an existing dataset.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key, e.g. engine.timeout_s=600; may be repeated.",
)
def label(
    *,
    frames: Path,
    engine: str | None,
    config: Path | None,
    output: Path,
    workers: int,
    verify: int,
    resume: bool,
    collect: Path | None,
    force: bool,
    overrides: tuple[str, ...],
) -> None:
    """Compute energies, forces and couplings of geometries with a reference method.

    \b
    Examples:
      namd label frames.h5 --engine dftbplus --config dftb.yaml --output labels.h5 --workers 8
      namd label frames.h5 --engine dftbplus --config dftb.yaml --output labels.h5 --resume
      namd label frames.h5 --config dftb.yaml --output labels.h5 --collect so-far.h5
      namd label scan.xyz --config casscf.yaml --output labels.h5 --verify 3
      namd label samples.h5 --engine dftbplus --set engine.parameters=~/ob2-base --output labels.h5

    \b
    dftb.yaml, SSR(2,2)-LC-DFTB2 with DFTB+ 24.1 or later:
      engine: {name: dftbplus, parameters: ob2-1-1/base}

    \b
    SA-CASSCF with PySCF (extra [qm]):
      engine: {name: pyscf, basis: 6-31g, active_electrons: 2, active_orbitals: 2, states: 2}

    \b
    SA-CASSCF with OpenMolcas 22.10 or later (Debian and Ubuntu have `openmolcas`):
      engine: {name: openmolcas, basis: cc-pVDZ, active_electrons: 2, active_orbitals: 2, states: 2}

    \b
    The ground state with any ASE calculator, here xTB (extra [xtb]):
      engine: {name: ase, calculator: "tblite.ase:TBLite", arguments: {method: GFN2-xTB},
               level_of_theory: GFN2-xTB}

    \b
    casscf.yaml, any Python function(symbols, positions, basis=…, guess=…):
      engine:
        callable: mymodule:label
        arguments: {basis: 6-31g}
        level_of_theory: SA2-CASSCF(2,2)/6-31G
        energies: {key: energies, unit: hartree}
        forces: {key: gradients, unit: hartree/bohr, kind: gradient}
        couplings: {key: nac, unit: 1/bohr, kind: nonadiabatic}
        guess: {argument: guess, key: guess}

    FRAMES is a dataset with or without labels, what `namd sample` wrote, any HDF5 file with
    atomic_numbers and positions, a geometry file that ASE reads (.xyz, extended XYZ, …), or the
    folder of a run, of which the geometries are labelled at which trajectories were parked; group
    and source go with the frames. While it runs every finished label is a file in
    OUTPUT.labelling, so that a kill at any moment loses none; at the end there are the dataset
    and, beside it, OUTPUT.json with time and notes of each label and the reason of each failure.
    """
    from namd.cli import label_collect, label_job

    request = label_job.Request(
        frames=frames,
        engine=engine,
        config=config,
        output=output,
        workers=workers,
        verify=verify,
        resume=resume,
        force=force,
        overrides=overrides,
    )
    if collect is not None:
        label_collect.collect(request, collect)
    else:
        label_job.run_job(request)
