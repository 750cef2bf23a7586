"""Trajectories on a reference engine itself: every step is a label.

A step of a trajectory starts from the wave function of its own last step, whoever else is computed
in between; its first one starts cold. What was just computed is not computed again: forces and
couplings of a hop are those of the step. So the labels of a trajectory depend on nothing but its
own path, and what is remembered of it goes into the checkpoints of a run.

A geometry that the engine cannot label is NaN, and the guard of a run parks its trajectory. Labels
cost more than everything else in such a run, so that it keeps them all (namd.qm.kept_labels).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.potentials.calculator import CalculatorPotential, Electronics, StateProperties
from namd.qm.guess_file import pack_guess, unpack_guess
from namd.qm.kept_labels import KeptLabels
from namd.qm.protocol import Engine, Label

_KEPT = 2
_NOBODY = -1
"""Whoever asks for a geometry without saying whose it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Computed:
    """One geometry; ``cold``: without a guess, so that it is the same for everybody.

    ``number``: how many a trajectory had before it; ``label``: until it is kept.
    """

    positions: np.ndarray
    found: StateProperties
    guess: bytes | None
    cold: bool
    number: int = 0
    label: Label | None = None


class OnTheFly:
    """A :class:`~namd.potentials.calculator.Following`: an engine that knows the trajectories.

    Parameters
    ----------
    engine
        Of one molecule.
    kept
        Where labels of trajectories are kept; they are not if left out.
    """

    def __init__(self, engine: Engine, kept: KeptLabels | None = None) -> None:
        self.engine = engine
        self.kept = kept
        self.paths: dict[int, tuple[_Computed, ...]] = {}

    def __call__(self, positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
        """Energies, gradients and couplings (Bohr, Hartree); NaN where the engine fails."""
        known = self._anywhere(positions, cold=False)
        return self._at(_NOBODY, positions).found if known is None else known.found

    def of(self, trajectory: int) -> Electronics:
        """The same, of the next geometry of a trajectory."""

        def electronics(positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
            return self._at(trajectory, positions).found

        return electronics

    def remembered(self) -> dict[int, bytes]:
        """What the next step of every trajectory starts from."""
        return {
            trajectory: pack_guess([_as_plain(each) for each in path])
            for trajectory, path in self.paths.items()
        }

    def recall(self, remembered: Mapping[int, bytes]) -> None:
        """Go on with what was remembered."""
        self.paths = {
            trajectory: tuple(_from_plain(each) for each in unpack_guess(data))
            for trajectory, data in remembered.items()
        }

    def _at(self, trajectory: int, positions: np.ndarray) -> _Computed:
        path = self.paths.get(trajectory, ())
        known = _same(path, positions) if path else self._anywhere(positions, cold=True)
        if known is None:
            known = self._computed(positions, guess=path[-1].guess if path else None)
        if known not in path:
            known = replace(known, number=path[-1].number + 1 if path else 0)
            self._keep(trajectory, known)
            before = (replace(each, guess=None) for each in path)  # nobody starts from there again
            self.paths[trajectory] = (*before, known)[-_KEPT:]
        return known

    def _keep(self, trajectory: int, known: _Computed) -> None:
        if self.kept is not None and trajectory != _NOBODY and known.label is not None:
            self.kept.keep(trajectory, known.number, known.positions, known.label)

    def _anywhere(self, positions: np.ndarray, *, cold: bool) -> _Computed | None:
        """Find the geometry among the latest ones of all; if asked so, a cold one only."""
        everything = (each for path in self.paths.values() for each in path)
        return _same([each for each in everything if each.cold or not cold], positions)

    def _computed(self, positions: np.ndarray, *, guess: bytes | None) -> _Computed:
        """A label; of a failure NaN and the same guess as before."""
        place, cold = positions.copy(), guess is None
        try:
            answer = self.engine.label(place, guess=None if guess is None else unpack_guess(guess))
        except EngineError:
            return _Computed(
                positions=place, found=self._unknown(positions), guess=guess, cold=cold
            )
        label = answer.label
        return _Computed(
            positions=place,
            found=StateProperties(
                energies=label.energies,
                gradients=-label.forces,
                couplings=label.interstate_coupling,
            ),
            guess=None if answer.guess is None else pack_guess(answer.guess),
            cold=cold,
            label=label,
        )

    def _unknown(self, positions: np.ndarray) -> StateProperties:
        states = self.engine.describe().states
        pairs = (len(states.pairs), *positions.shape)
        return StateProperties(
            energies=np.full(len(states), np.nan),
            gradients=np.full((len(states), *positions.shape), np.nan),
            couplings=np.full(pairs, np.nan) if len(states) > 1 else None,
        )


def _same(among: Sequence[_Computed], positions: np.ndarray) -> _Computed | None:
    found = [each for each in among if np.array_equal(each.positions, positions)]
    return found[-1] if found else None


def _as_plain(each: _Computed) -> dict[str, Any]:
    return {
        "positions": each.positions,
        "energies": each.found.energies,
        "gradients": each.found.gradients,
        "couplings": each.found.couplings,
        "guess": None if each.guess is None else np.frombuffer(each.guess, dtype=np.uint8),
        "cold": each.cold,
        "number": each.number,
    }


def _from_plain(plain: dict[str, Any]) -> _Computed:
    guess = plain["guess"]
    names = ("energies", "gradients", "couplings")
    return _Computed(
        positions=plain["positions"],
        found=StateProperties(**{name: plain[name] for name in names}),
        guess=None if guess is None else guess.tobytes(),
        cold=plain["cold"],
        number=plain["number"],
    )


def engine_potential(
    engine: Engine, molecule: Molecule, *, settings: str = "", kept: KeptLabels | None = None
) -> CalculatorPotential:
    """Make a potential of a reference engine.

    Parameters
    ----------
    engine
        Energies and forces of all states and, of several, couplings.
    molecule
        The atoms it was made for.
    settings
        All of the engine, in words: their digest is the potential's.
    kept
        Where labels of trajectories are kept; they are not if left out.

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
        electronics=OnTheFly(engine, kept),
        name=info.level_of_theory,
        digest=hashlib.sha256(settings.encode()).hexdigest() if settings else "",
    )
