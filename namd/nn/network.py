"""The fusion network: density → fusion block → message passing → fusion block → W.

::

    positions ─ G = B_n Y_lm ─┬─ densities A₁ A₂ A₃ ── fusion ((A₁⊗A₂)⊗A₃) ── h, scalars ┐
                              └───────────── message M = Σ_j Y ⊗ h_j                     ├─ W
                                 fusion (((M ⊗ h) ⊗ A₁') ⊗ …) ───────────────── scalars ┘

Where a head has vector outputs, the l = 1 part of every h is kept for it.

Body order: products of ν densities correlate ν neighbours with the centre; messages carry them on.
Everything is dense over ``[molecule, atom, …]`` for one fixed molecule.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.config.architecture import FusionArchitecture
from namd.config.head import DirectHead, Head, QuasiDiabaticHead
from namd.nn.base import DiabaticNetwork, Layer, NodeFeatures, Prediction, with_children
from namd.nn.density import Density
from namd.nn.fusion.comb import FusionComb
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import natural_irreps, with_channels
from namd.nn.fusion.tree import Leg, Vertex
from namd.nn.heads import VectorHeads
from namd.nn.linear import ChannelMix, block
from namd.nn.message import Message
from namd.nn.pairs import PairBasis
from namd.nn.readout import EnergyReadout, QuasiDiabaticReadout
from namd.nn.vectors import ParityReadout
from namd.units import ANGSTROM_PER_BOHR

_MESSAGE_LEGS = ("M1", "h", "A1", "M2")


class FusionNetwork(DiabaticNetwork):
    """Dimensionless quasi-diabatic matrix of a molecule from its positions.

    Parameters
    ----------
    architecture
        Sizes; see :class:`namd.config.architecture.FusionArchitecture`.
    atomic_numbers
        One per atom; their order is the molecule's.
    diabats
        Size of W.
    head
        What is predicted beside W; heads with vector outputs need ``message_l`` of 1 at least.
    """

    def __init__(
        self,
        *,
        architecture: FusionArchitecture,
        atomic_numbers: Int[Tensor, " atom"],
        diabats: int,
        head: Head | None = None,
    ) -> None:
        super().__init__()
        a = architecture
        head = QuasiDiabaticHead() if head is None else head
        self.architecture = a
        self.diabats = diabats
        self.keeps_vectors = head.needs_vectors
        atoms = len(atomic_numbers)
        elements = torch.unique(atomic_numbers, return_inverse=True)[1]
        self.pairs = PairBasis(
            cutoff=a.cutoff_angstrom / ANGSTROM_PER_BOHR,
            radial=a.radial,
            l_max=a.l_max,
            elements=elements,
        )
        legs = a.correlation
        self.density = Density(
            elements=elements, radial=a.radial, l_max=a.l_max, channels=a.channels, copies=legs
        )
        self.first = FusionComb(
            leg_l=[a.l_max] * legs,
            internal_l=a.l_max,
            output_l=a.message_l if a.message_layers or self.keeps_vectors else None,
            channels=a.channels,
        )
        scalars = legs * a.channels
        self.layers = nn.ModuleList()
        for remaining in reversed(range(a.message_layers)):
            last = remaining == 0 and not self.keeps_vectors
            self.layers.append(_MessageLayer(a, atoms=atoms, last=last))
            scalars += a.message_correlation * a.channels
        vectors = (1 + a.message_layers) * a.channels
        self.readout = _readout(
            a, head, diabats=diabats, scalars=scalars, vectors=vectors, atoms=atoms
        )
        self.heads = VectorHeads(
            head,
            diabats=diabats,
            scalars=scalars,
            vectors=vectors,
            hidden=a.hidden,
            atoms=atoms,
            labels=a.site_labels,
        )

    @torch.no_grad()
    def calibrate(self, positions: Float[Tensor, "molecule atom 3"]) -> None:
        """Normalise the densities on a sample of geometries; once, before training."""
        self.density.calibrate(self.pairs(positions))

    def forward(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in units of the model's scale, without its shift."""
        return self._read(self._features(positions))[0]

    def evaluate(
        self, positions: Float[Tensor, "molecule atom 3"], *, dipoles: bool = False
    ) -> Prediction:
        """W and the vector outputs of the head, ``dipoles`` only where they are wanted."""
        features = self._features(positions)
        matrix, pooled = self._read(features)
        return Prediction(
            matrix=matrix,
            fields=self.heads.fields(features),
            dipoles=self.heads.dipoles(features) if dipoles else None,
            features=pooled,
        )

    def _read(self, features: NodeFeatures) -> tuple[Tensor, Tensor]:
        """W, and what its last layer reads."""
        whole = isinstance(self.readout, ParityReadout)
        found: tuple[Tensor, Tensor] = self.readout(features if whole else features.scalars)
        return found

    def _features(self, positions: Float[Tensor, "molecule atom 3"]) -> NodeFeatures:
        molecules, atoms = positions.shape[:2]
        pairs = self.pairs(positions)
        legs = self.density(pairs)
        feature, scalars = self.first(legs)
        invariants, passed = [scalars], [feature]
        for layer in self.layers:
            feature, scalars = layer(pairs, feature, legs[0])
            invariants.append(scalars)
            passed.append(feature)
        stacked = torch.cat(invariants, dim=-1).reshape(molecules, atoms, -1)
        if not self.keeps_vectors:
            return NodeFeatures(scalars=stacked, vectors=stacked.new_zeros(molecules, atoms, 3, 0))
        vectors = torch.cat([each[block(1)] for each in passed], dim=-1)
        vectors = vectors.reshape(3, molecules, atoms, -1).permute(1, 2, 0, 3)
        # Polynomials of high degree, too: their direction is kept, their length is below one.
        vectors = vectors * (1.0 + vectors.square().sum(2, keepdim=True)).rsqrt()
        return NodeFeatures(scalars=stacked, vectors=vectors)

    def node_scalars(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule atom feature"]:
        """Invariants of the fusion blocks of all layers."""
        return self._features(positions).scalars

    def describe(self) -> tuple[Layer, ...]:
        """Geometry, densities, fusion blocks and messages with their diagrams, readout."""
        a = self.architecture
        harmonics = natural_irreps(a.l_max)
        passed = natural_irreps(a.message_l if a.message_layers else 0)
        legs = [f"A{n}" for n in range(1, a.correlation + 1)]
        messages = [layer for layer in self.layers if isinstance(layer, _MessageLayer)]
        vectors = self.heads.outputs
        return (
            Layer(module="pairs", irreps=with_channels(harmonics, a.radial)),
            Layer(module="density", irreps=with_channels(harmonics, a.correlation * a.channels)),
            Layer(
                module="first",
                irreps=with_channels(passed, a.channels),
                diagrams=self.first.diagrams(legs),
            ),
            *(layer.describe(f"layers.{n}", a) for n, layer in enumerate(messages)),
            Layer(module="readout", irreps=self._elements()),
            *([Layer(module="heads", irreps=f"{vectors}x1o")] if vectors else []),
        )

    def _elements(self) -> str:
        """Irreps of the elements of W that are read."""
        if isinstance(self.readout, EnergyReadout):
            return f"{self.diabats}x0e"
        elements = self.diabats * (self.diabats + 1) // 2
        if not isinstance(self.readout, ParityReadout):
            return f"{elements}x0e"
        odd = len(self.readout.different)
        return f"{elements - odd}x0e+{odd}x0o"


def _readout(
    architecture: FusionArchitecture,
    head: Head,
    *,
    diabats: int,
    scalars: int,
    vectors: int,
    atoms: int,
) -> QuasiDiabaticReadout | ParityReadout | EnergyReadout:
    """The readout of W for a head."""
    a = architecture
    if isinstance(head, DirectHead):
        return EnergyReadout(
            inputs=scalars, hidden=a.hidden, states=diabats, atoms=atoms, labels=a.site_labels
        )
    if head.odd_diabats:
        return ParityReadout(
            scalars=scalars,
            vectors=vectors,
            hidden=a.hidden,
            atoms=atoms,
            diabats=diabats,
            odd=head.odd_diabats,
            labels=a.site_labels,
            offdiagonal_limit=a.offdiagonal_limit_ev,
            offdiagonal_bound=a.offdiagonal_bound,
        )
    return QuasiDiabaticReadout(
        inputs=scalars,
        hidden=a.hidden,
        diabats=diabats,
        atoms=atoms,
        labels=a.site_labels,
        offdiagonal_limit=a.offdiagonal_limit_ev,
        offdiagonal_bound=a.offdiagonal_bound,
    )


class _MessageLayer(nn.Module):
    """One round of messages and its fusion block ((M₁ ⊗ h) ⊗ A) ⊗ M₂, or its first legs."""

    def __init__(self, architecture: FusionArchitecture, *, atoms: int, last: bool) -> None:
        super().__init__()
        a = architecture
        self.message = Message(
            harmonic_l=a.l_max,
            feature_l=a.message_l,
            output_l=a.l_max,
            radial=a.radial,
            channels=a.channels,
            neighbours=min(atoms - 1, 12),
        )
        legs = a.message_correlation
        self.mixes = 2 if legs == len(_MESSAGE_LEGS) else 1
        self.legs = ChannelMix(l_max=a.l_max, inputs=a.channels, outputs=self.mixes * a.channels)
        self.fusion = FusionComb(
            leg_l=[a.l_max, a.message_l, a.l_max, a.l_max][:legs],
            internal_l=a.l_max,
            output_l=None if last else a.message_l,
            channels=a.channels,
        )
        self.skip = (
            None if last else ChannelMix(l_max=a.message_l, inputs=a.channels, outputs=a.channels)
        )

    def forward(
        self,
        pairs: Float[Tensor, "molecule atom component atom radial"],
        feature: Float[Tensor, "low node channel"],
        density: Float[Tensor, "component node channel"],
    ) -> tuple[Float[Tensor, "low node channel"] | None, Float[Tensor, "node scalar"]]:
        """Updated feature, None after the last layer, and the invariants of this layer."""
        mixes = torch.chunk(self.legs(self.message(pairs, feature)), self.mixes, dim=-1)
        legs = [mixes[0], feature, density, mixes[-1].contiguous()]
        update, scalars = self.fusion(legs[: len(self.fusion.leg_l)])
        return None if self.skip is None else update + self.skip(feature), scalars

    def describe(self, module: str, architecture: FusionArchitecture) -> Layer:
        """The message, the fusion of its two mixes M1 and M2, and what is passed on."""
        harmonics, passed = map(natural_irreps, (architecture.l_max, architecture.message_l))
        message = Vertex(Leg("Y", harmonics), Leg("h", passed), harmonics)
        output = natural_irreps(0) if self.skip is None else passed
        layer = Layer(
            module=module,
            irreps=with_channels(output, architecture.channels),
            diagrams=(
                FusionDiagram(message),
                *self.fusion.diagrams(_MESSAGE_LEGS[: len(self.fusion.leg_l)]),
            ),
        )
        return with_children(layer, self)
