"""Coupling tables as an operator's schema can name them: by a key made of their content.

A table is the constant of the trilinear operator. A ``str`` is what carries it through
``torch.library``: PyTorch's tracers never make a symbol of it (as they may of an integer), and
a digest of the content means the same table in every process, so that pickled modules and stored
graphs cannot meet another table under their number. Five index tensors instead would be
dispatched, wrapped and moved to NumPy in each call, of which a molecule alone makes dozens, and
could not be sorted ahead.

Derivatives exchange the columns of a table. Every order of the columns has a key of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import permutations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from namd.errors import ConfigError
from namd.nn.fusion.paths import CouplingTable

Order = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Entries:
    """The nonzeros of a table, sorted into groups.

    Parameters
    ----------
    index
        Three of first, second, output and path, without what they are sorted by.
    start
        Where each group begins, and the end of the last.
    values
        The coefficients in every precision there are loops for.
    """

    index: Int[np.ndarray, "3 nonzero"]
    start: Int[np.ndarray, " bound"]
    values: Mapping[torch.dtype, Float[np.ndarray, " nonzero"]]


class Columns:
    """One order of a table's columns (first, second, output), prepared for the back ends.

    Parameters
    ----------
    table
        Paths and coefficients.
    order
        Which of the table's columns is first, second and output here.
    key
        What the operators know it by.

    Attributes
    ----------
    sizes
        Components of first, second and output.
    paths
        Number of paths.
    """

    def __init__(self, table: CouplingTable, order: Order, key: str) -> None:
        self.table = table
        self.order = order
        self.key = key
        self.sizes = tuple(table.dimensions[o] for o in order)
        self.paths = len(table.paths)
        self._dense: dict[tuple[torch.device, torch.dtype], Tensor] = {}
        self._entries: dict[tuple[str, torch.device, torch.dtype], tuple[Tensor, ...]] = {}

    def permuted(self, roles: Order) -> str:
        """Key of the order whose (first, second, output) are our columns number ``roles``."""
        return _key(self.key.partition("-")[0], [self.order[role] for role in roles])

    @cached_property
    def by_output(self) -> Entries:
        """Sorted by output; ``index``: first, second, path."""
        first, second, output = self._columns()
        return _sorted(output, self.sizes[2], (first, second, self.table.path), self.table.value)

    @cached_property
    def by_path(self) -> Entries:
        """Sorted by path; ``index``: first, second, output."""
        return _sorted(self.table.path, self.paths, self._columns(), self.table.value)

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = (self.table.first, self.table.second, self.table.output)
        one, two, three = (columns[o] for o in self.order)
        return one, two, three

    def dense(self, like: Tensor) -> Float[Tensor, "path first second output"]:
        """All coefficients with the zeros, on the device and in the dtype of ``like``."""
        key = (like.device, like.dtype)
        if key not in self._dense:
            axes = (0, *(1 + o for o in self.order))
            tensor = torch.from_numpy(self.table.dense().transpose(axes).copy())
            self._dense[key] = tensor.to(device=like.device, dtype=like.dtype)
        return self._dense[key]

    def on_device(self, sorted_by: str, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Index, start (32-bit) and value of ``by_output`` or ``by_path`` on a device."""
        key = (sorted_by, like.device, like.dtype)
        if key not in self._entries:
            entries: Entries = getattr(self, sorted_by)
            arrays = (entries.index, entries.start)
            whole = [torch.from_numpy(array).to(like.device, torch.int32) for array in arrays]
            value = torch.from_numpy(entries.values[torch.float64]).to(like.device, like.dtype)
            self._entries[key] = (*whole, value)
        index, start, value = self._entries[key]
        return index, start, value


def _sorted(
    by: np.ndarray, groups: int, index: tuple[np.ndarray, ...], value: np.ndarray
) -> Entries:
    # Stable: the terms of a sum keep the table's order.
    order = np.argsort(by, kind="stable")
    values = {torch.float32: np.float32, torch.float64: np.float64}
    return Entries(
        index=np.stack([column[order] for column in index]),
        start=np.searchsorted(by[order], np.arange(groups + 1)),
        values={kind: value[order].astype(numbers) for kind, numbers in values.items()},
    )


_known: dict[str, Columns] = {}


def registered(table: CouplingTable) -> str:
    """Make a table known to the operators of this process, and tell its key.

    Tables are kept for the life of the process; equal ones are kept once.
    """
    digest = _digest(table)
    for one, two, three in permutations(range(3)):
        order = (one, two, three)
        key = _key(digest, order)
        if key not in _known:
            _known[key] = Columns(table, order, key)
    return _key(digest, (0, 1, 2))


def columns_of(key: str) -> Columns:
    """The table behind a key.

    Raises
    ------
    ConfigError
        If no table of this key was registered in this process.
    """
    try:
        return _known[key]
    except KeyError:
        raise ConfigError(
            "no coupling table of this key is known in this process",
            where=f"Clebsch–Gordan product {key}",
            hint="build or load the module it belongs to first",
        ) from None


def _key(digest: str, order: Sequence[int]) -> str:
    return f"{digest}-{''.join('ijk'[o] for o in order)}"


def _digest(table: CouplingTable) -> str:
    content = blake2b(digest_size=12)
    content.update(repr((len(table.paths), table.dimensions)).encode())
    for column in (table.first, table.second, table.output, table.path):
        content.update(column.astype("<i8").tobytes())
    content.update(table.value.astype("<f8").tobytes())
    return content.hexdigest()
