"""An engine whose labels are kept as they are made: begun again, it reads what it has computed.

A search asks for one geometry after the other, and the way it goes depends on nothing but the
answers. Killed and begun again, it asks for the same geometries, is given the labels that it had,
and goes on where it was, from the guess it would have had.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from namd.qm.guess_file import pack_guess, unpack_guess
from namd.qm.kept_labels import KeptLabels
from namd.qm.protocol import Answer, Engine, EngineInfo, Guess


@dataclass
class KeptChain:
    """An :class:`~namd.qm.protocol.Engine`: one chain of labels.

    Parameters
    ----------
    engine
        What computes.
    kept
        Where its labels are kept.
    number
        Of the chain.
    """

    engine: Engine
    kept: KeptLabels
    number: int
    _length: int = field(default=0, init=False)

    def describe(self) -> EngineInfo:
        """Those of the engine."""
        return self.engine.describe()

    def label(
        self, positions: Float[np.ndarray, "atom 3"], *, guess: Guess | None = None
    ) -> Answer:
        """The label that is kept, or a new one.

        Raises
        ------
        EngineError
            If this geometry cannot be labelled.
        ConfigError
            If what is kept is of another search.
        DataError
            If what is kept is damaged.
        ResumableStop
            If a label cannot be kept.
        """
        place = (self.number, self._length)
        label = self.kept.find(*place, positions)
        if label is None:
            answer = self.engine.label(positions, guess=guess)
            left = None if answer.guess is None else pack_guess(answer.guess)
            self.kept.keep(*place, positions, answer.label, guess=left)
            answer = Answer(label=answer.label, guess=None if left is None else unpack_guess(left))
        else:
            answer = Answer(label=label, guess=self.kept.guess(*place))
        self._length += 1
        return answer
