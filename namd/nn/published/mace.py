"""MACE and MoFD: density → symmetric contraction → messages → symmetric contraction → W.

::

    A^t = (1/n̄) [Σ_j R(r_ij) Y ⊗ h_j^t (+ fusion block)] W      convolution
    B^t = Σ_ν w (A^t)^ν                                         symmetric contraction
    h^{t+1} = B^t W + h^t W_z                                    update with residual

MACE is Batatia et al., NeurIPS 2022, arXiv:2206.07697, in its released form with a residual first
layer: all irreps l ≤ L between layers, scalars after the last. MoFD (Li et al. 2024,
doi:10.1088/2632-2153/ad4a04) is the same with one additive fusion block
(:mod:`namd.nn.published.three_leg`) in the message of every layer but the first: with scalar
features alone, as in the first, the block would be an ordinary convolution times a scalar.

Dense over all pairs of one molecule; atoms are sorted by element inside.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.config.architecture import MaceArchitecture
from namd.nn.base import DiabaticNetwork, Layer, Prediction, with_children
from namd.nn.fusion.irreps import natural_irreps, with_channels
from namd.nn.published.atoms import SortedAtoms
from namd.nn.published.contraction import SymmetricContraction
from namd.nn.published.convolution import Convolution
from namd.nn.published.diagrams import contraction_diagrams, convolution_diagram
from namd.nn.published.edges import EdgeBasis, Edges
from namd.nn.published.maps import ElementLinear, IrrepLinear, parts
from namd.nn.published.readout import MatrixReadout
from namd.nn.published.three_leg import DenseFusion, SparseFusion


class MaceLayer(nn.Module):
    """One convolution, contraction and update.

    Parameters
    ----------
    architecture
        Sizes.
    input_l, output_l
        Highest l of the features that come in and go out.
    counts
        Number of atoms of each element.
    """

    def __init__(
        self, architecture: MaceArchitecture, *, input_l: int, output_l: int, counts: list[int]
    ) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.input_l, self.output_l = input_l, output_l
        self.convolution = Convolution(
            input_l=input_l,
            harmonic_l=a.l_max,
            output_l=a.l_max,
            channels=a.channels,
            radial_widths=[a.radial, *a.radial_hidden],
        )
        self.fusion: SparseFusion | DenseFusion | None = None
        if a.fusion != "none" and input_l > 0:
            kind = SparseFusion if a.fusion == "sparse" else DenseFusion
            self.fusion = kind(
                feature_l=input_l,
                harmonic_l=a.l_max,
                output_l=a.l_max,
                internal_l=a.internal_l,
                channels=a.channels,
                radial=a.radial,
            )
        self.contraction = SymmetricContraction(
            input_l=a.l_max,
            output_l=output_l,
            degree=a.correlation,
            channels=a.channels,
            counts=counts,
        )
        self.update = IrrepLinear(inputs=[a.channels] * (output_l + 1), outputs=a.channels)
        self.residual = ElementLinear(
            l_max=min(input_l, output_l), channels=a.channels, counts=counts
        )

    def forward(
        self,
        feature: Float[Tensor, "molecule atom input channel"],
        edges: Edges,
        neighbours: Tensor,
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Updated features; ``neighbours`` is n̄."""
        message = self.convolution(feature, edges)
        if self.fusion is not None:
            message = message + self.fusion(feature, edges)
        updated = self.update(parts(self.contraction(message / neighbours)))
        residual = self.residual(feature)
        missing = updated.shape[2] - residual.shape[2]
        summed: Tensor = updated + nn.functional.pad(residual, (0, 0, 0, missing))
        return summed

    def describe(self, module: str) -> Layer:
        """Convolution, fusion block, contraction and linear maps."""
        a = self.architecture
        diagrams = (
            convolution_diagram(feature_l=self.input_l, harmonic_l=a.l_max, output_l=a.l_max),
            *(() if self.fusion is None else self.fusion.diagrams),
            *contraction_diagrams(input_l=a.l_max, output_l=self.output_l, degree=a.correlation),
        )
        irreps = with_channels(natural_irreps(self.output_l), a.channels)
        return with_children(Layer(module=module, irreps=irreps, diagrams=diagrams), self)


class MaceNetwork(DiabaticNetwork):
    """Dimensionless quasi-diabatic matrix from MACE, or MoFD where it has a fusion block.

    Parameters
    ----------
    architecture
        Sizes; see :class:`namd.config.architecture.MaceArchitecture`.
    atomic_numbers
        One per atom; their order is the molecule's.
    diabats
        Size of W.
    """

    neighbours: Tensor

    def __init__(
        self,
        *,
        architecture: MaceArchitecture,
        atomic_numbers: Int[Tensor, " atom"],
        diabats: int,
    ) -> None:
        super().__init__()
        a = architecture
        self.diabats = diabats
        atoms = len(atomic_numbers)
        self.atoms = SortedAtoms(atomic_numbers)
        counts = self.atoms.counts
        self.edges = EdgeBasis(
            cutoff=a.cutoff_angstrom,
            radial=a.radial,
            l_max=a.l_max,
            envelope_order=a.envelope_order,
            atoms=atoms,
        )
        self.embedding = nn.Parameter(torch.randn(len(counts), a.channels))
        self.register_buffer("neighbours", torch.tensor(float(atoms - 1)))
        last = a.layers - 1
        self.layers = nn.ModuleList(
            MaceLayer(
                a,
                input_l=0 if layer == 0 else a.hidden_l,
                output_l=0 if layer == last else a.hidden_l,
                counts=counts,
            )
            for layer in range(a.layers)
        )
        self.readout = MatrixReadout(
            layers=a.layers,
            channels=a.channels,
            hidden=a.hidden,
            atoms=atoms,
            diabats=diabats,
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
        """W, and the scalars of all layers that are read, summed over the atoms."""
        scalars = self._scalars(positions)
        pooled = torch.cat([feature.sum(1) for feature in scalars], dim=1)
        return Prediction(matrix=self.readout(scalars), features=pooled)

    def node_scalars(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule atom feature"]:
        """Scalars of all layers."""
        return torch.cat(self._scalars(positions), dim=-1)

    def _scalars(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> list[Float[Tensor, "molecule atom channel"]]:
        edges = self.edges(self.atoms.sort(positions))
        start = self.atoms.spread(self.embedding / len(self.embedding) ** 0.5)
        feature = start[:, None].expand(len(positions), -1, -1, -1)
        scalars = []
        for layer in self.layers:
            feature = layer(feature, edges, self.neighbours)
            scalars.append(self.atoms.restore(feature[:, :, 0]))
        return scalars

    def describe(self) -> tuple[Layer, ...]:
        """Edges, layers with their parts and diagrams, readout."""
        layers = [layer for layer in self.layers if isinstance(layer, MaceLayer)]
        return (
            Layer(module="edges", irreps=with_channels(natural_irreps(self.edges.l_max), 1)),
            *(layer.describe(f"layers.{n}") for n, layer in enumerate(layers)),
            Layer(module="readout", irreps=f"{self.diabats * (self.diabats + 1) // 2}x0e"),
        )
