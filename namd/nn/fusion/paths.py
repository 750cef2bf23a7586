"""Clebsch–Gordan paths between irreps of O(3), and their sparse coupling tables.

A *path* couples an incoming l1 and l2 to an outgoing l3. It is allowed when
|l1 − l2| ≤ l3 ≤ l1 + l2. Features here carry natural parity, p = (−1)^l (0e, 1o, 2e, …), so that
only paths with even l1 + l2 + l3 keep it (p3 = p1 p2); pseudo-tensors do not arise.

The real Clebsch–Gordan tensors are e3nn's ``wigner_3j`` (unit Frobenius norm), multiplied by
√(2 l3 + 1) so that a product of unit-variance components has unit variance ("component"
normalisation). Reference: Li et al., Mach. Learn.: Sci. Technol. 5, 025044 (2024),
doi:10.1088/2632-2153/ad4a04, section 3.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from e3nn import o3
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class CouplingTable:
    """Nonzero Clebsch–Gordan coefficients of a set of paths, ready for a fused loop.

    Components of all l of one feature are stacked: component ``l² + m`` belongs to (l, m).

    Parameters
    ----------
    paths
        (l1, l2, l3) per path, in the order of the weights' ``path`` axis.
    first, second, output, path
        For each nonzero: component of the first and second input, of the output, and the path.
    value
        The coefficient.
    dimensions
        Number of stacked components of first input, second input and output.
    """

    paths: tuple[tuple[int, int, int], ...]
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


def allowed_paths(first_l: int, second_l: int, output_l: int) -> tuple[tuple[int, int, int], ...]:
    """All natural-parity paths from l1 ≤ ``first_l`` and l2 ≤ ``second_l`` to l3 ≤ ``output_l``."""
    return tuple(
        (l1, l2, l3)
        for l1 in range(first_l + 1)
        for l2 in range(second_l + 1)
        for l3 in range(abs(l1 - l2), min(l1 + l2, output_l) + 1)
        if (l1 + l2 + l3) % 2 == 0
    )


@lru_cache
def coupling_table(first_l: int, second_l: int, output_l: int) -> CouplingTable:
    """Sparse table of all allowed paths between features up to the given l."""
    paths = allowed_paths(first_l, second_l, output_l)
    entries = []
    for p, (l1, l2, l3) in enumerate(paths):
        tensor = o3.wigner_3j(l1, l2, l3, dtype=torch.float64).numpy() * np.sqrt(2 * l3 + 1)
        for m1, m2, m3 in zip(*np.nonzero(np.abs(tensor) > 1e-10), strict=True):
            key = (l1 * l1 + m1, l2 * l2 + m2, l3 * l3 + m3, p)
            entries.append((*key, tensor[m1, m2, m3]))
    # Sorted by output, then first input: the inner loop keeps its rows in cache.
    entries.sort(key=lambda e: (e[2], e[0], e[1], e[3]))
    columns = list(zip(*entries, strict=True))
    first, second, output, path = (np.array(c, dtype=np.int64) for c in columns[:4])
    return CouplingTable(
        paths=paths,
        first=first,
        second=second,
        output=output,
        path=path,
        value=np.array(columns[4], dtype=np.float64),
        dimensions=((first_l + 1) ** 2, (second_l + 1) ** 2, (output_l + 1) ** 2),
    )
