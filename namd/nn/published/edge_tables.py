"""The nonzeros of a form as the loops over edges want them, known to operators by a key.

The key is a digest of their content, for the reasons :mod:`namd.nn.fusion.columns` gives for
coupling tables.
"""

from functools import cached_property
from hashlib import blake2b

import numpy as np
from jaxtyping import Float, Int

from namd.errors import ConfigError

SOURCE, RADIAL, RESULT = 0, 1, 2
OTHERS = {SOURCE: (RESULT, RADIAL), RADIAL: (SOURCE, RESULT), RESULT: (SOURCE, RADIAL)}
"""For each leg that is asked for: the one summed over in registers, the one multiplied then."""


class EdgeTables:
    """The constants of Q, sorted for each derivative.

    Parameters
    ----------
    columns
        Component of source, radial weight and result of every nonzero. Every result belongs to one
        radial weight.
    harmonic
        Component of the harmonics.
    value
        Coefficient.
    sizes
        Components of source, radial weights, results and harmonics.
    key
        What the operators know it by.
    """

    def __init__(
        self,
        *,
        columns: Int[np.ndarray, "leg nonzero"],
        harmonic: Int[np.ndarray, " nonzero"],
        value: Float[np.ndarray, " nonzero"],
        sizes: tuple[int, int, int, int],
        key: str,
    ) -> None:
        self.columns = columns
        self.harmonic = harmonic
        self.value = value
        self.sizes = sizes
        self.key = key
        self._rows = {leg: self._sorted_rows(leg) for leg in OTHERS}

    def rows(self, leg: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Entries, values and groups for the loop ``rows``."""
        return self._rows[leg]

    @cached_property
    def by_harmonic(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Entries, values, starts and groups for the loop ``harmonics``."""
        entries, value, groups = self._rows[RESULT]
        group = np.repeat(np.arange(groups.shape[1] - 1), np.diff(groups[0]))
        order = np.lexsort((group, entries[1]))
        start = np.searchsorted(entries[1][order], np.arange(self.sizes[3] + 1))
        return np.stack([entries[0], group])[:, order], value[order], start, groups

    def _sorted_rows(self, leg: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inner, factor = OTHERS[leg]
        out, other = self.columns[leg], self.columns[factor]
        order = np.lexsort((self.harmonic, other, out))
        pairs = np.stack([other, out])[:, order]
        first = np.flatnonzero(np.any(np.diff(pairs, prepend=-1), axis=0))
        groups = np.stack([first, *pairs[:, first]])
        end = np.array([[len(order)], [0], [0]])
        entries = np.stack([self.columns[inner], self.harmonic])[:, order]
        return entries, self.value[order], np.concatenate([groups, end], axis=1)


_known: dict[str, EdgeTables] = {}


def registered(
    *,
    columns: Int[np.ndarray, "leg nonzero"],
    harmonic: Int[np.ndarray, " nonzero"],
    value: Float[np.ndarray, " nonzero"],
    sizes: tuple[int, int, int, int],
) -> str:
    """Make the constants of a form known to the operators of this process, and tell their key.

    Tables are kept for the life of the process; equal ones are kept once. Arguments are those of
    :class:`EdgeTables`.
    """
    content = blake2b(digest_size=12)
    content.update(np.array(sizes, "<i8").tobytes())
    content.update(columns.astype("<i8").tobytes())
    content.update(harmonic.astype("<i8").tobytes())
    content.update(value.astype("<f8").tobytes())
    key = content.hexdigest()
    if key not in _known:
        _known[key] = EdgeTables(
            columns=columns, harmonic=harmonic, value=value, sizes=sizes, key=key
        )
    return key


def tables_of(key: str) -> EdgeTables:
    """The tables behind a key.

    Raises
    ------
    ConfigError
        If no form of this key was registered in this process.
    """
    try:
        return _known[key]
    except KeyError:
        raise ConfigError(
            "no form of this key is known in this process",
            where=f"sum over neighbours {key}",
            hint="build or load the module it belongs to first",
        ) from None
