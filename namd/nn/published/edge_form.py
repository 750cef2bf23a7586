"""Sums over neighbours as the derivatives of one form, on all edges at once.

    Q(s, r, g; y) = Σ_ij Σ_n v_n y_ij[m_n] Σ_c s_ij[a_n, c] r_ij[p_n, c] g_ij[k_n, c]

with an edge for every ordered pair of atoms, its harmonics y and, channel by channel, three legs:
what comes from the neighbour, its radial weights, and what the centre is contracted with. Each leg
is a set of rows, and an edge picks one of each: s that of j, r that of the unordered pair, g that
of i. The message Σ_j at every atom is ∂Q/∂g.

Q is linear in all four, so that every derivative of one of its derivatives is one again: two
operators, for a leg and for the harmonics, close under differentiation to any order. On the CPU
they are compiled (:mod:`namd.nn.published.edge_loops`), elsewhere :func:`reference` is used, whose
intermediate results are as large as edges × paths × channels.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from namd.nn.published.edge_loops import NARROW, WIDE, harmonics_loop, rows_loop

SOURCE, RADIAL, RESULT = 0, 1, 2
# For each leg that is asked for: the one summed over in registers, and the one multiplied then.
_OTHERS = {SOURCE: (RESULT, RADIAL), RADIAL: (SOURCE, RESULT), RESULT: (SOURCE, RADIAL)}
_COMPILED = (torch.float32, torch.float64)


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
        self.columns = (source, radial, result)
        self.harmonic = harmonic
        self.value = value
        self.sizes = sizes
        self._rows = {leg: self._sorted_rows(leg) for leg in _OTHERS}

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

    def path(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources a and results k of a path, and all its v, [m, a, k]."""
        chosen = np.flatnonzero(self.columns[RADIAL] == number)
        source, a = np.unique(self.columns[SOURCE][chosen], return_inverse=True)
        result, k = np.unique(self.columns[RESULT][chosen], return_inverse=True)
        dense = np.zeros((self.sizes[3], len(source), len(result)))
        dense[self.harmonic[chosen], a, k] = self.value[chosen]
        return source, result, dense

    def _sorted_rows(self, leg: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inner, factor = _OTHERS[leg]
        out, other = self.columns[leg], self.columns[factor]
        order = np.lexsort((self.harmonic, other, out))
        pairs = np.stack([other, out])[:, order]
        first = np.flatnonzero(np.any(np.diff(pairs, prepend=-1), axis=0))
        groups = np.stack([first, *pairs[:, first]])
        end = np.array([[len(order)], [0], [0]])
        entries = np.stack([self.columns[inner], self.harmonic])[:, order]
        return entries, self.value[order], np.concatenate([groups, end], axis=1)


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

    def forward(
        self,
        source: Float[Tensor, "molecule source a channel"],
        radial: Float[Tensor, "molecule pair p channel"],
        harmonics: Float[Tensor, "molecule atom atom m"],
        places: Places,
    ) -> Float[Tensor, "molecule atom k channel"]:
        """Sum over neighbours."""
        if source.device.type == "cpu" and source.dtype in _COMPILED:
            return _rows(RESULT, (source, radial), harmonics, places, self.form)
        return reference(source, radial, harmonics, places=places, form=self.form)

    def flops(self, *, edges: int, channels: int) -> int:
        """Floating-point operations for a number of edges."""
        _, value, groups = self.form.rows(RESULT)
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


def _rows(
    leg: int, others: tuple[Tensor, Tensor], harmonics: Tensor, places: Places, form: EdgeForm
) -> Tensor:
    result: Tensor = _Rows.apply(*others, harmonics, leg, places, form)  # type: ignore[no-untyped-call]
    return result


class _Rows(torch.autograd.Function):
    """∂Q/∂leg from the other two, in the order of ``_OTHERS``, and the harmonics."""

    @staticmethod
    def forward(  # noqa: PLR0917  (PyTorch: no keywords)
        inner: Tensor, factor: Tensor, y: Tensor, leg: int, places: Places, form: EdgeForm
    ) -> Tensor:
        entries, value, groups = form.rows(leg)
        arrays, width = _arrays(inner, factor)
        out = inner.new_zeros(len(inner), places.rows[leg], form.sizes[leg], arrays[0].shape[-1])
        rows_loop(width)(
            *arrays,
            _array(y),
            places.within.numpy(),
            _index(places, (*_OTHERS[leg], leg)),
            entries,
            value.astype(arrays[0].dtype),
            groups,
            out.numpy(),
        )
        return out[..., : inner.shape[-1]]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        *tensors, ctx.leg, ctx.places, ctx.form = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> tuple[Tensor | None, ...]:
        inner, factor, y = ctx.saved_tensors
        names = (*_OTHERS[ctx.leg], ctx.leg)
        legs = dict(zip(names, (inner, factor, u), strict=True))
        needed = ctx.needs_input_grad
        gradients = [
            _leg_gradient(name, legs, y, ctx) if need else None
            for name, need in zip(names[:2], needed, strict=False)
        ]
        along = _harmonics(legs, ctx) if needed[2] else None
        return *gradients, along, None, None, None


class _Harmonics(torch.autograd.Function):
    """∂Q/∂y from all legs."""

    @staticmethod
    def forward(s: Tensor, r: Tensor, g: Tensor, places: Places, form: EdgeForm) -> Tensor:
        entries, value, start, groups = form.by_harmonic
        arrays, width = _arrays(s, r, g)
        out = s.new_zeros(*places.within.shape, form.sizes[3])
        harmonics_loop(width)(
            *arrays,
            places.within.numpy(),
            _index(places, (SOURCE, RADIAL, RESULT)),
            entries,
            value.astype(arrays[0].dtype),
            start,
            groups,
            out.numpy(),
        )
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        *tensors, ctx.places, ctx.form = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> tuple[Tensor | None, ...]:
        legs = dict(enumerate(ctx.saved_tensors))
        gradients = [
            _leg_gradient(leg, legs, u, ctx) if ctx.needs_input_grad[leg] else None for leg in legs
        ]
        return *gradients, None, None


def _leg_gradient(leg: int, legs: dict[int, Tensor], y: Tensor, ctx: Any) -> Tensor:
    inner, factor = _OTHERS[leg]
    return _rows(leg, (legs[inner], legs[factor]), y, ctx.places, ctx.form)


def _harmonics(legs: dict[int, Tensor], ctx: Any) -> Tensor:
    tensors = (legs[SOURCE], legs[RADIAL], legs[RESULT])
    result: Tensor = _Harmonics.apply(*tensors, ctx.places, ctx.form)  # type: ignore[no-untyped-call]
    return result


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.contiguous().numpy(force=True)
    return array


def _arrays(*legs: Tensor) -> tuple[list[np.ndarray], int]:
    """The legs with as many channels as a width of the loops divides, and that width."""
    channels = legs[0].shape[-1]
    missing = -channels % NARROW
    padded = [torch.nn.functional.pad(leg, (0, missing)) if missing else leg for leg in legs]
    return [_array(leg) for leg in padded], WIDE if channels % WIDE == 0 else NARROW


def _index(places: Places, legs: tuple[int, int, int]) -> np.ndarray:
    index: np.ndarray = places.index.numpy()[list(legs)]
    return index
