"""Trajectories on a reference engine itself: every step is a label.

A step of a trajectory starts from the wave function of the geometry nearest to it among the latest
ones, which is that of its own last step, whatever order the trajectories of a batch come in. What
was just computed is not computed again: forces and couplings of a hop are those of the step.

A geometry that the engine cannot label is NaN, and the guard of a run parks its trajectory.
"""

from collections import deque

import numpy as np
from jaxtyping import Float

from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.potentials.calculator import CalculatorPotential, StateProperties
from namd.qm.protocol import Answer, Engine

REMEMBERED = 256
"""Answers that are kept: more than trajectories in a batch."""


class OnTheFly:
    """An :class:`~namd.potentials.calculator.Electronics` that remembers its latest answers.

    Parameters
    ----------
    engine
        Of one molecule.
    remembered
        How many.
    """

    def __init__(self, engine: Engine, *, remembered: int = REMEMBERED) -> None:
        self.engine = engine
        self.answers: deque[tuple[np.ndarray, Answer]] = deque(maxlen=remembered)

    def __call__(self, positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
        """Energies, gradients and couplings (Bohr, Hartree); NaN where the engine fails."""
        try:
            label = self._answer(positions).label
        except EngineError:
            return self._unknown(positions)
        return StateProperties(
            energies=label.energies, gradients=-label.forces, couplings=label.interstate_coupling
        )

    def _answer(self, positions: np.ndarray) -> Answer:
        distances = [float(np.linalg.norm(place - positions)) for place, _ in self.answers]
        nearest = int(np.argmin(distances)) if distances else None
        if nearest is not None and distances[nearest] == 0.0:
            return self.answers[nearest][1]
        guess = None if nearest is None else self.answers[nearest][1].guess
        answer = self.engine.label(positions, guess=guess)
        self.answers.append((positions.copy(), answer))
        return answer

    def _unknown(self, positions: np.ndarray) -> StateProperties:
        states = self.engine.describe().states
        pairs = (len(states.pairs), *positions.shape)
        return StateProperties(
            energies=np.full(len(states), np.nan),
            gradients=np.full((len(states), *positions.shape), np.nan),
            couplings=np.full(pairs, np.nan) if len(states) > 1 else None,
        )


def engine_potential(engine: Engine, molecule: Molecule) -> CalculatorPotential:
    """Make a potential of a reference engine.

    Parameters
    ----------
    engine
        Energies and forces of all states and, of several, couplings.
    molecule
        The atoms it was made for.

    Raises
    ------
    ConfigError
        If there are several states and no couplings, without which no amplitudes can be propagated.
    """
    info = engine.describe()
    if len(info.states) > 1 and "interstate_coupling" not in info.provides:
        raise ConfigError(
            "the engine gives no couplings",
            where=f"potential.engine, {info.name}",
            hint="dynamics of several states needs them; see its configuration",
        )
    return CalculatorPotential(
        molecule=molecule,
        states=info.states,
        electronics=OnTheFly(engine),
        name=info.level_of_theory,
    )
