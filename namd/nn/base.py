"""What training, the potential and the command line ask of any network."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion.diagram import FusionDiagram


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a part of a network is, for those who read about it.

    Parameters
    ----------
    module
        Its name in the network, ``density`` or ``layers.0``.
    irreps
        Channels and irreps of its result, ``32x0e+32x1o``; empty if that says nothing.
    diagrams
        Fusion diagrams of its products.
    parts
        Modules inside that are worth a line of their own; their parameters are the layer's, too.
    """

    module: str
    irreps: str = ""
    diagrams: tuple[FusionDiagram, ...] = ()
    parts: tuple["Layer", ...] = ()


def with_children(layer: Layer, module: nn.Module) -> Layer:
    """The layer with the modules inside of ``module``, which it describes, as its parts.

    Lists of equal modules are one part.
    """
    if isinstance(module, nn.ModuleList):
        return layer
    parts = tuple(
        with_children(Layer(module=f"{layer.module}.{name}"), child)
        for name, child in module.named_children()
        if not isinstance(child, nn.ParameterList)
    )
    return replace(layer, parts=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFeatures:
    """What a network has learned about every atom; heads read it.

    Parameters
    ----------
    scalars
        Invariants.
    vectors
        Polar vectors (1o), Cartesian, no longer than one; no channels where no head reads them.
    """

    scalars: Float[Tensor, "molecule atom feature"]
    vectors: Float[Tensor, "molecule atom 3 channel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """All outputs of a network.

    Parameters
    ----------
    matrix
        W in units of the model's scale, without its shift.
    fields
        Vector fields of every two diabats: antisymmetric τ (1/Bohr) of a quasi-diabatic head with
        residual, symmetric couplings (scale/Bohr) of a direct one, else None.
    dipoles
        Symmetric dipole matrix, e·Bohr, where it is learned and was asked for.
    features
        What the last, linear layer of W reads, summed over the atoms: invariants by which
        geometries can be told from those it has learned (:mod:`namd.nn.distance`).
    """

    matrix: Float[Tensor, "molecule diabat diabat"]
    fields: Float[Tensor, "molecule diabat diabat atom 3"] | None = None
    dipoles: Float[Tensor, "molecule diabat diabat 3"] | None = None
    features: Float[Tensor, "molecule learned"] | None = None


class DiabaticNetwork(nn.Module, ABC):
    """A network that predicts a dimensionless quasi-diabatic matrix, and what its heads add."""

    @abstractmethod
    def calibrate(self, positions: Float[Tensor, "molecule atom 3"]) -> None:
        """Fix the input normalisation on a sample of geometries (Bohr); once, before training."""

    @abstractmethod
    def forward(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in units of the model's scale, without its shift, at ``positions`` in Bohr."""

    def evaluate(
        self,
        positions: Float[Tensor, "molecule atom 3"],
        *,
        dipoles: bool = False,  # noqa: ARG002  (for networks with atomic vectors)
    ) -> Prediction:
        """W and the head's fields at ``positions`` in Bohr, and ``dipoles`` where they are wanted.

        A network without atomic vectors has neither.
        """
        return Prediction(matrix=self(positions))

    @abstractmethod
    def node_scalars(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule node feature"]:
        """Invariants that the readout of W sees, at ``positions`` in Bohr.

        One node per atom in the order of the molecule, or a single one where a network has no
        atoms.
        """

    def describe(self) -> tuple[Layer, ...]:
        """The parts of the network, in the order of evaluation.

        A network of irreps says here what they are and draws its products; any other has its
        modules listed by name.
        """
        return tuple(Layer(module=name) for name, _ in self.named_children())
