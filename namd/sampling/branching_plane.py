r"""The two directions that lift a degeneracy, and the shape of the double cone over them.

With g = ½(∇E₁ − ∇E₀), h = ⟨0|∇H|1⟩ and s = ½(∇E₀ + ∇E₁) the energies about an intersection are, to
first order, E = E_X + s·r ± √((g·r)² + (h·r)²). States at the point itself are arbitrary up to a
rotation by θ, which mixes g and h; that with tan 4θ = 2 g·h / (g² − h²) makes them orthogonal.
There ::

    pitch δ = √((g² + h²)/2)     asymmetry Δ = (g² − h²)/(g² + h²)
    tilt σ = |s in the plane|/δ  P = (s_x/|g|)² + (s_y/|h|)²

Below P = 1 the upper surface has its minimum at the intersection (peaked), above it is sloped.

References
----------
D. R. Yarkony, J. Chem. Phys. 114, 2601 (2001), DOI 10.1063/1.1329644 (orthogonal g and h).
I. Fdez. Galván, M. G. Delcey, T. B. Pedersen, F. Aquilante, R. Lindh, J. Chem. Theory Comput. 12,
3636 (2016), DOI 10.1021/acs.jctc.6b00384 (the parameters; P is theirs written with g and h).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False, kw_only=True)
class BranchingPlane:
    """Branching plane of a conical intersection.

    Parameters
    ----------
    g, h
        Orthogonal, |g| ≥ |h|, Hartree/Bohr; each with an arbitrary sign.
    pitch
        δ, Hartree/Bohr.
    asymmetry
        Δ between 0 (round) and 1.
    tilt
        σ, relative to the pitch.
    peakedness
        P; below 1 peaked, above sloped.
    """

    g: Float[np.ndarray, "atom 3"]
    h: Float[np.ndarray, "atom 3"]
    pitch: float
    asymmetry: float
    tilt: float
    peakedness: float

    @property
    def shape(self) -> str:
        """``peaked`` or ``sloped``."""
        return "peaked" if self.peakedness < 1.0 else "sloped"


def branching_plane(
    lower: Float[np.ndarray, "atom 3"],
    upper: Float[np.ndarray, "atom 3"],
    coupling: Float[np.ndarray, "atom 3"],
) -> BranchingPlane | None:
    """Orthogonal directions and cone parameters.

    Parameters
    ----------
    lower, upper
        Gradients of both states at, or very near to, the intersection, Hartree/Bohr.
    coupling
        h of the two, in any gauge.

    Returns
    -------
    BranchingPlane or None
        ``None`` if the two directions are one, or vanish: not a conical intersection.
    """
    g, h = 0.5 * (upper - lower), coupling
    theta = 0.25 * np.arctan2(2.0 * (g * h).sum(), (g * g).sum() - (h * h).sum())
    cosine, sine = np.cos(2.0 * theta), np.sin(2.0 * theta)
    g, h = cosine * g + sine * h, cosine * h - sine * g
    long, short = float(np.linalg.norm(g)), float(np.linalg.norm(h))
    if not short > 1e-6 * long:
        return None
    mean = 0.5 * (lower + upper)
    along = float((mean * g).sum()) / long, float((mean * h).sum()) / short
    pitch = float(np.sqrt(0.5 * (long**2 + short**2)))
    return BranchingPlane(
        g=g,
        h=h,
        pitch=pitch,
        asymmetry=(long**2 - short**2) / (long**2 + short**2),
        tilt=float(np.hypot(*along)) / pitch,
        peakedness=(along[0] / long) ** 2 + (along[1] / short) ** 2,
    )
