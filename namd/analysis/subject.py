"""One line that says what an ensemble is: the head of every table and figure."""

from collections import Counter

import numpy as np
from jaxtyping import Int

from namd.io.ensemble import FINISHED, Ensemble, is_parked
from namd.molecule import Molecule


def subject(ensemble: Ensemble) -> str:
    """Molecule, electronic structure and number of trajectories.

    Examples
    --------
    ``"C14H12 · stilbene-ssr · 200 trajectories"``
    """
    what = formula(ensemble.atomic_numbers)
    name = ensemble.potential.get("name")
    number = ensemble.n_trajectories
    counted = f"{number} trajector{'y' if number == 1 else 'ies'}"
    return " · ".join([what, *([str(name)] if name else []), counted])


def formula(atomic_numbers: Int[np.ndarray, " atom"]) -> str:
    """Hill formula of a molecule; what is no molecule is called a model particle."""
    if (atomic_numbers > 0).all():
        return Molecule.from_numbers(atomic_numbers).formula
    return "model particle"


def endings(ensemble: Ensemble) -> dict[str, int]:
    """How many trajectories are ``finished``, still ``active`` and ``parked``."""
    parked = is_parked(ensemble)
    finished = ~parked & ((ensemble.final_status == FINISHED) | (ensemble.status[-1] == FINISHED))
    counts = Counter(finished=int(finished.sum()), parked=int(parked.sum()))
    counts["active"] = ensemble.n_trajectories - counts.total()
    return {name: counts[name] for name in ("finished", "active", "parked")}
