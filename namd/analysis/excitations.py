"""Vertical excitations of an ensemble of geometries: energies and oscillator strengths."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from namd.errors import DataError
from namd.states import StateSpace


@dataclass(frozen=True, eq=False, kw_only=True)
class Excitations:
    """Transitions from one state to all higher ones, at every geometry.

    Parameters
    ----------
    initial
        Label of the lower state.
    states
        Labels of the higher states, ascending.
    energies
        E_k − E_i, Hartree.
    strengths
        Oscillator strengths f_k, dimensionless.
    """

    initial: str
    states: tuple[str, ...]
    energies: Float[np.ndarray, "sample excited"]
    strengths: Float[np.ndarray, "sample excited"]

    def __len__(self) -> int:
        return len(self.energies)

    def known(self) -> Bool[np.ndarray, " sample"]:
        """Which samples have all their energies and strengths (labels may be NaN)."""
        both = np.concatenate((self.energies, self.strengths), axis=1)
        return np.asarray(np.isfinite(both).all(axis=1))

    def select(self, rows: Bool[np.ndarray, " sample"]) -> "Excitations":
        """Take the samples of a boolean mask."""
        return Excitations(
            initial=self.initial,
            states=self.states,
            energies=self.energies[rows],
            strengths=self.strengths[rows],
        )


def vertical_excitations(
    energies: Float[np.ndarray, "sample state"],
    transition_dipoles: Float[np.ndarray, "sample pair 3"],
    states: StateSpace,
    *,
    initial: int = 0,
) -> Excitations:
    """Excitations out of one state; f = ⅔ ΔE |μ|² in atomic units (length gauge).

    Parameters
    ----------
    energies
        Adiabatic energies, ascending, Hartree.
    transition_dipoles
        ⟨i|μ|j⟩ of all pairs i < j, e·Bohr; their signs have no influence.
    states
        Labels, and the order of the pairs.
    initial
        0-based number of the lower state.

    Raises
    ------
    DataError
        If the state does not exist or none lies above it, or an array is of other states.
    """
    number = len(energies)
    for name, values, shape in (
        ("energies", energies, (number, len(states))),
        ("transition_dipoles", transition_dipoles, (number, len(states.pairs), 3)),
    ):
        if values.shape != shape:
            raise DataError(
                f"'{name}' has the shape {list(values.shape)}, expected {list(shape)}",
                where=name,
                hint=f"the states are {', '.join(states.labels)}, pairs i < j row by row",
            )
    if not 0 <= initial < len(states) - 1:
        raise DataError(
            f"no state lies above state {initial}; there are {', '.join(states.labels)}",
            where="initial state of the excitation",
            hint="states are counted from 0",
        )
    higher = range(initial + 1, len(states))
    pairs = [states.pair_index(initial, k) for k in higher]
    gaps = energies[:, initial + 1 :] - energies[:, initial, None]
    squares = np.square(transition_dipoles[:, pairs]).sum(-1)
    return Excitations(
        initial=states.labels[initial],
        states=states.labels[initial + 1 :],
        energies=gaps,
        strengths=2.0 / 3.0 * gaps * squares,
    )
