"""What a network predicts of the electronic states, chosen by ``head.kind``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from namd.config.section import Section


class QuasiDiabaticHead(Section):
    """A matrix W whose eigenvalues are the energies; couplings follow from its gradient."""

    kind: Literal["quasi-diabatic"] = "quasi-diabatic"
    residual: bool = Field(
        False,
        description="also learn the couplings of the diabats themselves, an antisymmetric matrix "
        "of vector fields: see namd.nn.heads; such a model serves no basis",
    )
    odd_diabats: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (),
        description="diabats, counted from 0, that change sign under inversion: their off-diagonal "
        "elements with the others are pseudoscalars (as between nπ* and ππ*)",
    )
    dipoles: bool = Field(False, description="also learn transition dipoles")

    @model_validator(mode="after")
    def _parities_fit(self) -> "QuasiDiabaticHead":
        if self.odd_diabats and (self.residual or self.dipoles):
            raise ValueError(
                "odd_diabats cannot be combined with residual or dipoles, whose elements between "
                "even and odd diabats would have to be axial vectors"
            )
        return self

    @property
    def needs_vectors(self) -> bool:
        """Whether the network must provide vectors at its atoms."""
        return self.residual or self.dipoles or bool(self.odd_diabats)


class DirectHead(Section):
    """The control: an energy per state and a vector field per pair, without a common matrix."""

    kind: Literal["direct"] = "direct"
    dipoles: bool = Field(False, description="also learn transition dipoles")

    @property
    def needs_vectors(self) -> bool:
        """Always: the couplings are vectors at the atoms."""
        return True


Head = Annotated[QuasiDiabaticHead | DirectHead, Field(discriminator="kind")]
