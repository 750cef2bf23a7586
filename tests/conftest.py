"""Fixtures shared by all tests."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import settings
from scipy import constants

from namd.nn.parallel import use_threads

# How long an example takes says nothing about the code: the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

FS = 1e15 * constants.physical_constants["atomic unit of time"][0]


@pytest.fixture(autouse=True, scope="session")
def one_thread_in_an_operation() -> None:
    """As the command line has it: on a busy machine a second thread in each loop only waits."""
    use_threads()


def _write_ensemble(
    path: Path,
    *,
    active_state: Any,
    status: Any = None,
    amplitudes: Any = None,
    positions: Any = None,
    hops: Sequence[tuple[int, float, int, int, bool]] = (),
    hop_positions: Any = None,
    reason: Any = None,
    final_step: Any = None,
    frame_fs: float = 10.0,
    steps_per_frame: int = 20,
    config: dict[str, Any] | None = None,
    **attributes: Any,
) -> Path:
    """Write a namd-ensemble file as ARCHITECTURE.md lays it out, with h5py alone.

    ``active_state`` and ``status`` are [frame, traj]; ``hops`` are (trajectory, time in fs, from,
    to, accepted). What is left out is filled with the plainest values.
    """
    active = np.asarray(active_state, dtype=int)
    n_frames, n = active.shape
    states = max(2, int(active.max()) + 1)
    status = np.zeros_like(active) if status is None else np.asarray(status)
    if amplitudes is None:
        amplitudes = np.eye(states)[active]
    if positions is None:
        positions = np.zeros((n_frames, n, 1, 3))
    positions = np.asarray(positions)
    atoms = positions.shape[2]
    last_step = (n_frames - 1) * steps_per_frame
    energies = np.broadcast_to(0.1 * np.arange(states), (n_frames, n, states))
    with h5py.File(path, "w") as file:
        file.attrs.update(
            {
                "format": "namd-ensemble",
                "format_version": 1,
                "config": json.dumps(config or {}),
                "states": " ".join(f"S{k}" for k in range(states)),
                "seed": 1,
                "versions": "{}",
                "hardware": "{}",
                "potential": json.dumps({"name": "synthetic"}),
                "decoherence": "none",
                "timestep": frame_fs / steps_per_frame / FS,
                **attributes,
            }
        )

        def put(name: str, values: Any, dtype: str, unit: str = "1") -> None:
            file.create_dataset(name, data=np.asarray(values), dtype=dtype).attrs["unit"] = unit

        put("atomic_numbers", np.zeros(1) if atoms == 1 else np.full(atoms, 6), "i8")
        put("masses", np.full(atoms, 2000.0), "f8", "electron_mass")
        put("trajectory_id", np.arange(n), "i8")
        put("frames/step", steps_per_frame * np.arange(n_frames), "i8")
        put("frames/time", frame_fs / FS * np.arange(n_frames), "f8", "hbar/hartree")
        put("frames/positions", positions, "f4", "bohr")
        put("frames/velocities", np.zeros_like(positions), "f4", "bohr*hartree/hbar")
        put("frames/energies", energies, "f8", "hartree")
        put("frames/amplitudes", np.asarray(amplitudes, dtype=complex), "c8")
        put("frames/active_state", active, "i1")
        put("frames/status", status, "i1")
        put("frames/kinetic_energy", np.ones((n_frames, n)), "f8", "hartree")
        put("frames/total_energy", np.ones((n_frames, n)), "f8", "hartree")
        columns = list(zip(*hops, strict=True)) or [[]] * 5
        for name, column in zip(
            ("trajectory", "time", "from_state", "to_state", "accepted"), columns, strict=True
        ):
            if name == "time":
                put("hops/time", np.asarray(column, dtype=float) / FS, "f8", "hbar/hartree")
            else:
                put(f"hops/{name}", column, "i8")
        put("hops/step", np.zeros(len(hops)), "i8")
        put("hops/gap", np.full(len(hops), 0.01), "f8", "hartree")
        put("hops/kinetic_energy", np.full(len(hops), 0.1), "f8", "hartree")
        if hop_positions is None:
            hop_positions = np.zeros((len(hops), atoms, 3))
        put("hops/positions", hop_positions, "f4", "bohr")
        final = status[-1] if n_frames else np.zeros(n)
        put("final/status", final, "i1")
        put("final/reason", np.where(final == 2, 1, 0) if reason is None else reason, "i1")
        put("final/step", np.full(n, last_step) if final_step is None else final_step, "i8")
    return path


def _make_labelled(
    frames: int = 48,
    *,
    states: int = 2,
    seed: int = 0,
    coupling: bool = True,
    flips: bool = True,
    basis: bool = False,
    arrays: dict[str, Any] | None = None,
    **changes: Any,
) -> Any:
    """CH2NH2+ with labels a network can learn to the last digit, in NumPy alone.

    W_kl = a_kl + Σ_p b_kl,p x_p + δ_kl Σ_p x_p² / 50 with x_p = r_p − r_p(R0) of all atom pairs; E,
    F and d follow from W and ∇W. ``flips`` gives every state of every frame a random sign;
    ``basis`` adds W, its diabats with random signs, and dipoles of μ_kl = Σ_p m_kl,p (r_i − r_j).
    ``arrays`` replaces or (None) removes arrays, ``changes`` other fields of the dataset.
    """
    from namd.data.dataset import Dataset
    from namd.molecule import Molecule
    from namd.states import StateSpace

    minimum = np.array(
        [[0, 0, 0], [0, 0, 2.4], [1.7, 0, -1.1], [-1.7, 0, -1.1], [1.6, 0, 3.4], [-1.6, 0, 3.4]]
    )
    one, two = np.triu_indices(6, k=1)
    model = np.random.default_rng(99)  # the molecule is always the same one
    a = np.diag(np.arange(states) * 0.06) + 0.01 * np.eye(states)[::-1]
    b = 0.04 * model.standard_normal((states, states, 15))
    a, b = (a + a.T) / 2, (b + b.swapaxes(0, 1)) / 2

    rng = np.random.default_rng(seed)
    positions = minimum + 0.12 * rng.standard_normal((frames, 6, 3))
    vectors = positions[:, one] - positions[:, two]
    r = np.linalg.norm(vectors, axis=-1)
    x = r - np.linalg.norm(minimum[one] - minimum[two], axis=-1)
    slope_r = np.zeros((frames, 15, 6, 3))
    pair = np.arange(15)
    slope_r[:, pair, one], slope_r[:, pair, two] = (vectors / r[..., None] * s for s in (1, -1))
    unit = np.eye(states)
    w = a + np.einsum("klp,fp->fkl", b, x) + unit * (x**2).sum(1)[:, None, None] / 50
    slope_x = b + unit[..., None] * x[:, None, None] / 25
    gradient = np.einsum("fklp,fpax->fklax", slope_x, slope_r)
    energies, u = np.linalg.eigh(w)
    if flips:
        u = u * rng.choice([-1.0, 1.0], (frames, 1, states))
    rotated = np.einsum("fki,fklax,flj->fijax", u, gradient, u)
    i, j = np.triu_indices(states, k=1)
    gaps = energies[:, j] - energies[:, i]
    own = np.arange(states)
    table: dict[str, Any] = {
        "positions": positions,
        "energies": energies - 94.0,
        "forces": -rotated[:, own, own],
        "nonadiabatic_coupling": rotated[:, i, j] / gaps[..., None, None],
        "group": np.array([f"walk-{k % 8}" for k in range(frames)]),
        "source": np.full(frames, "synthetic"),
    }
    if not coupling or states == 1:
        del table["nonadiabatic_coupling"]
    if basis:
        m = model.standard_normal((states, states, 15))
        dipoles = np.einsum("klp,fpx->fklx", m + m.swapaxes(0, 1), vectors) / 10
        adiabatic = np.einsum("fki,fklx,flj->fijx", u, dipoles, u)
        turns = rng.choice([-1.0, 1.0], (frames, states))
        table["transition_dipoles"] = adiabatic[:, i, j]
        shifted = w - 94.0 * unit
        table["diabatic_hamiltonian"] = shifted * turns[:, :, None] * turns[:, None, :]
    table |= arrays or {}
    fields = {
        "molecule": Molecule.from_numbers(np.array([6, 7, 1, 1, 1, 1]), charge=1),
        "states": StateSpace.singlets(states),
        "level_of_theory": "springs between atoms",
        "arrays": {name: values for name, values in table.items() if values is not None},
    }
    return Dataset(**(fields | changes))


@pytest.fixture(scope="session")
def make_labelled() -> Callable[..., Any]:
    """Factory of small synthetic datasets, consistent in energies, forces and couplings."""
    return _make_labelled


@pytest.fixture
def write_ensemble() -> Callable[..., Path]:
    """Writer of small ensemble files of any content, independent of the package's own writer."""
    return _write_ensemble
