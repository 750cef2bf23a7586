"""Initial conditions from configuration: each method, and each way in which it can be wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase
import ase.io
import h5py
import numpy as np
import pytest
import torch
from ase import units as ase_units
from pydantic import TypeAdapter

from namd.config.initial_conditions import InitialConditionsConfig
from namd.errors import ConfigError, DataError, ModelError, PhysicsError
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.tully import tully
from namd.sampling.conditions import InitialConditions
from namd.sampling.initial_conditions import make_initial_conditions
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR, FS_PER_ATOMIC_TIME

MINIMUM = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.2], [1.8, 0.0, -0.9]])
WATERLIKE = Molecule.from_numbers(np.array([8, 1, 1]))
CONSTANT = 0.3


def bonds_potential() -> DiabaticPotential:
    """Two uncoupled states, each with springs between all pairs of atoms."""
    first, second = torch.triu_indices(3, 3, offset=1)
    rest = torch.as_tensor(MINIMUM)
    lengths = (rest[first] - rest[second]).norm(dim=-1)

    def energy(positions: torch.Tensor) -> torch.Tensor:
        distance = (positions[:, first] - positions[:, second]).norm(dim=-1)
        return 0.5 * CONSTANT * (distance - lengths).square().sum(-1)

    def hamiltonian(positions: torch.Tensor) -> torch.Tensor:
        return energy(positions)[:, None, None] * torch.eye(2) + torch.diag(
            torch.tensor([0.0, 0.1], dtype=torch.float64)
        )

    def gradient(positions: torch.Tensor) -> torch.Tensor:
        moved = positions.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(moved).sum(), moved)
        return slope[:, None, None] * torch.eye(2)[:, :, None, None]

    return DiabaticPotential(
        molecule=WATERLIKE,
        states=StateSpace.singlets(2),
        hamiltonian=hamiltonian,
        gradient=gradient,
        name="springs",
    )


def springs_hessian(positions: np.ndarray) -> np.ndarray:
    """Second derivatives of the springs at their rest lengths."""
    exact = np.zeros((9, 9))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        unit = (positions[i] - positions[j]) / np.linalg.norm(positions[i] - positions[j])
        row = np.zeros((3, 3))
        row[i], row[j] = unit, -unit
        exact += CONSTANT * np.outer(row, row)
    return exact


def made(
    folder: Path, potential: Any = None, *, trajectories: int = 3, **section: Any
) -> InitialConditions:
    config = TypeAdapter(InitialConditionsConfig).validate_python(section)
    return make_initial_conditions(
        config,
        potential or bonds_potential(),
        trajectories=trajectories,
        seed=11,
        base=folder,
        cache=folder / "hessian.h5",
    )


def write_geometry(path: Path, **datasets: np.ndarray) -> None:
    content = {"atomic_numbers": WATERLIKE.atomic_numbers, "positions": MINIMUM, **datasets}
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[f"water/{name}"] = values


def wigner(**changes: Any) -> dict[str, Any]:
    return {
        "method": "wigner",
        "geometry": {"file": "minimum.h5", "name": "water"},
        "state": 1,
        **changes,
    }


def test_model_hessian_relaxes_and_reproduces_the_springs(tmp_path: Path) -> None:
    distorted = MINIMUM + 0.1 * np.random.default_rng(0).normal(size=(3, 3))
    write_geometry(tmp_path / "minimum.h5", positions=distorted)
    conditions = made(tmp_path, **wigner(hessian="model"))
    assert conditions.reference is not None
    found = np.linalg.norm(
        conditions.reference[[0, 0, 1]] - conditions.reference[[1, 2, 2]], axis=1
    )
    expected = np.linalg.norm(MINIMUM[[0, 0, 1]] - MINIMUM[[1, 2, 2]], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with h5py.File(tmp_path / "hessian.h5") as file:
        hessian, positions = file["hessian"][()], file["positions"][()]
    np.testing.assert_allclose(hessian, springs_hessian(positions), atol=2e-4)
    # The second time the cache is read: same bits, although the guess is gone.
    np.testing.assert_array_equal(
        made(tmp_path, **wigner(hessian="model")).positions, conditions.positions
    )
    assert conditions.active_state.tolist() == [1, 1, 1]
    assert "3 modes" in conditions.notes[0]


def test_given_hessian_is_needed_and_used(tmp_path: Path) -> None:
    write_geometry(tmp_path / "minimum.h5")
    with pytest.raises(DataError, match="no Hessian"):
        made(tmp_path, **wigner())
    write_geometry(tmp_path / "minimum.h5", hessian=-springs_hessian(MINIMUM))
    with pytest.raises(PhysicsError, match="imaginary"):
        made(tmp_path, **wigner())
    write_geometry(tmp_path / "minimum.h5", hessian=springs_hessian(MINIMUM))
    assert "3 modes" in made(tmp_path, **wigner()).notes[0]


def test_a_hessian_of_another_orientation_order_or_unit_is_refused(tmp_path: Path) -> None:
    turned = MINIMUM[:, [1, 2, 0]]
    for other in (turned, MINIMUM[[1, 0, 2]]):
        write_geometry(tmp_path / "minimum.h5", hessian=springs_hessian(other))
        with pytest.raises(DataError, match="turning the whole molecule costs energy") as caught:
            made(tmp_path, **wigner())
        assert str(caught.value.where).endswith("water  hessian")
    in_ev_per_square_angstrom = 97.17 * springs_hessian(MINIMUM)
    write_geometry(tmp_path / "minimum.h5", hessian=in_ev_per_square_angstrom)
    with pytest.raises(DataError, match="no molecule vibrates at"):
        made(tmp_path, **wigner())


def test_other_molecules_and_states_are_refused(tmp_path: Path) -> None:
    write_geometry(tmp_path / "minimum.h5", atomic_numbers=np.array([8, 1, 6]))
    with pytest.raises(ModelError, match="atom 2 is C, the model expects H"):
        made(tmp_path, **wigner())
    write_geometry(tmp_path / "minimum.h5", atomic_numbers=np.array([8, 1]), positions=MINIMUM[:2])
    with pytest.raises(ModelError, match="2 atoms, the model was made for 3"):
        made(tmp_path, **wigner())
    with pytest.raises(ModelError, match="has the states S0, S1"):
        made(tmp_path, **wigner(state=2))


def test_two_atoms_on_top_of_each_other_are_named(tmp_path: Path) -> None:
    close = MINIMUM.copy()
    close[2] = close[1] + 0.1
    write_geometry(tmp_path / "minimum.h5", positions=close)
    with pytest.raises(DataError, match=r"atoms 1 \(H\) and 2 \(H\) are 0\.092 Å apart"):
        made(tmp_path, **wigner())


def test_a_geometry_that_is_not_finite_or_in_the_wrong_unit_is_refused(tmp_path: Path) -> None:
    lost = MINIMUM.copy()
    lost[1, 2] = np.nan
    write_geometry(tmp_path / "minimum.h5", positions=lost)
    with pytest.raises(DataError, match=r"position of atom 1 \(H\) is not finite"):
        made(tmp_path, **wigner())
    write_geometry(tmp_path / "minimum.h5", positions=MINIMUM / ANGSTROM_PER_BOHR)
    with pytest.raises(DataError, match="times their usual length"):
        made(tmp_path, **wigner())


@pytest.mark.parametrize(
    "changes",
    [{"positions": MINIMUM[None]}, {"positions": MINIMUM[:2]}, {"atomic_numbers": np.array([[8]])}],
)
def test_a_misshapen_geometry_is_refused(tmp_path: Path, changes: dict[str, np.ndarray]) -> None:
    write_geometry(tmp_path / "minimum.h5", **changes)
    with pytest.raises(DataError, match=r"expected \[atom\] and \[atom, 3\]") as caught:
        made(tmp_path, **wigner())
    assert caught.value.where == f"{tmp_path / 'minimum.h5'}, water"


def test_a_hessian_that_does_not_fit_is_told_with_its_file(tmp_path: Path) -> None:
    write_geometry(tmp_path / "minimum.h5", hessian=np.eye(6))
    with pytest.raises(DataError, match="expected 9 × 9") as caught:
        made(tmp_path, **wigner())
    assert caught.value.where == f"{tmp_path / 'minimum.h5'}, water  hessian"


def test_a_sample_too_hot_to_be_harmonic_is_told(tmp_path: Path) -> None:
    write_geometry(tmp_path / "minimum.h5")
    with pytest.raises(DataError, match="on top of each other") as caught:
        made(tmp_path, trajectories=50, **wigner(hessian="model", temperature_k=1e5))
    assert str(caught.value.where).startswith("Wigner sample, trajectory ")
    assert "temperature" in (caught.value.hint or "")


def test_missing_files_and_groups_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        made(tmp_path, **wigner())
    write_geometry(tmp_path / "minimum.h5")
    with pytest.raises(DataError, match="no group 'ice'"):
        made(tmp_path, **wigner(geometry={"file": "minimum.h5", "name": "ice"}))
    (tmp_path / "bad.xyz").write_text("this is no geometry\n")
    with pytest.raises(DataError, match="ASE cannot read"):
        made(tmp_path, **wigner(geometry={"file": "bad.xyz"}))


def particle(**changes: Any) -> dict[str, Any]:
    return {"method": "model-particle", "position_bohr": -7.0, "momentum_au": 20.0, **changes}


def test_model_particle_is_monoenergetic_or_a_minimum_uncertainty_packet(tmp_path: Path) -> None:
    sharp = made(tmp_path, tully(1), **particle())
    np.testing.assert_array_equal(sharp.positions[:, 0], [[-7.0, 0, 0]] * 3)
    np.testing.assert_allclose(sharp.velocities[:, 0, 0], 0.01, rtol=1e-14)
    packet = made(tmp_path, tully(1), trajectories=20000, **particle(position_width_bohr=0.7))
    x, p = packet.positions[:, 0, 0], packet.velocities[:, 0, 0] * 2000
    np.testing.assert_allclose([x.std(), p.std()], [0.7, 1 / 1.4], rtol=0.02)
    np.testing.assert_allclose([x.mean(), p.mean()], [-7.0, 20.0], atol=0.02)
    assert packet.reference is None
    with pytest.raises(ConfigError, match="not of a model particle"):
        made(tmp_path, **particle())


def test_given_points_come_from_hdf5_and_from_extended_xyz(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    positions = MINIMUM + 0.05 * rng.normal(size=(4, 3, 3))
    velocities = 1e-3 * rng.normal(size=(4, 3, 3))
    with h5py.File(tmp_path / "points.h5", "w") as file:
        file["atomic_numbers"] = WATERLIKE.atomic_numbers
        file["initial/positions"], file["initial/velocities"] = positions, velocities
        file["positions"], file["velocities"] = positions[::-1], velocities
    given = made(tmp_path, method="file", path="points.h5", state=0)
    np.testing.assert_array_equal(given.positions, positions[:3])
    np.testing.assert_array_equal(given.velocities, velocities[:3])
    root = made(tmp_path, method="file", path="points.h5", group="/", state=0)
    np.testing.assert_array_equal(root.positions, positions[:0:-1])

    frames = []
    for geometry, speed in zip(positions, velocities, strict=True):
        atoms = ase.Atoms(numbers=[8, 1, 1], positions=geometry * ANGSTROM_PER_BOHR)
        per_fs = speed * ANGSTROM_PER_BOHR / FS_PER_ATOMIC_TIME
        atoms.set_velocities(per_fs / ase_units.fs)
        frames.append(atoms)
    ase.io.write(tmp_path / "points.xyz", frames, format="extxyz")
    read = made(tmp_path, method="file", path="points.xyz", state=0)
    np.testing.assert_allclose(read.positions, positions[:3], atol=1e-7)
    np.testing.assert_allclose(read.velocities, velocities[:3], atol=1e-8)

    with pytest.raises(DataError, match="holds 4 initial conditions, the run asks for 5"):
        made(tmp_path, trajectories=5, method="file", path="points.h5", state=0)
    ase.io.write(tmp_path / "still.xyz", replace_velocities(frames), format="extxyz")
    with pytest.raises(DataError, match="expected frames with velocities"):
        made(tmp_path, method="file", path="still.xyz", state=0)


def test_bonds_that_some_geometries_lack_are_not_watched(tmp_path: Path) -> None:
    """A hydrogen that has left one molecule of a file does not park the others, nor itself."""
    whole, apart, none = MINIMUM.copy(), MINIMUM.copy(), MINIMUM.copy()
    apart[1] += 3.0 * (MINIMUM[1] - MINIMUM[0])
    none[2] += 3.0 * (MINIMUM[2] - MINIMUM[0])
    for rows, watched in (([whole, whole, apart], apart), ([whole, apart, none], None)):
        with h5py.File(tmp_path / "points.h5", "w") as file:
            file["atomic_numbers"] = WATERLIKE.atomic_numbers
            file["initial/positions"] = np.array(rows)
            file["initial/velocities"] = np.zeros((3, 3, 3))
        given = made(tmp_path, method="file", path="points.h5", state=0)
        if watched is None:
            assert given.reference is None
            assert "bonds differ" in given.notes[1]
        else:
            np.testing.assert_array_equal(given.reference, watched)


def replace_velocities(frames: list[ase.Atoms]) -> list[ase.Atoms]:
    return [ase.Atoms(numbers=a.numbers, positions=a.positions) for a in frames]


def test_nan_in_given_points_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "points.h5", "w") as file:
        file["atomic_numbers"] = WATERLIKE.atomic_numbers
        file["initial/positions"] = np.full((3, 3, 3), np.nan)
        file["initial/velocities"] = np.zeros((3, 3, 3))
    with pytest.raises(DataError, match="positions are not all finite numbers: atom 0") as caught:
        made(tmp_path, method="file", path="points.h5", state=0)
    assert caught.value.where == f"{tmp_path / 'points.h5'}, trajectory 0"


def test_a_potential_without_minimum_does_not_relax(tmp_path: Path) -> None:
    write_geometry(tmp_path / "minimum.h5")
    pull = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.2], [0.0, 0.0, 0.0]], dtype=torch.float64)
    springs = bonds_potential()
    endless = replace(
        springs,
        hamiltonian=lambda r: (
            (-(pull * r).sum((1, 2)))[:, None, None] * torch.eye(2)
            + torch.diag(torch.tensor([0.0, 0.1], dtype=torch.float64))
        ),
        gradient=lambda r: (-pull).expand(len(r), 1, 1, 3, 3) * torch.eye(2)[:, :, None, None],
    )
    with pytest.raises(PhysicsError, match="the same at two geometries") as caught:
        made(tmp_path, endless, **wigner(hessian="model"))
    assert caught.value.where == "minimum of S0"
    assert not (tmp_path / "hessian.h5").exists()


def test_oscillators_of_a_model_are_drawn_from_their_wigner_distribution(tmp_path: Path) -> None:
    """x of the coupling mode is dimensionless: variance one half; its velocity ω²/2."""
    from namd.potentials.photoisomerization import photoisomerization

    potential = photoisomerization()
    conditions = made(tmp_path, potential, trajectories=4000, method="oscillators", state=1)
    omega = 1.0 / potential.molecule.masses[1]
    q, v = conditions.positions[:, 1, 0], conditions.velocities[:, 1, 0]
    assert abs(q.var() - 0.5) < 4 * 0.5 * np.sqrt(2 / 4000)
    assert abs(v.var() / omega**2 - 0.5) < 4 * 0.5 * np.sqrt(2 / 4000)
    assert (conditions.positions[:, :, 1:] == 0).all()
    assert (conditions.active_state == 1).all()
    assert "2 oscillators" in conditions.notes[0]


def test_oscillators_are_not_to_be_had_of_every_potential(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not built on harmonic oscillators"):
        made(tmp_path, tully(1), method="oscillators", state=0)
