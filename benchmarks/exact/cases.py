"""The models whose populations are compared, with their exact answers.

Every case is a run configuration of ``trajectories/``, a time grid, and a function that gives the
exact diabatic populations on it. The Hamiltonian of the Morse curves is that of the potential under
test; those of pyrazine and of the spin-boson model are written down here a second time, from the
papers, so that a mistake in either shows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float

from exact import hierarchy, split_operator, vibronic
from namd.potentials.morse import MASS, morse
from namd.units import (
    EV_PER_HARTREE,
    FS_PER_ATOMIC_TIME,
    HARTREE_PER_INVERSE_CM,
    HARTREE_PER_KELVIN,
)

Times = Float[np.ndarray, " frame"]
Populations = Float[np.ndarray, "frame diabat"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model.

    Parameters
    ----------
    title
        For figures.
    exact
        Times in fs, ascending from 0 in equal steps → diabatic populations.
    how
        What ``exact`` does, in words, with how well it is converged.
    frame_fs, frames
        Time between compared times, and how many of them follow t = 0.
    timestep_fs
        Of the trajectories.
    """

    title: str
    exact: Callable[[Times], Populations]
    how: str
    frame_fs: float
    frames: int
    timestep_fs: float

    @property
    def times_fs(self) -> Times:
        """The compared times, from 0."""
        return self.frame_fs * np.arange(self.frames + 1)


def morse_populations(
    times_fs: Times, *, model: int, centre: float, points: int = 2048, substeps: int = 32
) -> Populations:
    """Split operator on a grid of 0.5 to 24.5 Bohr, ``substeps`` of them between two times."""
    potential = morse(model)

    def hamiltonian(x: np.ndarray) -> np.ndarray:
        positions = torch.zeros(len(x), 1, 3, dtype=torch.float64)
        positions[:, 0, 0] = torch.from_numpy(x)
        return potential.hamiltonian(positions).numpy()

    grid = split_operator.Grid(left=0.5, right=24.5, points=points)
    packet = np.zeros((3, points), dtype=np.complex128)
    packet[0] = split_operator.gaussian(grid, centre=centre, width=1 / np.sqrt(2 * MASS * 0.005))
    frames = split_operator.propagate(
        hamiltonian,
        packet,
        grid=grid,
        mass=MASS,
        timestep=(times_fs[1] - times_fs[0]) / FS_PER_ATOMIC_TIME / substeps,
        steps=substeps * (len(times_fs) - 1),
        every=substeps,
    )
    return (np.abs(frames) ** 2).sum(2)


PYRAZINE = vibronic.VibronicModel(
    energies=np.diag([3.940, 4.840]) / EV_PER_HARTREE,
    frequencies=np.array([0.126, 0.074, 0.118]) / EV_PER_HARTREE,
    couplings=np.array(
        [[[0.037, 0.0], [0.0, -0.254]], [[-0.105, 0.0], [0.0, 0.149]], [[0.0, 0.262], [0.262, 0.0]]]
    )
    / EV_PER_HARTREE,
)
"""R. Schneider, W. Domcke, Chem. Phys. Lett. 150 (1988) 235, DOI 10.1016/0009-2614(88)80034-4."""


def pyrazine_populations(
    times_fs: Times, *, levels: tuple[int, int, int] = (26, 48, 48)
) -> Populations:
    """Oscillator basis of ``levels``, from the vibrational ground state lifted to S2."""
    times = times_fs / FS_PER_ATOMIC_TIME
    return vibronic.populations(PYRAZINE, start=1, levels=levels, times=times)


def dimer_populations(times_fs: Times, *, depth: int = 16, matsubara: int = 1) -> Populations:
    """Hierarchical equations of motion of the dimer of Ishizaki and Fleming at 300 K."""
    bath = hierarchy.DebyeBath(
        reorganization=10.0 * HARTREE_PER_INVERSE_CM,
        cutoff=53.08 * HARTREE_PER_INVERSE_CM,
        temperature=300.0 * HARTREE_PER_KELVIN,
    )
    densities = hierarchy.density_matrices(
        np.array([[50.0, 100.0], [100.0, -50.0]]) * HARTREE_PER_INVERSE_CM,
        np.diag([1.0, -1.0]),
        np.diag([1.0 + 0j, 0.0]),
        bath=bath,
        times=times_fs / FS_PER_ATOMIC_TIME,
        depth=depth,
        matsubara=matsubara,
    )
    return np.diagonal(densities, axis1=1, axis2=2).real


_SPLIT = "split operator, 2048 points, step 0.0625 fs; converged to 2e-5"

CASES: Mapping[str, Case] = MappingProxyType(
    {
        **{
            f"morse-{model}": Case(
                title=f"Morse model {model}",
                exact=partial(morse_populations, model=model, centre=centre),
                how=_SPLIT,
                frame_fs=2.0,
                frames=40,
                timestep_fs=0.2,
            )
            for model, centre in ((1, 2.9), (2, 3.3), (3, 2.1))
        },
        "pyrazine": Case(
            title="pyrazine",
            exact=pyrazine_populations,
            how="oscillator basis of 26, 48 and 48 levels, Chebyshev; converged to 1e-5",
            frame_fs=2.5,
            frames=60,
            timestep_fs=0.25,
        ),
        "spin-boson": Case(
            title="spin-boson",
            exact=dimer_populations,
            how="hierarchical equations of motion, depth 16, one Matsubara term; converged to 5e-5",
            frame_fs=10.0,
            frames=100,
            timestep_fs=0.5,
        ),
    }
)
