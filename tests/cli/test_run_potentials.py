"""``namd run surface-hopping`` on other potentials: ASE, programs behind adapters, committees."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.config.architecture import PerceptronArchitecture
from namd.data.reading import read_dataset
from namd.io.ensemble import read_ensemble
from namd.io.hdf5 import create_hdf5, write_array
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import save_model
from namd.states import StateSpace

SMALL = """
potential: {tully: sac}
initial_conditions: {method: model-particle, position_bohr: -3, momentum_au: 20}
dynamics: {timestep_au: 10, max_steps: 60, stop_outside_bohr: 3.01, decoherence: none}
output: {every_steps: 10, checkpoint_s: 0}
trajectories: 8
seed: 3
"""


def hop(config: Path | str, *options: str) -> int:
    return run(["run", "surface-hopping", str(config), *options])


NITROGEN = """
potential:
  calculator: {callable: "ase.calculators.emt:EMT", geometry: n2.xyz}
initial_conditions:
  {method: wigner, geometry: {file: n2.xyz}, hessian: model, temperature_k: 300, state: 0}
dynamics: {timestep_fs: 0.5, duration_fs: 5}
trajectories: 2
"""


def test_a_calculator_of_ase_moves_the_ground_state(tmp_path: Path) -> None:
    """The example of the help."""
    (tmp_path / "n2.xyz").write_text("2\n\nN 0 0 0\nN 0 0 1.1\n")
    (tmp_path / "n2.yaml").write_text(NITROGEN)
    assert hop(tmp_path / "n2.yaml", "--output", str(tmp_path / "run")) == 0
    ensemble = read_ensemble(tmp_path / "run")
    assert ensemble.states.labels == ("S0",)
    assert (ensemble.final_status == 1).all()
    assert np.abs(ensemble.positions(-1) - ensemble.positions(0)).max() > 0.01
    assert np.abs(ensemble.total_energy - ensemble.total_energy[0]).max() < 1e-4


ADAPTER = """
import torch
from namd.potentials.calculator import CalculatorPotential, StateProperties
from namd.potentials.protocol import Needs
from namd.potentials.tully import tully

def make(number):
    model = tully(number)

    def electronics(positions):
        x, zero = torch.as_tensor(positions)[None], torch.zeros(1, dtype=torch.int64)
        s = model.surfaces(x, zero, needs=Needs.COUPLINGS | Needs.FORCES)
        return StateProperties(
            energies=s.energies[0].numpy(),
            gradients=-s.forces[0].numpy(),
            couplings=s.couplings[0].numpy(),
        )

    return CalculatorPotential(
        molecule=model.molecule, states=model.states, electronics=electronics, name="my program"
    )
"""


def test_an_adapter_of_several_states_makes_the_trajectories_of_the_model_behind_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    (tmp_path / "adapter_of_a_test.py").write_text(ADAPTER)
    vectors = ("--set", "dynamics.electronic=nac-vectors")
    program = "potential={calculator: {callable: 'adapter_of_a_test:make', arguments: {number: 1}}}"
    assert hop(config, "--output", str(tmp_path / "model"), *vectors) == 0
    assert hop(config, "--output", str(tmp_path / "program"), *vectors, "--set", program) == 0
    ours, theirs = (read_ensemble(tmp_path / name) for name in ("program", "model"))
    assert ours.potential["name"] == "my program"
    assert len(ours.hops) > 0
    np.testing.assert_array_equal(ours.hops.time, theirs.hops.time)
    np.testing.assert_allclose(ours.positions(), theirs.positions(), atol=1e-6)
    # It has no quasi-diabatic basis, and the default propagation says so.
    assert hop(config, "--output", str(tmp_path / "other"), "--set", program) == 2
    assert "nac-vectors" in capsys.readouterr().err


COMMITTEE = """
potential: {committee: [first, second]}
initial_conditions: {method: file, path: start.h5, group: null, state: 1}
dynamics: {timestep_fs: 0.1, max_steps: 4, electronic: nac-vectors}
guards: {energy_jump_ev: null, energy_drift_ev: null, bond_stretch: null}
output: {every_steps: 2, checkpoint_s: 0}
trajectories: 3
batch_size: 2
"""


def test_a_committee_of_networks_saves_how_far_its_members_disagree(tmp_path: Path) -> None:
    water = Molecule.from_numbers(np.array([8, 1, 1]))
    for seed, name in enumerate(("first", "second")):
        information = ModelInformation(
            name=name,
            molecule=water,
            states=StateSpace.singlets(2),
            level_of_theory="none",
            architecture=PerceptronArchitecture(hidden=8, layers=1),
            diabats=2,
        )
        model = DiabaticModel(information, seed=seed)
        model.scale.fill_(0.01)
        save_model(model, tmp_path / name)
    positions = np.array([[0, 0, 0], [1.8, 0, 0], [0, 1.8, 0]]) * np.ones((3, 1, 1))
    with create_hdf5(tmp_path / "start.h5") as file:
        write_array(file, "atomic_numbers", water.atomic_numbers, unit="1")
        write_array(file, "positions", positions, unit="bohr")
        write_array(file, "velocities", 0 * positions, unit="bohr*hartree/hbar")
    (tmp_path / "committee.yaml").write_text(COMMITTEE)
    assert hop(tmp_path / "committee.yaml", "--output", str(tmp_path / "run")) == 0
    with h5py.File(tmp_path / "run/ensemble.h5") as file:
        deviation = file["frames/energy_deviation"]
        assert deviation.shape == (3, 3, 2)
        assert deviation.attrs["unit"] == "hartree"
        assert (deviation[()] > 0).all()


ENGINE = """
engine:
  callable: two_parabolas:label
  positions_unit: bohr
  level_of_theory: parabolas
  energies: {key: e, unit: hartree}
  forces: {key: g, unit: hartree/bohr, kind: gradient}
  couplings: {key: h, unit: hartree/bohr, kind: interstate}
"""
PARABOLAS = """
from pathlib import Path
import numpy as np

calls = []

def label(symbols, positions):
    calls.append(positions)
    if len(calls) == 15 and Path(__file__).with_name("stop").exists():
        raise KeyboardInterrupt
    r = np.asarray(positions)[1] - np.asarray(positions)[0]
    e, g = 0.2 * (np.linalg.norm(r) - 1.5) ** 2, 0.4 * (1 - 1.5 / np.linalg.norm(r)) * r
    return {"e": [e, e + 0.1], "g": [[-g, g], [-g, g]], "h": [-0.01 * g, 0.01 * g]}
"""
ON_THE_FLY = """
potential: {engine: {config: engine.yaml, geometry: h2.xyz}}
initial_conditions: {method: file, path: start.xyz, state: 1}
dynamics: {timestep_fs: 0.25, max_steps: 12, electronic: nac-vectors}
output: {every_steps: 1, checkpoint_s: 0}
trajectories: 2
"""


def test_labels_of_a_run_on_an_engine_are_a_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every frame, with the energies of the run, also of one that was stopped and resumed."""
    files = {"engine.yaml": ENGINE, "two_parabolas.py": PARABOLAS, "fly.yaml": ON_THE_FLY}
    files["h2.xyz"] = "2\n\nH 0 0 0\nH 0 0 0.74\n"
    head = "2\nProperties=species:S:1:pos:R:3:momenta:R:3\n"
    files["start.xyz"] = "".join(f"{head}H 0 0 0 0 0 0\nH 0 0 {r} 0 0 0.1\n" for r in (0.7, 0.9))
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "stop").touch()
    asked = (tmp_path / "fly.yaml", "--output", str(tmp_path / "run"))
    assert hop(*asked) == 130
    assert 12 <= len(list((tmp_path / "run/labels").glob("*.npz"))) <= 14
    assert hop(*asked, "--resume") == 0
    assert "labels.h5: 26 frames" in capsys.readouterr().err.replace("\n", " ")
    ensemble, labels = read_ensemble(tmp_path / "run"), read_dataset(tmp_path / "run/labels.h5")
    assert not (tmp_path / "run/labels").exists()
    assert labels.level_of_theory == "parabolas"
    for trajectory in range(2):
        rows = labels["group"] == f"run-{trajectory:05d}"
        saved = np.stack([ensemble.positions(frame)[trajectory] for frame in range(13)])
        np.testing.assert_allclose(labels["positions"][rows], saved, atol=1e-6)
        np.testing.assert_array_equal(labels["energies"][rows], ensemble.energies[:, trajectory])
