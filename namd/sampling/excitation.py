r"""Which geometries of the ground-state ensemble absorb the photon, and into which state.

Under a pulse whose spectrum is flat over a window, a transition from geometry n to state k is
excited with a probability proportional to the Einstein coefficient, f_nk/ΔE_nk². A transition in
the window is accepted if its own random number is below that probability, taken relative to the
largest one among all candidates::

    r_nk < (f_nk / ΔE_nk²) / max (f / ΔE²)

A geometry may be accepted for several states: each is a trajectory. Without oscillator strengths
everything in the window is accepted, as if all transitions were equally bright.

Reference: M. Barbatti, G. Granucci, M. Persico, M. Ruckenbauer, M. Vazdar, M. Eckert-Maksić,
H. Lischka, J. Photochem. Photobiol. A 190 (2007) 228, DOI 10.1016/j.jphotochem.2006.12.008.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.errors import DataError
from namd.random import Stream, uniform


@dataclass(frozen=True, eq=False, kw_only=True)
class Accepted:
    """Accepted transitions, in the order of the candidates and, of one candidate, of the states.

    Parameters
    ----------
    candidate
        Row of the geometry.
    state
        0-based state it is excited to.
    unknown
        Candidates left out because an energy or strength is not known.
    in_window
        Transitions in the window, accepted or not.
    """

    candidate: Int[np.ndarray, " accepted"]
    state: Int[np.ndarray, " accepted"]
    unknown: int
    in_window: int

    def __len__(self) -> int:
        return len(self.state)


def accept_transitions(
    energies: Float[np.ndarray, "candidate state"],
    strengths: Float[np.ndarray, "candidate state"] | None,
    *,
    initial: int,
    allowed: Int[np.ndarray, " allowed"],
    window: tuple[float, float] | None,
    seed: int,
) -> Accepted:
    """Choose transitions by energy window and oscillator strength.

    Parameters
    ----------
    energies
        Adiabatic energies, Hartree; a candidate with NaN is left out.
    strengths
        Oscillator strength of the transition from ``initial`` to every state (those to states that
        are not allowed are not looked at); ``None`` to accept whatever is in the window.
    initial
        State before the excitation.
    allowed
        States it may lead to.
    window
        Lowest and highest excitation energy, Hartree; ``None`` for any.
    seed
        Seed of the run: candidate n always draws the same number for state k.

    Raises
    ------
    DataError
        If nothing lies in the window, or nothing there absorbs.
    """
    gaps = energies[:, allowed] - energies[:, initial, None]
    weights = np.ones_like(gaps)
    if strengths is not None:
        weights = strengths[:, allowed] / np.square(gaps)
    known = np.isfinite(np.concatenate((gaps, weights), axis=1)).all(axis=1)
    inside = _inside(gaps, window) & known[:, None]
    if not inside.any():
        where = "" if window is None else " in the window"
        raise DataError(
            f"none of {len(gaps)} candidates has a transition{where}",
            where="initial_conditions.excitation",
            hint="widen window_ev; `namd analyze spectrum` shows where the molecule absorbs",
        )
    largest = weights[inside].max()
    if not largest > 0:
        raise DataError(
            "no transition in the window has an oscillator strength above zero",
            where="initial_conditions.excitation",
            hint="the states are dark: choose selection: window",
        )
    draws = uniform(
        np.arange(len(gaps))[:, None], allowed[None, :], seed=seed, stream=Stream.EXCITATION
    )
    candidate, column = np.nonzero(inside & (draws < weights / largest))
    return Accepted(
        candidate=candidate,
        state=allowed[column],
        unknown=int((~known).sum()),
        in_window=int(inside.sum()),
    )


def _inside(
    gaps: Float[np.ndarray, "candidate allowed"], window: tuple[float, float] | None
) -> Bool[np.ndarray, "candidate allowed"]:
    if window is None:
        return np.asarray(gaps > 0)
    return np.asarray((gaps > 0) & (gaps >= window[0]) & (gaps <= window[1]))
