"""Equivariant convolution over neighbours (MACE, eqs. 8 and 9).

    A_i^{l3} = Σ_p W_p Σ_j R_p(r_ij) [Y^{l2}(r̂_ij) ⊗ h_j^{l1}]^{l3},    p = (l1, l2, l3)

channel by channel; each path p has its own radial weight per channel, the same for i and j. The sum
is one compiled loop over edges (:mod:`namd.nn.published.edge_form`).

References
----------
Batatia et al., "MACE: Higher order equivariant message passing neural networks for fast and
accurate force fields", NeurIPS 2022, arXiv:2206.07697.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import torch
from e3nn import o3
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from namd.nn.fusion.paths import Path, natural_paths
from namd.nn.linear import components
from namd.nn.published.edge_form import EdgeForm, NeighbourSum, Places
from namd.nn.published.edges import Edges
from namd.nn.published.maps import IrrepLinear, Perceptron, parts


def clebsch_gordan(l1: int, l2: int, l3: int) -> Float64[Tensor, "first second third"]:
    """Real Clebsch–Gordan tensor in component normalisation: √(2 l3 + 1) times the 3j symbol.

    Tables stay in double precision and are rounded where they are used, so that a network turned
    to float64 is equivariant to its last digits.
    """
    tensor: Tensor = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
    scaled: Tensor = tensor * (2 * l3 + 1) ** 0.5
    return scaled


@dataclass(frozen=True, eq=False, kw_only=True)
class PathsApart:
    """Nonzeros of some paths whose results are all kept, and how these are stacked.

    Parameters
    ----------
    path, first, second, result
        Number of the path, stacked components of both inputs and of the results, by nonzero.
    value
        The coefficient.
    blocks
        (l, number of paths) of the results. Within an l components come first, then paths: those of
        one component lie side by side with their channels, as a mix of all paths wants them.
    """

    path: Int[np.ndarray, " nonzero"]
    first: Int[np.ndarray, " nonzero"]
    second: Int[np.ndarray, " nonzero"]
    result: Int[np.ndarray, " nonzero"]
    value: Float64[np.ndarray, " nonzero"]
    blocks: tuple[tuple[int, int], ...]

    @property
    def sizes(self) -> list[int]:
        """Components of every block."""
        return [(2 * l + 1) * count for l, count in self.blocks]

    def by_l(
        self, stacked: Float[Tensor, "molecule atom result channel"]
    ) -> dict[int, Float[Tensor, "molecule atom _ _"]]:
        """Results by l, [molecule, atom, component, path · channel]."""
        pieces = torch.split(stacked, self.sizes, dim=2)
        return {
            l: piece.reshape(*piece.shape[:2], 2 * l + 1, -1)
            for (l, _), piece in zip(self.blocks, pieces, strict=True)
        }


def apart(paths: Sequence[Path]) -> PathsApart:
    """Couple along paths (l1, l2, l3) of natural parity without adding any two up."""
    counts = Counter(l3 for _, _, l3 in paths)
    blocks = tuple((l, counts[l]) for l in sorted(counts))
    ends = accumulate((2 * l + 1) * count for l, count in blocks)
    starts = dict(zip(sorted(counts), chain([0], ends), strict=False))
    entries = []
    for number, (l1, l2, l3) in enumerate(paths):
        before = sum(l3 == path[2] for path in paths[:number])
        tensor = clebsch_gordan(l1, l2, l3).numpy()
        for m1, m2, m3 in zip(*np.nonzero(np.abs(tensor) > 1e-10), strict=True):
            result = starts[l3] + m3 * counts[l3] + before
            entries.append((number, l1 * l1 + m1, l2 * l2 + m2, result, tensor[m1, m2, m3]))
    path, first, second, result, value = map(np.array, zip(*entries, strict=True))
    return PathsApart(
        path=path, first=first, second=second, result=result, value=value, blocks=blocks
    )


class PathSums(nn.Module):
    """Σ_j R_p(r_ij) [Y^{l2}(r̂_ij) ⊗ s_j^{l1}]^{l3} along paths p = (l1, l2, l3), each apart.

    Parameters
    ----------
    paths
        In the order in which the results of one l3 lie side by side.
    source_l
        Lowest and highest l stacked in the source.
    harmonic_l
        Highest l of the harmonics.
    radial
        Number of the radial weight of each path; one after the other if None.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        source_l: tuple[int, int],
        harmonic_l: int,
        radial: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        weights = range(len(paths)) if radial is None else radial
        lowest, highest = source_l
        self.stack = apart(paths)
        sizes = (
            components(highest) - lowest * lowest,
            max(weights) + 1,
            sum(self.stack.sizes),
            components(harmonic_l),
        )
        self.sum = NeighbourSum(
            EdgeForm(
                source=self.stack.first - lowest * lowest,
                radial=np.array(weights)[self.stack.path],
                result=self.stack.result,
                harmonic=self.stack.second,
                value=self.stack.value,
                sizes=sizes,
            )
        )

    def forward(
        self,
        source: Float[Tensor, "molecule source first channel"],
        radial: Float[Tensor, "molecule pair weight"],
        harmonics: Float[Tensor, "molecule atom atom second"],
        places: Places,
    ) -> dict[int, Float[Tensor, "molecule atom _ _"]]:
        """Sums by l3, [molecule, atom, component, path · channel]; ``weight``: path · channel."""
        weights = radial.view(*radial.shape[:2], -1, source.shape[-1])
        return self.stack.by_l(self.sum(source, weights, harmonics, places))


class Convolution(nn.Module):
    """Sum over neighbours with a radial perceptron, and a mix of all paths per output l.

    Parameters
    ----------
    input_l, harmonic_l, output_l
        Highest l of the neighbour's feature, of the harmonics and of the result.
    channels
        Channels throughout.
    radial_widths
        Number of radial functions and hidden widths of the radial perceptron.
    """

    def __init__(
        self,
        *,
        input_l: int,
        harmonic_l: int,
        output_l: int,
        channels: int,
        radial_widths: Sequence[int],
    ) -> None:
        super().__init__()
        paths = natural_paths(input_l, harmonic_l, output_l)
        self.paths = sorted(paths, key=lambda p: (p[2], p[0], p[1]))
        self.up = IrrepLinear(inputs=[channels] * (input_l + 1), outputs=channels)
        self.radial = Perceptron([*radial_widths, len(paths) * channels])
        self.sums = PathSums(self.paths, source_l=(0, input_l), harmonic_l=harmonic_l)
        into = [sum(path[2] == l for path in paths) * channels for l in range(output_l + 1)]
        self.mix = IrrepLinear(inputs=into, outputs=channels)

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"], edges: Edges
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Messages at every atom."""
        source = self.up(parts(feature))
        sums = self.sums(source, self.radial(edges.waves), edges.harmonics, edges.from_neighbours())
        mixed: Tensor = self.mix([sums[l] for l in sorted(sums)])
        return mixed
