"""What must hold within one frame, whatever its geometry.

* A frame knows a vector wholly or not at all.
* Two states never have exactly the same energy: d = h/gap would be infinite.
* Energies do not change when the molecule is moved as a whole, so forces sum to zero. Neither do
  states whose electrons move along, so Σ_A d_A = 0; couplings without electron translation factors
  break that, and rescaling along them at a hop lets the molecule fly away
  (Fatehi, Alguire, Shao, Subotnik, J. Chem. Phys. 135, 234105 (2011)).
* The eigenvalues of a stored diabatic Hamiltonian are the energies.
"""

import numpy as np
from jaxtyping import Float

from namd.data.checks import unknown_couplings, unknown_forces
from namd.data.dataset import Dataset
from namd.data.finding import Finding, hits, whole
from namd.schema import PROPERTIES
from namd.units import EV_PER_HARTREE

NET_SHARE = 0.02
"""|Σ_A v_A| / |v| above this is no rounding: single precision leaves 1e-5."""
SAME_ENERGY = 1e-9
"""Hartree; below this two states have one energy."""
_SAME_EIGENVALUE = 1e-3 / EV_PER_HARTREE
_FAINTEST = 1e-5
"""Norm (Hartree/Bohr) below which a vector is noise and has no direction."""


def find_unknown(dataset: Dataset) -> list[Finding]:
    """Find unknown forces and couplings, and vectors known in part."""
    found = []
    unknown = unknown_forces(dataset)
    for state, label in enumerate(dataset.states.labels):
        found += hits(
            unknown[:, state],
            kind="unknown",
            severity="warning",
            name="forces",
            message=f"the force of {label} is unknown: training learns from the others",
            hint="compute the gradients of all states (SHARC: without 'grad_select')",
        )
    if dataset.has_coupling:
        found += hits(
            unknown_couplings(dataset),
            kind="unknown",
            severity="warning",
            name="coupling",
            message="the coupling is unknown: training refuses such frames",
            hint="leave these frames out, or compute their couplings",
        )
    elif len(dataset.states) > 1:
        found.append(
            whole(
                "unknown",
                "warning",
                "coupling",
                message="there are no couplings between the states",
                hint="train without them, or label again with couplings",
            )
        )
    return found + _known_in_part(dataset)


def find_equal_energies(dataset: Dataset) -> list[Finding]:
    """Find states that share one energy."""
    return hits(
        np.abs(np.diff(dataset["energies"], axis=1)) < SAME_ENERGY,
        kind="equal-energies",
        severity="warning",
        name="energies",
        message="two states have the same energy",
        hint="was one state stored twice? At a true degeneracy d has no value: leave these out",
    )


def find_net_vectors(dataset: Dataset) -> list[Finding]:
    """Find forces and couplings that do not sum to zero over the atoms."""
    found = []
    for state, label in enumerate(dataset.states.labels):
        share = net_share(dataset["forces"][:, state])
        if not (share > NET_SHARE).any():  # false where unknown
            continue
        found += hits(
            share > NET_SHARE,
            kind="net-force",
            severity="warning",
            name="forces",
            message=f"the forces of {label} do not sum to zero (up to {np.nanmax(share):.0%} "
            "of their norm)",
            hint="a model without an external field cannot learn them: check unit and order of "
            "atoms and axes, and the accuracy of the gradient",
        )
    for pair, (i, j) in enumerate(dataset.states.pairs if dataset.has_coupling else ()):
        share = net_share(dataset.interstate_coupling[:, pair])
        if not (share > NET_SHARE).any():
            continue
        label = f"{dataset.states.labels[i]}–{dataset.states.labels[j]}"
        found += hits(
            share > NET_SHARE,
            kind="net-coupling",
            severity="warning",
            name="coupling",
            message=f"the coupling {label} does not sum to zero over the atoms (|Σd|/|d| "
            f"{np.nanmedian(share):.2f} in the median, {np.nanmax(share):.2f} at most)",
            hint="ask the program for couplings with electron translation factors; hops along "
            "these change the total momentum",
        )
    return found


def find_wrong_eigenvalues(dataset: Dataset) -> list[Finding]:
    """Find diabatic Hamiltonians whose eigenvalues are not the energies."""
    if "diabatic_hamiltonian" not in dataset:
        return []
    w = dataset["diabatic_hamiltonian"]
    known = np.flatnonzero(np.isfinite(w).all(axis=(1, 2)))
    number = min(w.shape[-1], len(dataset.states))
    values = np.linalg.eigvalsh(w[known])[:, :number]
    off = np.abs(values - dataset["energies"][known, :number]) > _SAME_EIGENVALUE
    mask = np.zeros(len(dataset), dtype=bool)
    mask[known] = off.any(axis=1)
    return hits(
        mask,
        kind="eigenvalues",
        severity="warning",
        name="diabatic_hamiltonian",
        message="the eigenvalues of W are not the energies (> 1 meV)",
        hint="W and the energies come from different calculations; training on W would mix them",
    )


def net_share(vectors: Float[np.ndarray, "frame atom 3"]) -> Float[np.ndarray, " frame"]:
    """|Σ_A v_A| / |v|; 0 where v is too small to have a direction, NaN where it is unknown."""
    norm = np.sqrt((vectors**2).sum(axis=(1, 2)))
    net = np.linalg.norm(vectors.sum(axis=1), axis=-1)
    share: np.ndarray = np.where(norm < _FAINTEST, 0.0, net / np.maximum(norm, _FAINTEST))
    return share


def _known_in_part(dataset: Dataset) -> list[Finding]:
    found = []
    for name in dataset:
        values = dataset[name]
        if values.dtype.kind not in "fc" or values.ndim < 2 or name in ("positions", "energies"):
            continue  # those two are faults where they are not finite
        missing = ~np.isfinite(values)
        of_each = PROPERTIES[name].axes[0] in ("state", "pair") and values.ndim > 2
        components = tuple(range(2 if of_each else 1, values.ndim))
        found += hits(
            missing.any(axis=components) & ~missing.all(axis=components),
            kind="partly-unknown",
            severity="warning",
            name=name,
            message=f"'{name}' is NaN in part: some components are known, others are not",
            hint="a reader cut a line short, or the program wrote stars; read these frames again",
        )
    return found
