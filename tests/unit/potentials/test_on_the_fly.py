"""A reference engine as a potential: whose guess a step takes, and what a failure becomes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from namd.config.labelling import LabellingConfig
from namd.config.potential import PotentialConfig
from namd.errors import ConfigError, DataError, EngineError
from namd.molecule import Molecule
from namd.potentials.calculator import CalculatorPotential
from namd.potentials.from_config import make_potential
from namd.potentials.on_the_fly import engine_potential
from namd.potentials.protocol import Needs
from namd.qm.kept_labels import KeptLabels
from namd.qm.protocol import Answer, EngineInfo, Guess, Label
from namd.states import StateSpace

HYDROGEN = Molecule.from_numbers(np.array([1, 1]))
LABELLING = LabellingConfig.model_validate(
    {
        "engine": {"name": "pyscf", "basis": "sto-3g"},
        "level_of_theory": "in words",
        "licence": "CC0",
    }
)


class Springs:
    """Two parabolas in the bond length; a guess is the length it was made at."""

    def __init__(self, provides: tuple[str, ...] = ("interstate_coupling",)) -> None:
        self.provides = provides
        self.calls: list[tuple[float, Guess | None]] = []

    def describe(self) -> EngineInfo:
        return EngineInfo(
            name="springs",
            level_of_theory="two parabolas",
            states=StateSpace.singlets(2),
            provides=self.provides,
        )

    def label(self, positions: np.ndarray, *, guess: Guess | None = None) -> Answer:
        vector = positions[1] - positions[0]
        length = float(np.linalg.norm(vector))
        self.calls.append((length, guess))
        if length > 3.0:
            raise EngineError("too long")
        slope = np.stack((-vector, vector)) / length
        return Answer(
            label=Label(
                energies=np.array([length**2, length**2 + 1.0]),
                forces=np.array([-2 * length * slope, -2 * length * slope]),
                interstate_coupling=0.1 * slope[None],
            ),
            guess=length,
        )


def geometries(*lengths: float) -> torch.Tensor:
    found = torch.zeros(len(lengths), 2, 3, dtype=torch.float64)
    found[:, 1, 2] = torch.tensor(lengths, dtype=torch.float64)
    return found


def ids(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


def test_each_trajectory_goes_on_from_its_own_last_step() -> None:
    """Whoever is nearer, and in whatever order and number a batch has them."""
    engine = Springs()
    potential = engine_potential(engine, HYDROGEN)
    states = torch.tensor([0, 1])
    potential.of(ids(3, 7)).surfaces(geometries(1.0, 2.0), states)
    potential.of(ids(3, 7)).surfaces(geometries(1.1, 2.1), states)
    potential.of(ids(7, 3)).surfaces(geometries(1.2, 2.2), states)
    potential.of(ids(3)).surfaces(geometries(1.2), states[:1])  # where the other one has been
    cold = [(1.0, None), (2.0, None)]
    assert engine.calls == [*cold, (1.1, 1.0), (2.1, 2.0), (1.2, 2.1), (2.2, 1.1), (1.2, 2.2)]


def test_trajectories_of_one_start_compute_it_once() -> None:
    engine = Springs()
    potential = engine_potential(engine, HYDROGEN)
    potential.of(ids(0, 1, 2)).surfaces(geometries(1.0, 1.0, 1.0), torch.zeros(3).long())
    potential.of(ids(0, 1, 2)).surfaces(geometries(1.3, 1.2, 1.1), torch.zeros(3).long())
    assert engine.calls == [(1.0, None), (1.3, 1.0), (1.2, 1.0), (1.1, 1.0)]


def test_nothing_is_forgotten_however_long_a_trajectory_waits() -> None:
    engine = Springs()
    potential = engine_potential(engine, HYDROGEN)
    potential.of(ids(0)).surfaces(geometries(1.0), torch.tensor([0]))
    for k in range(600):
        potential.of(ids(1)).surfaces(geometries(1.5 + 0.001 * k), torch.tensor([0]))
    potential.of(ids(0)).surfaces(geometries(1.1), torch.tensor([0]))
    assert engine.calls[-1] == (1.1, 1.0)
    assert len(potential.remembered()) == 2


def test_what_is_remembered_goes_on_in_another_process() -> None:
    """Guess, and the numbers of the last geometry: a hop there computes nothing again."""
    before, after = Springs(), Springs()
    first = engine_potential(before, HYDROGEN)
    first.of(ids(4)).surfaces(geometries(1.0), torch.tensor([0]))
    found = first.of(ids(4)).surfaces(geometries(1.1), torch.tensor([0]), needs=Needs.FORCES)
    second = engine_potential(after, HYDROGEN)
    second.recall(first.remembered())
    assert second.force(geometries(1.1), torch.tensor([0])).equal(found.force)
    assert after.calls == []
    second.of(ids(4)).surfaces(geometries(1.2), torch.tensor([0]))
    assert after.calls == [(1.2, 1.1)]


def test_after_a_failure_the_guess_before_it_is_kept() -> None:
    engine = Springs()
    potential = engine_potential(engine, HYDROGEN).of(ids(0))
    for length in (2.9, 3.1, 2.95):
        potential.surfaces(geometries(length), torch.tensor([0]))
    assert engine.calls[-1] == (2.95, 2.9)


def test_the_digest_tells_engines_apart() -> None:
    one, other = (engine_potential(Springs(), HYDROGEN, settings=s) for s in ("a", "b"))
    assert one.describe()["digest"] != other.describe()["digest"]


def test_a_hop_computes_nothing_again() -> None:
    engine = Springs()
    potential = engine_potential(engine, HYDROGEN)
    places, zero, one = geometries(1.5), torch.tensor([0]), torch.tensor([1])
    found = potential.surfaces(places, zero, needs=Needs.COUPLINGS)
    assert found.energies[0].tolist() == [2.25, 3.25]
    coupling = potential.coupling(places, zero, one)
    assert coupling[0, :, 2].tolist() == [-0.1, 0.1]
    assert potential.force(places, one)[0, :, 2].tolist() == [3.0, -3.0]
    assert len(engine.calls) == 1


def test_what_cannot_be_labelled_is_no_number_and_the_rest_is_untouched() -> None:
    potential = engine_potential(Springs(), HYDROGEN)
    found = potential.surfaces(
        geometries(1.0, 3.5), torch.tensor([0, 0]), needs=Needs.COUPLINGS | Needs.FORCES
    )
    assert found.energies.isfinite().all(1).tolist() == [True, False]
    assert found.forces is not None
    assert found.forces.isnan().flatten(1).all(1).tolist() == [False, True]


def test_couplings_are_needed() -> None:
    with pytest.raises(ConfigError, match="no couplings"):
        engine_potential(Springs(provides=()), HYDROGEN)


def test_a_configuration_names_engine_and_atoms(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(
        "def label(symbols, positions):\n"
        "    r = positions[1][2] - positions[0][2]\n"
        "    g = [[0, 0, -2 * r], [0, 0, 2 * r]]\n"
        "    return {'e': [r * r, r * r + 1], 'g': [g, g], 'h': [[0, 0, -1], [0, 0, 1]]}\n"
    )
    (tmp_path / "engine.yaml").write_text(
        "engine:\n"
        "  callable: two:label\n"
        "  positions_unit: bohr\n"
        "  level_of_theory: parabolas\n"
        "  energies: {key: e, unit: hartree}\n"
        "  forces: {key: g, unit: hartree/bohr, kind: gradient}\n"
        "  couplings: {key: h, unit: hartree/bohr, kind: interstate}\n"
        "charge: 1\n"
    )
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.7\n")
    section = {"engine": {"config": "engine.yaml", "geometry": "h2.xyz"}}
    config = PotentialConfig.model_validate(section)
    potential = make_potential(config, base=tmp_path, device="cpu")
    assert isinstance(potential, CalculatorPotential)
    assert (potential.name, potential.molecule.charge) == ("parabolas", 1)
    found = potential.surfaces(geometries(1.5), torch.tensor([1]))
    assert found.energies[0].tolist() == [2.25, 3.25]
    assert found.force[0, :, 2].tolist() == [3.0, -3.0]


def test_labels_of_trajectories_are_kept(tmp_path: Path) -> None:
    """Each once, by trajectory and order; but not failures, nor what no trajectory needed."""
    kept = KeptLabels(tmp_path / "labels")
    engine = Springs()
    kept.begin(engine.describe(), HYDROGEN, LABELLING)
    assert kept.join(run="run") is None
    potential = engine_potential(engine, HYDROGEN, kept=kept)
    zero = torch.zeros(2).long()
    potential.surfaces(geometries(0.5), zero[:1])  # nobody's
    potential.of(ids(12, 3)).surfaces(geometries(1.0, 1.0), zero)  # of one start
    potential.of(ids(12, 3)).surfaces(geometries(1.2, 2.9), zero)
    potential.of(ids(12)).force(geometries(1.2), zero[:1] + 1)  # a hop
    again = engine_potential(engine, HYDROGEN, kept=kept)
    again.recall(potential.remembered())  # in another process
    again.of(ids(12, 3)).surfaces(geometries(1.3, 3.1), zero)
    again.of(ids(12, 3)).surfaces(geometries(1.4, 2.8), zero)
    found = kept.join(run="run")
    assert found is not None
    lengths = found["positions"][:, 1, 2].tolist()
    assert lengths == [1.0, 2.9, 2.8, 1.0, 1.2, 1.3, 1.4]
    assert found["group"].tolist() == 3 * ["run-00003"] + 4 * ["run-00012"]
    assert found["energies"][:, 0] == pytest.approx(np.square(lengths))
    assert found["interstate_coupling"].shape == (7, 1, 2, 3)
    assert (found.level_of_theory, found.licence) == ("in words", "CC0")


def test_a_step_that_is_repeated_after_a_kill_keeps_its_label_once(tmp_path: Path) -> None:
    kept = KeptLabels(tmp_path / "labels")
    kept.begin(Springs().describe(), HYDROGEN, LABELLING)
    first = engine_potential(Springs(), HYDROGEN, kept=kept)
    first.of(ids(0)).surfaces(geometries(1.0), torch.tensor([0]))
    checkpoint = first.remembered()
    first.of(ids(0)).surfaces(geometries(1.1), torch.tensor([0]))
    second = engine_potential(Springs(), HYDROGEN, kept=kept)
    second.recall(checkpoint)
    for length in (1.1, 1.2):
        second.of(ids(0)).surfaces(geometries(length), torch.tensor([0]))
    found = kept.join(run="run")
    assert found is not None
    assert found["positions"][:, 1, 2].tolist() == [1.0, 1.1, 1.2]
    (tmp_path / "labels" / "00000-000001.npz").write_bytes(b"half of")
    with pytest.raises(DataError, match="damaged"):
        kept.join(run="run")
