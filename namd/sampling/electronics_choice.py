"""Which potential or engine a search uses: a model, a run's potential, or an engine of labels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from namd.config.labelling import LabellingConfig
from namd.config.loading import load_config, read_yaml, validate
from namd.config.potential import PotentialConfig
from namd.config.run import RunConfig
from namd.errors import ConfigError
from namd.io.library import find_run_config
from namd.molecule import Molecule
from namd.nn.device import choose_device
from namd.potentials.calculator import Electronics
from namd.potentials.electronics import engine_electronics, potential_electronics
from namd.potentials.from_config import make_potential
from namd.potentials.protocol import Potential
from namd.qm.registry import make_engine
from namd.sampling.geometry import check_molecule
from namd.sampling.kept_searches import KeptSearches


@dataclass(frozen=True, kw_only=True, eq=False)
class ChosenElectronics:
    """What computes.

    Parameters
    ----------
    electronics
        One geometry at a time.
    cold
        Makes another one, which knows of no geometry yet: an engine begins without a guess. It may
        be told for which ``start`` of several, and whether its end is computed ``again``.
    molecule
        That of the geometries, with the charge that is computed.
    labels
        Of the states.
    description
        Name, kind and the like, for the provenance.
    labelling
        Configuration of the engine; ``None`` where a potential computes.
    """

    electronics: Electronics
    cold: Callable[..., Electronics]
    molecule: Molecule
    labels: tuple[str, ...]
    description: dict[str, str]
    labelling: Path | None = None


def choose_electronics(
    molecule: Molecule,
    *,
    model: str | None,
    config: str | None,
    where: str,
    keep: KeptSearches | None = None,
) -> ChosenElectronics:
    """Make what the command line names.

    Parameters
    ----------
    molecule
        Of the geometries; an engine is made for it, with the charge of its configuration if that
        has one.
    model
        A model folder, or a name in the zoo.
    config
        YAML file with a section ``engine``, as `namd label` takes it, or a run configuration (file
        or name in the library), whose potential is taken.
    where
        Where the geometries come from, for messages.
    keep
        Keeps what an engine computes; nothing is kept if left out.

    Raises
    ------
    ConfigError
        If not exactly one of the two is given, the configuration is wrong, or what is kept is not
        to be gone on with.
    ModelError
        If the potential is one of another molecule.
    """
    if (model is None) == (config is None):
        raise ConfigError(
            "on which surfaces?",
            where="--model, --config",
            hint="give a model, or a configuration with an engine or a potential; one of them",
        )
    if model is not None:
        _refuse_resume(keep)
        device = choose_device("auto")
        potential = make_potential(PotentialConfig(model=model), base=Path(), device=device)
        return _of_potential(potential, molecule, device=device, where=where)
    path = find_run_config(config or "")
    data = read_yaml(path)
    if "engine" in data:
        labelling = validate(data, LabellingConfig, where=str(path))
        if labelling.charge is not None:
            molecule = replace(molecule, charge=labelling.charge)
        engine = make_engine(labelling.engine, molecule=molecule, base=path.parent)
        info = engine.describe()
        if keep is not None:
            keep.begin(engine, molecule, labelling)

        def cold(*, start: int = 0, again: bool = False) -> Electronics:
            if keep is None:
                return engine_electronics(engine)
            return engine_electronics(keep.chain(engine, start=start, again=again))

        return ChosenElectronics(
            electronics=cold(),
            cold=cold,
            molecule=molecule,
            labels=info.states.labels,
            description={"name": info.name, "level_of_theory": info.level_of_theory},
            labelling=path,
        )
    _refuse_resume(keep)
    run = load_config(path, RunConfig)
    device = choose_device(run.device)
    potential = make_potential(run.potential, base=path.parent, device=device)
    return _of_potential(potential, molecule, device=device, where=where)


def _refuse_resume(keep: KeptSearches | None) -> None:
    if keep is not None and keep.resume:
        raise ConfigError(
            "a potential keeps no labels: it computes them again in seconds",
            where="--resume",
            hint="leave it out; it is for an engine",
        )


def _of_potential(
    potential: Potential, molecule: Molecule, *, device: str, where: str
) -> ChosenElectronics:
    check_molecule(molecule.atomic_numbers, potential.molecule, where=where)
    electronics = potential_electronics(potential, device=device)
    return ChosenElectronics(
        electronics=electronics,
        cold=lambda **_: electronics,
        molecule=molecule,
        labels=potential.states.labels,
        description=potential.describe(),
    )
