"""Replay of trajectories of other sizes, written here in SHARC's format by a small propagator.

It shares no code with ours (NumPy, matrix exponentials of SciPy) and has the
conventions of SHARC 2. On its model many hops fall close together, some in consecutive steps, some
refused.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import expm

from namd.io.sharc_input import SharcMethods
from namd.validation.sharc_replay import QUANTITIES, replay_sharc

DT = 20.0
STEPS = 80
EAGERNESS = 0.02  # largest random number: small ones make many hops


@dataclass(frozen=True)
class Case:
    atoms: int
    states: int
    substeps: int
    rescaling: str
    decoherence: str
    seed: int
    constant: float = 0.1


CASES = {
    "two states": Case(2, 2, 25, "parallel_nac", "edc", seed=2),
    "four states, one substep": Case(3, 4, 1, "parallel_nac", "edc", seed=1, constant=0.03),
    "along the velocity": Case(2, 3, 10, "parallel_vel", "none", seed=3),
}


class Model:
    """Crossing harmonic diabats of some light atoms, with energies close together."""

    def __init__(self, case, rng):
        n, size = case.states, 3 * case.atoms
        self.constant = np.diag(np.linspace(0.0, 0.01, n)) + 0.002 * self.symmetric(rng, n)
        self.slope = 0.005 * np.stack([self.symmetric(rng, n) for _ in range(size)], -1)

    @staticmethod
    def symmetric(rng, n):
        a = rng.standard_normal((n, n))
        return (a + a.T) / 2

    def __call__(self, x, rng):
        """E, ∇E and d with a random sign of every state, as electronic structure codes give it."""
        flat = x.ravel()
        w = self.constant + self.slope @ flat + 0.002 * flat @ flat * np.eye(len(self.constant))
        slope = self.slope + 0.004 * np.eye(len(w))[..., None] * flat
        energies, u = np.linalg.eigh(w)
        u = u * rng.choice([-1.0, 1.0], len(w))
        h = np.einsum("ki,kla,lj->ija", u, slope, u).reshape(len(w), len(w), *x.shape)
        gaps = energies[None, :] - energies[:, None] + np.eye(len(w))
        off = 1.0 - np.eye(len(w))
        d = h * (off / gaps)[..., None, None]
        return energies, np.einsum("iiax->iax", h), d


def probabilities(c, new, r, a):
    """Finite-step hop probabilities."""
    before, after = abs(c[a]) ** 2, abs(new[a]) ** 2
    if after >= before:
        return np.zeros(len(c))
    flow = (new * np.conj(r[:, a] * c[a])).real
    p = (1 - after / before) * flow / (before - flow[a])
    p[a] = 0.0
    p = p.clip(min=0.0)
    return p / max(1.0, p.sum())


def propagate(case):
    """Frames of a trajectory; the state that is tried and refused stays as it was."""
    rng = np.random.default_rng(case.seed)
    model = Model(case, rng)
    masses = np.linspace(2000.0, 4000.0, case.atoms)
    m = masses[:, None]
    x = rng.standard_normal((case.atoms, 3))
    v = 2e-3 * rng.standard_normal((case.atoms, 3))
    a, n = case.states - 1, case.states
    c = np.eye(n, dtype=complex)[a]
    e, g, d = model(x, rng)
    coupling = np.einsum("ijax,ax->ij", d, v)
    frames = [(x, v, c, np.zeros(n), 0.0, a, e, g, d)]
    refused = 0
    for _ in range(STEPS):
        total = e[a] + 0.5 * (m * v * v).sum()
        x = x + v * DT - g[a] / m * DT**2 / 2
        e_new, g_new, d_new = model(x, rng)
        v = v - (g[a] + g_new[a]) / m * DT / 2
        coupling_new = np.einsum("ijax,ax->ij", d_new, v)
        r = np.eye(n, dtype=complex)
        for k in np.arange(1, case.substeps + 1) / case.substeps:
            h = np.diag(e + k * (e_new - e))
            t = coupling + k * (coupling_new - coupling)
            r = expm((-1j * h - t) * DT / case.substeps) @ r
        new = r @ c
        p = probabilities(c, new, r, a)
        number = EAGERNESS * rng.uniform()
        below = int((p.cumsum() < number).sum())
        if below < n:
            direction = d_new[a, below] if case.rescaling == "parallel_nac" else m * v
            big_a, big_b = (direction**2 / m).sum() / 2, (v * direction).sum()
            free = total - 0.5 * (m * v * v).sum() - e_new[below]
            root = big_b**2 + 4 * big_a * free
            if root >= 0:
                f = (big_b + np.sqrt(root) * (1 if big_b < 0 else -1)) / (2 * big_a)
                v, a = v - f * direction / m, below
            else:
                refused += 1
        c = new
        if case.decoherence == "edc":
            kinetic = 0.5 * (m * v * v).sum()
            tau = (1 + case.constant / kinetic) / np.where(
                e_new == e_new[a], 1, abs(e_new - e_new[a])
            )
            c = np.where(np.arange(n) == a, new, new * np.exp(-DT / tau))
            c[a] *= np.sqrt((1 - (abs(np.delete(c, a)) ** 2).sum()) / abs(c[a]) ** 2)
        e, g, d, coupling = e_new, g_new, d_new, coupling_new
        frames.append((x, v, c, p, number, a, e, g, d))
    return masses, frames, refused


def written(path, case, masses, frames):
    """Write frames as SHARC 2 does, with 16 digits instead of its 13."""

    def rows(values):
        table = np.atleast_2d(values)
        return [" ".join(f"{x: .17E}" for x in row) for row in table]

    def pairs(matrix):
        return rows(np.stack((matrix.real, matrix.imag), -1).reshape(len(matrix), -1))

    n = case.states
    lines = [
        "SHARC_version   2.0",
        f" nstates_m {n} 0 0",
        f" natom {case.atoms}",
        f" dtstep {DT}",
        f" nsteps {STEPS}",
        f" nsubsteps {case.substeps}",
        " ezero -10.0",
        " laser 0",
        f"{'*' * 37} End of settings {'*' * 37}",
        "! Atomic numbers",
        *rows(np.ones((case.atoms, 1))),
        "! Atomic masses",
        *rows(masses[:, None]),
        f"{'*' * 33} End of header array data {'*' * 32}",
    ]
    for step, (x, v, c, p, number, a, e, g, d) in enumerate(frames):
        lines += ["! 0 Step", str(step), "! 1 Hamiltonian (MCH) in a.u.", *pairs(np.diag(e + 0j))]
        lines += ["! 2 U matrix", *pairs(np.eye(n) + 0j)]
        for axis in "XYZ":
            lines += [f"! 3 Dipole moments {axis} (MCH) in a.u.", *pairs(np.zeros((n, n)) + 0j)]
        lines += ["! 5 Coefficients (diag)", *pairs(c[:, None])]
        lines += ["! 6 Hopping Probabilities (diag)", *rows(p[:, None])]
        lines += ["! 7 Ekin (a.u.)", *rows(0.5 * (masses[:, None] * v * v).sum())]
        lines += ["! 8 states (diag, MCH)", f"{a + 1} {a + 1}"]
        lines += ["! 9 Random number", *rows(number), "! 10 Runtime (sec)", "1"]
        lines += ["! 11 Geometry in a.u.", *rows(x), "! 12 Velocities in a.u.", *rows(v)]
        for i in range(n):
            lines += [f"! 15 Gradients (MCH) State {i + 1}", *rows(g[i])]
        for i in range(n):
            for j in range(n):
                lines += [f"! 16 NACdr matrix element (MCH) {i + 1} {j + 1}", *rows(d[i, j])]
    Path(path).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", CASES)
def test_trajectories_of_any_size_are_reproduced(name, tmp_path):
    case = CASES[name]
    masses, frames, refused = propagate(case)
    written(tmp_path / "output.dat", case, masses, frames)
    methods = SharcMethods(
        rescaling=case.rescaling,
        decoherence=case.decoherence,
        decoherence_constant=case.constant,
    )
    outcome = replay_sharc(tmp_path / "output.dat", methods)
    hopped = np.flatnonzero(np.diff([frame[5] for frame in frames]))
    assert outcome.hops == len(hopped) > 4
    assert (np.diff(hopped) == 1).any() or refused > 0
    assert outcome.other_decisions == 0
    assert (outcome.atoms, outcome.states) == (case.atoms, case.states)
    for quantity in QUANTITIES:
        assert outcome.deviations[quantity].max() < 1e-12, quantity
