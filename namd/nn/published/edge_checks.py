"""What the operators on edges refuse: loops without bounds checks would read beyond.

Shapes and precisions are checked wherever operators are called or traced, the numbers of rows in
an index where there are numbers: in the call itself.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from namd.errors import ConfigError
from namd.nn.published.edge_tables import EdgeTables, tables_of

COMPILED = (torch.float32, torch.float64)
"""Precisions that there are loops for."""


def checked_tables(
    form: str,
    legs: Mapping[int, Tensor],
    y: Tensor | None,
    *,
    within: Tensor,
    index: Tensor,
    rows: Sequence[int],
) -> EdgeTables:
    """Tables of a form that everything else fits.

    Parameters
    ----------
    form
        Their key.
    legs
        Those that are given.
    y
        Harmonics; None if they are not an argument.
    within, index, rows
        Of :class:`namd.nn.published.edge_form.Places`.

    Raises
    ------
    ConfigError
        If shapes, precisions or devices do not fit.
    """
    tables = tables_of(form)
    channels = next(iter(legs.values())).shape[-1]
    molecules, *atoms = within.shape
    expected = [(molecules, rows[leg], tables.sizes[leg], channels) for leg in legs]
    tensors = list(legs.values())
    if y is not None:
        expected.append((*within.shape, tables.sizes[3]))
        tensors.append(y)
    kind = tensors[0].dtype
    if [t.shape for t in (*tensors, index)] != [*expected, (len(rows), *atoms)] or len(rows) != 3:
        found = ", ".join(str(tuple(t.shape)) for t in (*tensors, index))
        wanted = ", ".join(map(str, (*expected, (3, *atoms))))
        raise _refusal(tables, f"expected tensors of shapes {wanted}, found {found}")
    if any(t.dtype != kind for t in tensors) or kind not in COMPILED:
        found = ", ".join(str(t.dtype) for t in tensors)
        raise _refusal(tables, f"expected float32 or float64 alone, found {found}")
    if within.dtype != torch.bool or index.dtype != torch.int64:
        found = f"{within.dtype} and {index.dtype}"
        raise _refusal(tables, f"expected bool for edges and int64 for rows, found {found}")
    if any(t.device != within.device for t in (*tensors, index)):
        raise _refusal(tables, "expected tensors on one device")
    return tables


def checked_index(
    index: Int[np.ndarray, "3 atom atom"], rows: Sequence[int], tables: EdgeTables
) -> Int[np.ndarray, "3 atom atom"]:
    """The index itself, if all its rows exist.

    Raises
    ------
    ConfigError
        If it names rows that there are not.
    """
    flat = index.reshape(3, -1)
    if flat.size and (flat.min() < 0 or np.any(flat.max(axis=1) >= rows)):
        found = f"{flat.min()} … {flat.max(axis=1).tolist()}"
        raise _refusal(tables, f"expected rows of edges below {list(rows)}, found {found}")
    return index


def _refusal(tables: EdgeTables, message: str) -> ConfigError:
    return ConfigError(
        message,
        where=f"sum over neighbours {tables.key}",
        hint="molecules first, then rows of atoms, pairs or edges, then components and channels",
    )
