"""Cormorant and CoFD: networks whose only nonlinearity is the Clebsch–Gordan product.

::

    g_ij = f(r_ij) [g_ij ⊕ F_i·F_j ⊕ B(r_ij)] W                             edges, per channel and l
    F_i' = [F_i ⊕ F_i ⊗ F_i ⊕ Σ_j g_ij Y(r̂_ij) ⊗ F_j/√n̄ (⊕ fusion block)] W   atoms

with F_i·F_j the mean over the 2l + 1 components and n̄ the usual number of neighbours.

Cormorant is Anderson, Hy and Kondor, NeurIPS 2019, arXiv:1906.04015 (eqs. 11 to 14); CoFD adds the
three-leg fusion block (:mod:`namd.nn.published.three_leg`), Li et al. 2024,
doi:10.1088/2632-2153/ad4a04. Ours departs from the published code in three points: features are
real irreps of O(3) with natural parity where that has complex ones of SO(3); radial functions are
Bessel waves where that has sines with learned wavelengths; a product F_i ⊗ F_i takes (l1, l2) and
(l2, l1), which are equal, once. The published sizes (299 808 and 121 872 parameters, for the five
elements of QM9) are therefore not those of these networks.

What is read out are the scalars of every layer and the squared norms of all other irreps.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.config.architecture import CormorantArchitecture
from namd.nn.base import DiabaticNetwork, Layer, Prediction, with_children
from namd.nn.fusion.irreps import natural_irreps, with_channels
from namd.nn.fusion.paths import CouplingTable, natural_paths
from namd.nn.fusion.product import PathProducts
from namd.nn.linear import components
from namd.nn.published.atoms import SortedAtoms
from namd.nn.published.convolution import PathSums, apart
from namd.nn.published.diagrams import convolution_diagram, square_diagram
from namd.nn.published.edges import EdgeBasis, Edges
from namd.nn.published.maps import IrrepLinear, Perceptron, parts
from namd.nn.published.three_leg import SparseFusion
from namd.nn.readout import QuasiDiabaticReadout


def invariants(
    feature: Float[Tensor, "molecule atom component channel"],
) -> Float[Tensor, "molecule atom scalar"]:
    """Scalars, and mean squares of the components of every higher l."""
    scalars, *others = parts(feature)
    squares = [part.square().mean(-2) for part in others]
    return torch.cat([scalars[..., 0, :], *squares], dim=-1)


class EdgeUpdate(nn.Module):
    """Weights g_ij of every pair, one per channel and l of the harmonics.

    Parameters
    ----------
    feature_l, harmonic_l
        Highest l of the features and of the harmonics.
    channels, radial
        Channels and radial functions.
    first
        Whether there are no weights of an earlier layer.
    """

    def __init__(
        self, *, feature_l: int, harmonic_l: int, channels: int, radial: int, first: bool
    ) -> None:
        super().__init__()
        width = (harmonic_l + 1) * channels
        dots = (feature_l + 1) * channels
        self.mix = Perceptron([dots + radial + (0 if first else width), width])

    def forward(
        self,
        weights: Float[Tensor, "molecule pair width"] | None,
        feature: Float[Tensor, "molecule atom component channel"],
        edges: Edges,
    ) -> Float[Tensor, "molecule pair width"]:
        """New weights; zero beyond the cut-off."""
        atoms = feature.shape[1]
        first, second = torch.triu_indices(atoms, atoms, offset=1, device=feature.device)
        products = feature[:, first] * feature[:, second]
        dots = [part.mean(-2) for part in parts(products)]
        known = [*dots, edges.waves] if weights is None else [*dots, edges.waves, weights]
        mixed: Tensor = self.mix(torch.cat(known, dim=-1))
        return mixed * edges.window[..., None]


class SelfProduct(nn.Module):
    """All paths of F ⊗ F with l1 ≤ l2, channel by channel."""

    def __init__(self, *, input_l: int, output_l: int, channels: int) -> None:
        super().__init__()
        self.paths = [p for p in natural_paths(input_l, input_l, output_l) if p[0] <= p[1]]
        self.stack = apart(self.paths)
        table = CouplingTable(
            paths=((0, 0, 0),),
            first=self.stack.first,
            second=self.stack.second,
            output=self.stack.result,
            path=np.zeros_like(self.stack.path),
            value=self.stack.value,
            dimensions=(components(input_l), components(input_l), sum(self.stack.sizes)),
        )
        self.couple = PathProducts(table=table, channels=channels)

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"]
    ) -> dict[int, Float[Tensor, "molecule atom _ _"]]:
        """Products by the l they lead to, [molecule, atom, component, path · channel]."""
        legs = feature.permute(2, 0, 1, 3).flatten(1, 2)
        products = self.couple(legs, legs).view(-1, *feature.shape[:2], feature.shape[-1])
        return self.stack.by_l(products.permute(1, 2, 0, 3))


class CormorantLayer(nn.Module):
    """One update of edges and atoms.

    Parameters
    ----------
    architecture
        Sizes.
    input_l
        Highest l of the features that come in.
    """

    def __init__(self, architecture: CormorantArchitecture, *, input_l: int) -> None:
        super().__init__()
        a = architecture
        self.channels = a.channels
        self.input_l, self.output_l = input_l, a.l_max
        self.edge = EdgeUpdate(
            feature_l=input_l,
            harmonic_l=a.l_max,
            channels=a.channels,
            radial=a.radial,
            first=input_l == 0,
        )
        self.square = SelfProduct(input_l=input_l, output_l=a.l_max, channels=a.channels)
        paths = natural_paths(input_l, a.l_max, a.l_max)
        self.sums = PathSums(
            paths,
            source_l=(0, input_l),
            harmonic_l=a.l_max,
            radial=[l2 for _, l2, _ in paths],
        )
        self.fusion = None
        if a.fusion == "sparse" and input_l > 0:
            self.fusion = SparseFusion(
                feature_l=input_l,
                harmonic_l=a.l_max,
                output_l=a.l_max,
                internal_l=a.internal_l,
                channels=a.channels,
                radial=a.radial,
            )
        into = [
            (l <= input_l)
            + sum(path[2] == l for path in [*self.square.paths, *paths])
            + (self.fusion is not None)
            for l in range(a.l_max + 1)
        ]
        self.mix = IrrepLinear(inputs=[n * a.channels for n in into], outputs=a.channels)

    def forward(
        self,
        feature: Float[Tensor, "molecule atom input channel"],
        weights: Float[Tensor, "molecule pair width"] | None,
        edges: Edges,
        neighbours: Tensor,
    ) -> tuple[Float[Tensor, "molecule atom output channel"], Float[Tensor, "molecule pair width"]]:
        """Updated features and edge weights; ``neighbours`` is n̄."""
        weights = self.edge(weights, feature, edges)
        squares = self.square(feature)
        gathered = [[squares[l]] if l in squares else [] for l in range(self.output_l + 1)]
        for l, part in enumerate(parts(feature)):
            gathered[l].append(part)
        messages = self.sums(feature, weights, edges.harmonics, edges.from_neighbours())
        for l, message in messages.items():
            gathered[l].append(message / neighbours.sqrt())
        if self.fusion is not None:
            for l, part in enumerate(parts(self.fusion(feature, edges))):
                gathered[l].append(part / neighbours.sqrt())
        return self.mix([torch.cat(group, dim=-1) for group in gathered]), weights

    def describe(self, module: str) -> Layer:
        """Edge weights, square, products with harmonics, fusion block and mix."""
        sizes = {"feature_l": self.input_l, "output_l": self.output_l}
        irreps = with_channels(natural_irreps(self.output_l), self.channels)
        diagrams = (
            square_diagram(**sizes),
            convolution_diagram(**sizes, harmonic_l=self.output_l),
            *(() if self.fusion is None else self.fusion.diagrams),
        )
        return with_children(Layer(module=module, irreps=irreps, diagrams=diagrams), self)


class CormorantNetwork(DiabaticNetwork):
    """Dimensionless quasi-diabatic matrix from Cormorant, or CoFD where it has a fusion block.

    Parameters
    ----------
    architecture
        Sizes; see :class:`namd.config.architecture.CormorantArchitecture`.
    atomic_numbers
        One per atom; their order is the molecule's.
    diabats
        Size of W.
    """

    neighbours: Tensor

    def __init__(
        self,
        *,
        architecture: CormorantArchitecture,
        atomic_numbers: Int[Tensor, " atom"],
        diabats: int,
    ) -> None:
        super().__init__()
        a = architecture
        self.diabats = diabats
        atoms = len(atomic_numbers)
        self.atoms = SortedAtoms(atomic_numbers)
        self.edges = EdgeBasis(
            cutoff=a.cutoff_angstrom,
            radial=a.radial,
            l_max=a.l_max,
            envelope_order=a.envelope_order,
            atoms=atoms,
        )
        self.embedding = nn.Parameter(torch.randn(len(self.atoms.counts), a.channels))
        self.register_buffer("neighbours", torch.tensor(float(atoms - 1)))
        self.layers = nn.ModuleList(
            CormorantLayer(a, input_l=0 if layer == 0 else a.l_max) for layer in range(a.layers)
        )
        self.readout = QuasiDiabaticReadout(
            inputs=a.channels * (1 + a.layers * (a.l_max + 1)),
            hidden=a.hidden,
            diabats=diabats,
            atoms=atoms,
            labels=a.site_labels,
            offdiagonal_limit=a.offdiagonal_limit_ev,
            offdiagonal_bound=a.offdiagonal_bound,
        )

    def calibrate(self, positions: Float[Tensor, "molecule atom 3"]) -> None:
        """Set n̄ to the mean number of neighbours in a sample of geometries (Bohr)."""
        self.neighbours.copy_(self.edges.mean_neighbours(positions))

    def forward(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in units of the model's scale, without its shift, at ``positions`` in Bohr."""
        return self.evaluate(positions).matrix

    def evaluate(
        self,
        positions: Float[Tensor, "molecule atom 3"],
        *,
        dipoles: bool = False,  # noqa: ARG002  (it has none)
    ) -> Prediction:
        """W, and what its last layer reads."""
        matrix, pooled = self.readout(self.node_scalars(positions))
        return Prediction(matrix=matrix, features=pooled)

    def node_scalars(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule atom feature"]:
        """Scalars and squared norms of all layers."""
        edges = self.edges(self.atoms.sort(positions))
        start = self.atoms.spread(self.embedding)
        feature = start[:, None].expand(len(positions), -1, -1, -1)
        weights = None
        read = [invariants(feature)]
        for layer in self.layers:
            feature, weights = layer(feature, weights, edges, self.neighbours)
            read.append(invariants(feature))
        restored: Tensor = self.atoms.restore(torch.cat(read, dim=-1))
        return restored

    def describe(self) -> tuple[Layer, ...]:
        """Edges, layers with their parts and diagrams, readout."""
        layers = [layer for layer in self.layers if isinstance(layer, CormorantLayer)]
        return (
            Layer(module="edges", irreps=with_channels(natural_irreps(self.edges.l_max), 1)),
            *(layer.describe(f"layers.{n}") for n, layer in enumerate(layers)),
            Layer(module="readout", irreps=f"{self.diabats * (self.diabats + 1) // 2}x0e"),
        )
