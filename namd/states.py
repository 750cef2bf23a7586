"""The electronic states a dataset, model or run speaks about."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from namd.errors import DataError


@dataclass(frozen=True)
class StateSpace:
    """Adiabatic states in ascending energy, with their printed labels.

    Parameters
    ----------
    labels
        One label per state, e.g. ``("S0", "S1")``; the position is the 0-based state number.
    """

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise DataError(
                f"state labels {self.labels!r} must be distinct and at least one",
                hint="name the states S0, S1, …",
            )

    @classmethod
    def singlets(cls, number: int) -> "StateSpace":
        """S0, S1, … up to ``number`` states."""
        return cls(tuple(f"S{k}" for k in range(number)))

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs i < j in the order of every ``pair`` axis: 01, 02, 12; in general row by row."""
        return tuple(combinations(range(len(self)), 2))

    def pair_index(self, i: int, j: int) -> int:
        """Position of the unordered pair (i, j) on a ``pair`` axis."""
        return self.pairs.index((min(i, j), max(i, j)))
