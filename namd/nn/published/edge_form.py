"""Sums over neighbours as the derivatives of one form, on all edges at once.

    Q(s, r, g; y) = Σ_ij Σ_n v_n y_ij[m_n] Σ_c s_ij[a_n, c] r_ij[p_n, c] g_ij[k_n, c]

with an edge for every ordered pair of atoms, its harmonics y and, channel by channel, three legs:
what comes from the neighbour, its radial weights, and what the centre is contracted with. Each leg
is a set of rows, and an edge picks one of each: s that of j, r that of the unordered pair, g that
of i. The message Σ_j at every atom is ∂Q/∂g.

On the CPU it and its derivatives are compiled loops (:mod:`namd.nn.published.edge_operators`),
elsewhere, or where ``NAMD_CG_BACKEND`` is einsum (:mod:`namd.nn.fusion.backends.choice`),
:func:`reference` is used, whose intermediate results are as large as edges × paths × channels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from namd.nn.fusion.backends.choice import wanted
from namd.nn.published.edge_checks import COMPILED
from namd.nn.published.edge_operators import edge_rows
from namd.nn.published.edge_tables import RADIAL, RESULT, SOURCE, registered, tables_of


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """Where the edges of a batch of equal molecules find their rows.

    Parameters
    ----------
    within
        Which edges there are.
    index
        Row of s, r and g in the molecule.
    rows
        How many rows of each a molecule has.
    """

    within: Bool[Tensor, "molecule atom atom"]
    index: Int[Tensor, "leg atom atom"]
    rows: tuple[int, int, int]


class EdgeForm:
    """The constants of Q.

    Parameters
    ----------
    source, radial, result, harmonic
        a, p, k and m of every nonzero n. Every k belongs to one p.
    value
        v.
    sizes
        How many a, p, k and m there are.
    """

    def __init__(
        self,
        *,
        source: Int[np.ndarray, " nonzero"],
        radial: Int[np.ndarray, " nonzero"],
        result: Int[np.ndarray, " nonzero"],
        harmonic: Int[np.ndarray, " nonzero"],
        value: Float[np.ndarray, " nonzero"],
        sizes: tuple[int, int, int, int],
    ) -> None:
        self.columns = np.stack([source, radial, result])
        self.harmonic = harmonic
        self.value = value
        self.sizes = sizes
        self.key = self._registered()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._registered()  # copied or unpickled, maybe in another process

    def _registered(self) -> str:
        return registered(
            columns=self.columns, harmonic=self.harmonic, value=self.value, sizes=self.sizes
        )

    def path(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources a and results k of a path, and all its v, [m, a, k]."""
        chosen = np.flatnonzero(self.columns[RADIAL] == number)
        source, a = np.unique(self.columns[SOURCE][chosen], return_inverse=True)
        result, k = np.unique(self.columns[RESULT][chosen], return_inverse=True)
        dense = np.zeros((self.sizes[3], len(source), len(result)))
        dense[self.harmonic[chosen], a, k] = self.value[chosen]
        return source, result, dense


class NeighbourSum(nn.Module):
    """∂Q/∂g of a form: Σ_j Σ_n v_n y_ij[m_n] s_ij[a_n] r_ij[p_n] for every atom i and result k_n.

    Parameters
    ----------
    form
        Its constants.
    """

    def __init__(self, form: EdgeForm) -> None:
        super().__init__()
        self.form = form
        self.compiled = wanted() != "einsum"

    def forward(
        self,
        source: Float[Tensor, "molecule source a channel"],
        radial: Float[Tensor, "molecule pair p channel"],
        harmonics: Float[Tensor, "molecule atom atom m"],
        places: Places,
    ) -> Float[Tensor, "molecule atom k channel"]:
        """Sum over neighbours."""
        if self.compiled and source.device.type == "cpu" and source.dtype in COMPILED:
            where = (places.within, places.index, places.rows)
            return edge_rows(source, radial, harmonics, *where, RESULT, self.form.key)
        return reference(source, radial, harmonics, places=places, form=self.form)

    def flops(self, *, edges: int, channels: int) -> int:
        """Floating-point operations for a number of edges."""
        _, value, groups = tables_of(self.form.key).rows(RESULT)
        terms, sums = len(value), len(groups[0]) - 1
        return edges * (terms + 2 * channels * (terms + sums))


def reference(
    source: Float[Tensor, "molecule source first channel"],
    radial: Float[Tensor, "molecule pair path channel"],
    harmonics: Float[Tensor, "molecule atom atom second"],
    *,
    places: Places,
    form: EdgeForm,
) -> Float[Tensor, "molecule atom output channel"]:
    """What :class:`NeighbourSum` does, path by path in tensor operations."""
    index = places.index
    sources = source[:, index[SOURCE]]
    weights = radial[:, index[RADIAL]] * places.within[..., None, None]
    sums, results = [], []
    for path in range(form.sizes[RADIAL]):
        rows, result, dense = form.path(path)
        coupled = harmonics @ torch.from_numpy(dense).to(harmonics).flatten(1)
        coupled = coupled.view(*harmonics.shape[:3], *dense.shape[1:]).flatten(2, 3)
        chosen = sources[..., torch.from_numpy(rows).to(index.device), :]
        sums.append(coupled.mT @ (chosen * weights[..., path, None, :]).flatten(2, 3))
        results.append(result)
    order = torch.from_numpy(np.argsort(np.concatenate(results))).to(index.device)
    return torch.cat(sums, dim=2)[:, :, order]
