r"""Phase-space points from the harmonic Wigner distribution, at 0 K or thermal.

In mass-weighted normal coordinates the Wigner function of a canonical ensemble of harmonic
oscillators is a Gaussian, without any sum over levels::

    Var(q) = coth(ω / 2kT) / 2ω        Var(p) = ω coth(ω / 2kT) / 2

and the factor coth is 1 at 0 K. Sampling single levels and dropping the negative parts of their
Wigner functions, as is sometimes done, is biased at T > 0.

A low mode, such as the torsion of a phenyl ring, is no harmonic vibration along a straight line:
below a cut-off it is kept at its minimum without momentum, or sampled classically. An imaginary one
is no vibration at all: it is refused, or frozen where that was asked for.

References
----------
M. Hillery, R. F. O'Connell, M. O. Scully, E. P. Wigner, Phys. Rep. 106 (1984) 121, section 3,
DOI 10.1016/0370-1573(84)90160-1.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.errors import PhysicsError
from namd.random import Stream, normals
from namd.sampling.normal_modes import NormalModes
from namd.units import HARTREE_PER_INVERSE_CM, HARTREE_PER_KELVIN

_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class LowModes:
    """What happens to modes that are too soft for a harmonic picture.

    Parameters
    ----------
    below_inverse_cm
        Modes under this wavenumber are concerned.
    treatment
        ``freeze``: at the minimum, no momentum. ``classical``: Var(q) = kT/ω², Var(p) = kT.
    imaginary
        What happens to imaginary modes that are not frozen as low ones.
    """

    below_inverse_cm: float = 0.0
    treatment: Literal["freeze", "classical"] = "freeze"
    imaginary: Literal["refuse", "freeze"] = "refuse"


def wigner_sample(
    modes: NormalModes,
    trajectory_id: Int[np.ndarray, " traj"],
    *,
    temperature_k: float,
    low_modes: LowModes,
    seed: int,
) -> tuple[Float[np.ndarray, "traj atom 3"], Float[np.ndarray, "traj atom 3"]]:
    """Draw positions and velocities of each trajectory.

    Trajectory ``k`` of a seed is the same however many others are drawn with it. The total linear
    momentum is zero; the angular one is zero to first order in the displacement.

    Parameters
    ----------
    modes
        Normal modes of the ground-state minimum.
    trajectory_id
        Which trajectories to draw.
    temperature_k
        Temperature in kelvin, 0 for the vibrational ground state.
    low_modes
        Treatment of soft modes.
    seed
        Seed of the run.

    Returns
    -------
    Positions in Bohr and velocities in Bohr per atomic time unit.

    Raises
    ------
    PhysicsError
        If a mode that is not frozen is imaginary.
    """
    position_width, momentum_width = widths(modes, temperature_k=temperature_k, low_modes=low_modes)
    count = len(modes.frequencies)
    draws = normals(trajectory_id, count=2 * count, seed=seed, stream=Stream.WIGNER)
    q = draws[:, 0::2] * position_width
    p = draws[:, 1::2] * momentum_width
    to_cartesian = modes.vectors / np.sqrt(modes.masses)[:, None]
    displacement = np.einsum("tm,max->tax", q, to_cartesian)
    velocities = np.einsum("tm,max->tax", p, to_cartesian)
    return modes.positions + displacement, velocities


def widths(
    modes: NormalModes, *, temperature_k: float, low_modes: LowModes
) -> tuple[Float[np.ndarray, " mode"], Float[np.ndarray, " mode"]]:
    """Compute the standard deviations of the mass-weighted q and p of each mode, atomic units.

    Raises
    ------
    PhysicsError
        If a mode that is not frozen is imaginary; the message names the first of them.
    """
    soft = is_soft(modes, low_modes)
    frozen = is_frozen(modes, low_modes)
    refuse_imaginary(modes, frozen)
    kt = temperature_k * HARTREE_PER_KELVIN
    omega = np.where(frozen, 1.0, modes.frequencies)
    ratio = omega / (2.0 * kt) if kt > 0 else np.full_like(omega, np.inf)
    quantum = 0.5 / np.tanh(ratio)
    momentum_variance = np.where(soft, kt, omega * quantum)
    position_variance = np.where(soft, kt / omega**2, quantum / omega)
    return (
        np.sqrt(np.where(frozen, 0.0, position_variance)),
        np.sqrt(np.where(frozen, 0.0, momentum_variance)),
    )


def is_soft(modes: NormalModes, low_modes: LowModes) -> Bool[np.ndarray, " mode"]:
    """Which modes the low-mode treatment hits; |ω| counts, so slightly imaginary ones are hit."""
    cut_off = low_modes.below_inverse_cm * HARTREE_PER_INVERSE_CM
    return np.asarray(np.abs(modes.frequencies) < cut_off)


def is_frozen(modes: NormalModes, low_modes: LowModes) -> Bool[np.ndarray, " mode"]:
    """Which modes are kept at the minimum: soft ones to be frozen, imaginary ones to be frozen."""
    imaginary = modes.frequencies <= 0
    soft = is_soft(modes, low_modes) & (low_modes.treatment == "freeze")
    return np.asarray(soft | (imaginary & (low_modes.imaginary == "freeze")))


def refuse_imaginary(modes: NormalModes, frozen: Bool[np.ndarray, " mode"]) -> None:
    """Refuse a stationary point with imaginary modes that are not frozen.

    Raises
    ------
    PhysicsError
        Naming the first of them with their wavenumbers.
    """
    bad = np.flatnonzero((modes.frequencies <= 0) & ~frozen)
    if len(bad):
        names = ", ".join(f"mode {m} ({-modes.wavenumbers[m]:.0f}i cm⁻¹)" for m in bad[:_NAMED])
        names += f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        raise PhysicsError(
            f"a minimum has no imaginary modes, this geometry has {len(bad)}: {names}",
            where="initial_conditions",
            hint="relax the geometry at the level of the Hessian, or have such modes frozen "
            "(imaginary_modes: freeze, --imaginary freeze)",
        )
