"""Fixtures shared by all tests."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy import constants

FS = 1e15 * constants.physical_constants["atomic unit of time"][0]


def _write_ensemble(
    path: Path,
    *,
    active_state: Any,
    status: Any = None,
    amplitudes: Any = None,
    positions: Any = None,
    hops: Sequence[tuple[int, float, int, int, bool]] = (),
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
        put("hops/positions", np.zeros((len(hops), atoms, 3)), "f4", "bohr")
        final = status[-1] if n_frames else np.zeros(n)
        put("final/status", final, "i1")
        put("final/reason", np.where(final == 2, 1, 0) if reason is None else reason, "i1")
        put("final/step", np.full(n, last_step) if final_step is None else final_step, "i8")
    return path


@pytest.fixture
def write_ensemble() -> Callable[..., Path]:
    """Writer of small ensemble files of any content, independent of the package's own writer."""
    return _write_ensemble
