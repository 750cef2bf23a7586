"""Make the vibronic model `trajectories/so2` with PySCF (`pip install pyscf`; half an hour).

    python examples/vibronic_from_pyscf.py runs/so2

Minimum, normal modes, slopes kappa (gradients), couplings lambda (h = <i|dH|j> of the coupling
vectors) and dipoles by SA3-CASSCF(12,9)/cc-pVTZ, vertical energies by SC-NEVPT2 on top. What
symmetry forbids is set to zero, its largest value printed. Writes LVC.template, V0.txt and, to
judge the model by, reference.json: both levels at the minimum and +-0.2 along the modes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pyscf import fci, gto, mcscf, mrpt, scf
from pyscf.nac.sacasscf import NonAdiabaticCouplings

from namd.units import ANGSTROM_PER_BOHR, ELECTRON_MASS_PER_AMU, HARTREE_PER_INVERSE_CM

ATOMS, CHARGES, AMU = ("S", "O", "O"), (16, 8, 8), (31.97207117, 15.99491462, 15.99491462)
BASIS, STATES, ORBITALS, ELECTRONS = "cc-pvtz", 3, 9, 12
ACTIVE = {"A1": 3, "B1": 2, "B2": 3, "A2": 1}
"""All molecular orbitals of the 2p shells of oxygen and the 3p shell of sulfur."""
ROOT_MASS = np.repeat(np.sqrt(np.array(AMU) * ELECTRON_MASS_PER_AMU), 3)
STEP, MOVED = 1.0, 0.2
"""Displacements: mass-weighted, for the Hessian; Q, for the check."""
HEAD = """\
# SO2: S0 (1A1), S1 (1B1), S2 (1A2). kappa, lambda and dipoles by SA3-CASSCF(12,9)/cc-pVTZ, epsilon
# by SC-NEVPT2 on top, at the CASSCF minimum of S0 (PySCF; README.md). The molecule lies in the yz
# plane, z is its axis. Modes 7 and 8 are a1 (bend, stretch), 9 is b2. What is missing here is zero
# by symmetry."""


def molecule(positions: np.ndarray, **options: Any) -> gto.Mole:
    atoms = list(zip(ATOMS, positions, strict=True))
    return gto.M(atom=atoms, unit="Bohr", basis=BASIS, verbose=0, **options)


def first_orbitals(positions: np.ndarray) -> tuple[gto.Mole, np.ndarray]:
    """Hartree-Fock orbitals with the active ones, chosen by symmetry, in their place."""
    mol = molecule(positions, symmetry="C2v")
    field = scf.RHF(mol).run()
    active = mcscf.CASSCF(field, ORBITALS, ELECTRONS)
    orbitals = mcscf.sort_mo_by_irrep(active, field.mo_coeff, ACTIVE)
    return molecule(positions), np.asarray(orbitals)


class Casscf:
    """State-averaged CASSCF of the lowest singlets, without symmetry; remembers its orbitals."""

    def __init__(self, positions: np.ndarray) -> None:
        self.orbitals = first_orbitals(positions)

    def at(self, positions: np.ndarray) -> Any:
        """Converge at a geometry near the one before."""
        field = scf.RHF(molecule(positions)).run(conv_tol=1e-12)
        casscf = mcscf.CASSCF(field, ORBITALS, ELECTRONS)
        casscf.fcisolver = fci.addons.fix_spin_(fci.direct_spin1.FCI(field.mol), ss=0, shift=0.5)
        casscf.fcisolver.conv_tol = 1e-12
        casscf = casscf.state_average_([1 / STATES] * STATES)
        casscf.conv_tol, casscf.conv_tol_grad, casscf.max_cycle_macro = 1e-10, 1e-5, 200
        before, orbitals = self.orbitals
        casscf.kernel(mcscf.project_init_guess(casscf, orbitals, prev_mol=before))
        if not casscf.converged:
            sys.exit("CASSCF has not converged")
        self.orbitals = field.mol, casscf.mo_coeff
        return casscf


def gradients(casscf: Any, states: int = STATES) -> np.ndarray:
    method = casscf.nuc_grad_method()
    return np.array([method.kernel(state=k) for k in range(states)])


def correlated(casscf: Any) -> np.ndarray:
    """Energies of strongly contracted NEVPT2 on the state-averaged orbitals."""
    ci = mcscf.CASCI(scf.RHF(casscf.mol), ORBITALS, ELECTRONS)
    ci.fcisolver = fci.addons.fix_spin_(fci.direct_spin1.FCI(casscf.mol), ss=0, shift=0.5)
    ci.fcisolver.nroots = STATES
    ci.kernel(casscf.mo_coeff)
    return np.array([ci.e_tot[k] + mrpt.NEVPT(ci, root=k).kernel() for k in range(STATES)])


def dipoles(casscf: Any) -> np.ndarray:
    """Dipole matrix [state, state, xyz], e Bohr, in the phases of the CI vectors."""
    mol, core = casscf.mol, casscf.ncore
    closed, active = np.split(casscf.mo_coeff[:, : core + ORBITALS], [core], axis=1)
    operator = -mol.intor_symmetric("int1e_r")
    fixed = np.array(CHARGES) @ mol.atom_coords()
    fixed = fixed + 2 * np.einsum("xpq,pi,qi->x", operator, closed, closed)
    one = np.einsum("xpq,pi,qj->xij", operator, active, active)
    solver, electrons = fci.direct_spin1, casscf.nelecas
    found = np.zeros((STATES, STATES, 3))
    for i, bra in enumerate(casscf.ci):
        for j, ket in enumerate(casscf.ci):
            density = solver.trans_rdm1(bra, ket, ORBITALS, electrons)
            found[i, j] = np.einsum("xij,ji->x", one, density) + (i == j) * fixed
    return found


def couplings(casscf: Any) -> np.ndarray:
    """h_ij = (E_j - E_i) <i|grad j> [state, state, atom, xyz], without the translational part."""
    method = NonAdiabaticCouplings(casscf)
    found = np.zeros((STATES, STATES, len(ATOMS), 3))
    for i in range(STATES):
        for j in range(i + 1, STATES):
            vector = method.kernel(state=(j, i), mult_ediff=True, use_etfs=True)
            found[i, j] = found[j, i] = vector
    return found


def rigid_and_internal(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal translations and rotations, and all else, in mass-weighted coordinates."""
    axes = np.eye(3)
    turned = [np.cross(axis, positions).ravel() for axis in axes]
    moved = [np.tile(axis, len(ATOMS)) for axis in axes]
    full = np.linalg.qr((ROOT_MASS * np.array(moved + turned)).T, mode="complete")[0]
    return full[:, :6], full[:, 6:]


def exchanged(modes: np.ndarray) -> np.ndarray:
    """Mirror images of modes: the oxygen atoms change places."""
    return (modes.reshape(3, 3, -1)[[0, 2, 1]] * [[[1], [-1], [1]]]).reshape(9, -1)


def relax(casscf: Casscf, start: np.ndarray) -> np.ndarray:
    """Minimum of the ground state by quasi-Newton steps, without looking at noisy energies."""
    _, internal = rigid_and_internal(start)
    stiffness = np.eye(internal.shape[1]) * (900 * HARTREE_PER_INVERSE_CM) ** 2
    x, step, before = np.zeros(len(stiffness)), None, None
    for _ in range(30):
        done = casscf.at(start + (internal @ x / ROOT_MASS).reshape(-1, 3))
        slope = internal.T @ (gradients(done, 1).ravel() / ROOT_MASS)
        print(
            f"relaxing: energy {done.e_states[0]:.8f}, slope {np.abs(slope).max():.1e}", flush=True
        )
        if np.abs(slope).max() < 3e-8:
            return done.mol.atom_coords()
        if step is not None:
            pulled, change = stiffness @ step, slope - before
            stiffness += np.outer(change, change) / (change @ step)
            stiffness -= np.outer(pulled, pulled) / (step @ pulled)
        step, before = -np.linalg.solve(stiffness, slope), slope
        x = x + step
    sys.exit("no minimum found")


def vibrations(casscf: Casscf, minimum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and modes [coordinate, mode] of all 3N, the six rigid motions first."""
    rigid, internal = rigid_and_internal(minimum)
    columns = []
    for direction in internal.T:
        ends = [
            gradients(casscf.at(minimum + (sign * STEP * direction / ROOT_MASS).reshape(-1, 3)), 1)
            for sign in (1, -1)
        ]
        columns.append(internal.T @ ((ends[0] - ends[1]).ravel() / ROOT_MASS) / (2 * STEP))
        print(f"Hessian: {len(columns)} of {internal.shape[1]} columns", flush=True)
    hessian, parity = np.array(columns), internal.T @ exchanged(internal)
    hessian = (hessian + parity @ hessian @ parity) / 2
    squares, turn = np.linalg.eigh((hessian + hessian.T) / 2)
    return np.append(np.zeros(6), np.sqrt(squares)), np.hstack([rigid, internal @ turn])


def describe(casscf: Any, *, slopes: bool) -> dict[str, Any]:
    """What is compared with the model, at one geometry."""
    found = {
        "positions": casscf.mol.atom_coords().tolist(),
        "casscf_energies": [float(e) for e in casscf.e_states],
        "nevpt2_energies": correlated(casscf).tolist(),
        "dipoles": dipoles(casscf).tolist(),
    }
    return found | ({"casscf_gradients": gradients(casscf).tolist()} if slopes else {})


def write_model(folder: Path, found: dict[str, Any]) -> None:
    """LVC.template and V0.txt; energies by NEVPT2, all else by CASSCF.

    A bent molecule AB2 has slopes along a1 modes, and one coupling, that of B1 and A2 along the b2
    mode; its dipole matrix has a1 along z on the diagonal, A1-B1 along x and B1-A2 along y.
    """
    minimum, modes, frequencies = (
        np.array(found[key]) for key in ("positions", "modes", "frequencies")
    )
    energies, dipole = np.array(found["nevpt2_energies"]), np.array(found["dipoles"])
    order = np.argsort(energies)
    if abs(dipole[order[0], order[1], 0]) < abs(dipole[order[0], order[2], 0]):
        sys.exit("the states are not A1, B1, A2 in the order of their energies")
    along = (modes / ROOT_MASS[:, None])[:, 6:] / np.sqrt(frequencies[6:])
    slopes = np.array(found["couplings"])
    slopes[np.diag_indices(STATES)] = found["casscf_gradients"]
    slopes = (slopes.reshape(STATES, STATES, -1) @ along)[np.ix_(order, order)]
    dipole = dipole[np.ix_(order, order)]
    odd = (modes * exchanged(modes)).sum(0)[6:] < 0
    allowed = np.zeros_like(slopes, dtype=bool)
    allowed[1, 1] = allowed[2, 2] = ~odd
    allowed[1, 2] = allowed[2, 1] = odd
    bright = np.zeros_like(dipole, dtype=bool)
    bright[..., 2], bright[0, 1, 0], bright[1, 2, 1] = np.eye(STATES), True, True
    bright |= bright.swapaxes(0, 1)
    for what, values, mask in (("slope", slopes, allowed), ("dipole", dipole, bright)):
        print(f"largest forbidden {what} {np.abs(values[~mask]).max():.1e}")
        values[~mask] = 0.0
    # The phases of the states are free: lambda and the dipole of A1-B1 are made positive.
    first = np.sign(dipole[0, 1, 0])
    phase = np.array([1.0, first, first * np.sign(slopes[1, 2][odd][0])])
    slopes *= (phase[:, None] * phase)[..., None]
    dipole *= (phase[:, None] * phase)[..., None]
    lines = [*HEAD.splitlines(), "V0.txt", f"{STATES}", "epsilon", f"{STATES}"]
    lines += [
        f"  1   {k + 1}  {energies[n] - energies[order[0]]: .12e}" for k, n in enumerate(order)
    ]
    tuning = [(k, m) for k in range(STATES) for m in range(3) if slopes[k, k, m]]
    lines += ["kappa", f"{len(tuning)}"]
    lines += [f"  1   {k + 1}   {m + 7}  {slopes[k, k, m]: .12e}" for k, m in tuning]
    mixing = [(1, 2, m) for m in range(3) if slopes[1, 2, m]]
    lines += ["lambda", f"{len(mixing)}"]
    lines += [f"  1   {i + 1}   {j + 1}   {m + 7}  {slopes[i, j, m]: .12e}" for i, j, m in mixing]
    for axis, name in enumerate("XYZ"):
        lines += [f"DM{name} R", *rows(dipole[..., axis])]
    (folder / "LVC.template").write_text("\n".join(lines) + "\n")
    lines = ["Geometry"]
    for atom, charge, xyz, mass in zip(ATOMS, CHARGES, minimum, AMU, strict=True):
        lines.append(f" {atom:2s} {charge:5.1f} " + rows(xyz[None])[0] + f" {mass:14.8f}")
    lines += ["Frequencies", *rows(frequencies[None]), "Mass-weighted normal modes", *rows(modes)]
    (folder / "V0.txt").write_text("\n".join(lines) + "\n")


def rows(matrix: np.ndarray) -> list[str]:
    return [" ".join(f"{x:16.12f}" for x in row + 0.0) for row in np.round(matrix, 12)]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bond, half = 1.45 / ANGSTROM_PER_BOHR, np.radians(119 / 2)
    y, z = bond * np.sin(half), bond * np.cos(half)
    start = np.array([[0, 0, 0], [0, y, z], [0, -y, z]])
    start -= np.average(start, axis=0, weights=AMU)
    casscf = Casscf(start)
    minimum = relax(casscf, start)
    frequencies, modes = vibrations(casscf, minimum)
    here = casscf.at(minimum)
    found = {
        **describe(here, slopes=True),
        "frequencies": frequencies.tolist(),
        "modes": modes.tolist(),
        "couplings": couplings(here).tolist(),
    }
    write_model(folder, found)
    reference = {"minimum": found, "displaced": displaced(casscf, found)}
    (folder / "reference.json").write_text(json.dumps(reference, indent=1))


def displaced(casscf: Casscf, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Both levels beside the minimum; the b2 mode has the same energies on either side."""
    minimum, modes = np.array(found["positions"]), np.array(found["modes"])
    points = []
    for mode, q in ((8, 1), (7, 1), (6, 1), (7, -1), (6, -1)):
        shift = q * MOVED * modes[:, mode] / ROOT_MASS / np.sqrt(found["frequencies"][mode])
        there = casscf.at(minimum + shift.reshape(-1, 3))
        points.append({"mode": mode + 1, "q": q * MOVED, **describe(there, slopes=q > 0)})
        print(f"beside the minimum: {len(points)} of 5 points", flush=True)
    return points


if __name__ == "__main__":
    main(Path(sys.argv[1]))
