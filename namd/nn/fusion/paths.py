"""Clebsch–Gordan paths between irreps of O(3), and their sparse coupling tables.

A *path* couples an incoming l1 and l2 to an outgoing l3. It is allowed when
|l1 − l2| ≤ l3 ≤ l1 + l2 and p3 = p1 p2. Features of natural parity, p = (−1)^l (0e, 1o, 2e, …),
need only paths with even l1 + l2 + l3; other irreps arise where a diagram names them.

The real Clebsch–Gordan tensors are e3nn's ``wigner_3j`` (unit Frobenius norm), multiplied by
√(2 l3 + 1) so that a product of unit-variance components has unit variance ("component"
normalisation). Reference: Li et al., Mach. Learn.: Sci. Technol. 5, 025044 (2024),
doi:10.1088/2632-2153/ad4a04, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from e3nn import o3
from jaxtyping import Float, Int

from namd.nn.fusion.irreps import Irreps, dimension, natural_irreps, offsets

Path = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class CouplingTable:
    """Nonzero Clebsch–Gordan coefficients of a set of paths, ready for a fused loop.

    Components of all irreps of one feature are stacked: for natural parity, component ``l² + m``
    belongs to (l, m).

    Parameters
    ----------
    paths
        Positions (first, second, output) of each path's irreps in their stacks, in the order of
        the weights' ``path`` axis. For natural parity they are (l1, l2, l3).
    first, second, output, path
        For each nonzero: component of the first and second input, of the output, and the path.
    value
        The coefficient.
    dimensions
        Number of stacked components of first input, second input and output.
    """

    paths: tuple[Path, ...]
    first: Int[np.ndarray, " nonzero"]
    second: Int[np.ndarray, " nonzero"]
    output: Int[np.ndarray, " nonzero"]
    path: Int[np.ndarray, " nonzero"]
    value: Float[np.ndarray, " nonzero"]
    dimensions: tuple[int, int, int]

    def dense(self) -> Float[np.ndarray, "path first second output"]:
        """The same numbers as one dense tensor."""
        tensor = np.zeros((len(self.paths), *self.dimensions))
        tensor[self.path, self.first, self.second, self.output] = self.value
        return tensor

    @property
    def flops(self) -> int:
        """Floating-point operations per node and channel of one product."""
        return 4 * len(self.value)


def allowed_paths(first: Irreps, second: Irreps, output: Irreps) -> tuple[Path, ...]:
    """Positions of all irreps that couple, in ascending order."""
    return tuple(
        (i, j, k)
        for i, one in enumerate(first)
        for j, two in enumerate(second)
        for k, three in enumerate(output)
        if three in one * two
    )


def natural_paths(first_l: int, second_l: int, output_l: int) -> tuple[Path, ...]:
    """All (l1, l2, l3) of natural parity up to the given l."""
    return allowed_paths(*map(natural_irreps, (first_l, second_l, output_l)))


@lru_cache(maxsize=4096)
def clebsch_gordan(l1: int, l2: int, l3: int) -> Float[np.ndarray, "first second output"]:
    """Real Clebsch–Gordan tensor with Σ_{m1 m2} C[m1, m2, m3] C[m1, m2, m3'] = δ; read-only."""
    with torch.device("cpu"):  # wherever the network is being built
        unit = o3.wigner_3j(l1, l2, l3, dtype=torch.float64).numpy()
    tensor = np.asarray(unit * np.sqrt(2 * l3 + 1))
    tensor.flags.writeable = False
    return tensor


@lru_cache
def coupling_table(first_l: int, second_l: int, output_l: int) -> CouplingTable:
    """Sparse table of all paths between natural-parity features up to the given l."""
    return irreps_table(*map(natural_irreps, (first_l, second_l, output_l)))


@lru_cache
def irreps_table(first: Irreps, second: Irreps, output: Irreps) -> CouplingTable:
    """Sparse table of all allowed paths between stacks of irreps; an irrep may stand repeatedly."""
    paths = allowed_paths(first, second, output)
    starts = tuple(map(offsets, (first, second, output)))
    entries = []
    for p, (i, j, k) in enumerate(paths):
        tensor = clebsch_gordan(first[i].l, second[j].l, output[k].l)
        for m1, m2, m3 in zip(*np.nonzero(np.abs(tensor) > 1e-10), strict=True):
            key = (starts[0][i] + int(m1), starts[1][j] + int(m2), starts[2][k] + int(m3), p)
            entries.append((*key, float(tensor[m1, m2, m3])))
    return _table(paths, entries, (dimension(first), dimension(second), dimension(output)))


def _table(
    paths: Sequence[Path],
    entries: list[tuple[int, int, int, int, float]],
    dimensions: tuple[int, int, int],
) -> CouplingTable:
    # Sorted by output, then first input: the inner loop keeps its rows in cache.
    entries.sort(key=lambda e: (e[2], e[0], e[1], e[3]))
    first, second, output, path, value = zip(*entries, strict=True)
    return CouplingTable(
        paths=tuple(paths),
        first=np.array(first, dtype=np.int64),
        second=np.array(second, dtype=np.int64),
        output=np.array(output, dtype=np.int64),
        path=np.array(path, dtype=np.int64),
        value=np.array(value, dtype=np.float64),
        dimensions=dimensions,
    )


def outer_table(table: CouplingTable) -> CouplingTable:
    """The same paths for an input that is already the outer product of both components."""
    second = table.dimensions[1]
    return CouplingTable(
        paths=table.paths,
        first=table.first * second + table.second,
        second=table.second * 0,
        output=table.output,
        path=table.path,
        value=table.value,
        dimensions=(table.dimensions[0] * second, 1, table.dimensions[2]),
    )


def separate_table(first: Irreps, second: Irreps, output: Irreps) -> tuple[CouplingTable, Irreps]:
    """As :func:`irreps_table` with every path's result apart, and what is then stacked.

    The result of path p is the p-th irrep of the stack returned.
    """
    paths = allowed_paths(first, second, output)
    stack = tuple(output[k] for *_, k in paths)
    table = irreps_table(first, second, output)
    shift = np.array(offsets(stack)) - np.array(offsets(output))[[k for *_, k in paths]]
    apart = CouplingTable(
        paths=tuple((i, j, p) for p, (i, j, _) in enumerate(paths)),
        first=table.first,
        second=table.second,
        output=table.output + shift[table.path],
        path=table.path,
        value=table.value,
        dimensions=(*table.dimensions[:2], dimension(stack)),
    )
    return apart, stack


def rerouted_table(
    table: CouplingTable, stack: Irreps, routes: Sequence[tuple[int, int]], outputs: Irreps
) -> CouplingTable:
    """Paths of a separate table led to other outputs, each as often as there is a route.

    Parameters
    ----------
    table, stack
        From :func:`separate_table`.
    routes
        For each new path, the path of ``table`` and the position in ``outputs`` of its result.
    outputs
        What is stacked; of the same irrep as the path that is led there.
    """
    before, after = offsets(stack), offsets(outputs)
    entries = []
    for p, (path, position) in enumerate(routes):
        shift = after[position] - before[path]
        for n in np.flatnonzero(table.path == path):
            key = (int(table.first[n]), int(table.second[n]), int(table.output[n]) + shift, p)
            entries.append((*key, float(table.value[n])))
    paths = [(*table.paths[path][:2], position) for path, position in routes]
    return _table(paths, entries, (*table.dimensions[:2], dimension(outputs)))
