"""From the ``potential`` section of a run to an electronic structure."""

import json
from dataclasses import replace
from pathlib import Path

from namd.config.labelling import LabellingConfig
from namd.config.loading import load_config, resolved_config
from namd.config.potential import (
    CalculatorConfig,
    OnTheFlyConfig,
    PotentialConfig,
    SpinBosonConfig,
)
from namd.data.frames import read_frames
from namd.io.library import find_file, find_model
from namd.potentials.committee import CommitteePotential
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.from_callable import potential_from_callable
from namd.potentials.morse import morse
from namd.potentials.on_the_fly import engine_potential
from namd.potentials.photoisomerization import photoisomerization
from namd.potentials.protocol import Potential
from namd.potentials.spin_boson import spin_boson
from namd.potentials.tully import tully
from namd.potentials.vibronic import vibronic_from_template
from namd.qm.kept_labels import KeptLabels
from namd.qm.registry import make_engine
from namd.units import HARTREE_PER_INVERSE_CM

TULLY_NUMBERS = {"sac": 1, "dac": 2, "ecr": 3}


def make_potential(
    config: PotentialConfig, *, base: Path, device: str, labels: Path | None = None
) -> Potential:
    """Load the trained model or models, call the program, or make the analytic model.

    Parameters
    ----------
    config
        Which one.
    base
        Folder that names of files and modules are relative to.
    device
        As given by :func:`namd.nn.device.choose_device`.
    labels
        Folder where the labels of a reference engine are kept (namd.qm.kept_labels).

    Raises
    ------
    ModelError
        If a model cannot be found or used, or does not fit the others of its committee.
    ConfigError, DataError
        If the numbers or the file of an analytic model make none, or the function of a program
        cannot be called.
    """
    if config.calculator is not None:
        return _program(config.calculator, base=base)
    if config.engine is not None:
        return _on_the_fly(config.engine, base=base, labels=labels)
    names = config.committee or ([] if config.model is None else [config.model])
    if not names:
        return _analytic(config, base=base)
    from namd.potentials.trained import load_trained  # noqa: PLC0415  (e3nn: seconds)

    trained = [load_trained(find_model(name, base=base), device=device) for name in names]
    return trained[0] if config.committee is None else CommitteePotential(tuple(trained))


def _program(config: CalculatorConfig, *, base: Path) -> Potential:
    geometry = None if config.geometry is None else find_file(config.geometry, base=base)
    return potential_from_callable(
        config.callable, arguments=config.arguments, geometry=geometry, base=base
    )


def _on_the_fly(config: OnTheFlyConfig, *, base: Path, labels: Path | None) -> Potential:
    path = find_file(config.config, base=base)
    labelling = load_config(path, LabellingConfig)
    molecule = read_frames(find_file(config.geometry, base=base)).molecule
    if labelling.charge is not None:
        molecule = replace(molecule, charge=labelling.charge)
    engine = make_engine(labelling.engine, molecule=molecule, base=path.parent)
    settings = resolved_config(labelling)["engine"]
    settings.pop("timeout_s", None)  # decides over time, not over numbers
    potential = engine_potential(
        engine,
        molecule,
        settings=json.dumps(settings, sort_keys=True),
        kept=None if labels is None else KeptLabels(labels),
    )
    if labels is not None:
        KeptLabels(labels).begin(engine.describe(), molecule, labelling)
    return potential


def _analytic(config: PotentialConfig, *, base: Path) -> DiabaticPotential:
    """Make the model whose key is given; validation has seen that there is one."""
    if config.tully is not None:
        return tully(TULLY_NUMBERS[config.tully])
    if config.morse is not None:
        return morse(config.morse)
    if config.spin_boson is not None:
        return _spin_boson(config.spin_boson)
    if config.vibronic is not None:
        template = find_file(config.vibronic.template, base=base)
        return vibronic_from_template(template, multiplicity=config.vibronic.multiplicity)
    return photoisomerization()


def _spin_boson(config: SpinBosonConfig) -> DiabaticPotential:
    return spin_boson(
        bias=config.bias_inverse_cm * HARTREE_PER_INVERSE_CM,
        coupling=config.coupling_inverse_cm * HARTREE_PER_INVERSE_CM,
        spectrum=config.spectrum,
        cutoff=config.cutoff_inverse_cm * HARTREE_PER_INVERSE_CM,
        reorganization=config.reorganization_inverse_cm * HARTREE_PER_INVERSE_CM,
        oscillators=config.oscillators,
    )
