"""Sizes of the networks, chosen by ``network.kind``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from namd.config.section import Section

SiteLabels = Literal["none", "offdiagonal", "all", "signs"]
_SiteLabels = Annotated[
    SiteLabels,
    Field(
        description="how the readout of W tells equal atoms apart: learned labels in elements off "
        "the diagonal, or in all; signs: off the diagonal by the sign of the states under their "
        "exchange, found in labelled couplings: exact, where they tell it and states keep their "
        "symmetry (namd.nn.readout)"
    ),
]


Bound = Literal["arctan", "tanh"]
_Bound = Annotated[
    Bound,
    Field(
        description="form of the bound of off-diagonal elements: one that an element at the bound "
        "can leave again, or tanh, in which it has no slope (namd.nn.readout)"
    ),
]


class FusionArchitecture(Section):
    """The production network: densities, fusion blocks, message passing."""

    kind: Literal["fusion"] = "fusion"
    channels: int = Field(32, ge=1, le=1024, description="channels per irrep")
    l_max: int = Field(2, ge=1, le=4, description="highest l of harmonics and products")
    message_l: int = Field(
        1, ge=0, le=4, description="highest l of the features that are passed on"
    )
    correlation: int = Field(
        3,
        ge=1,
        le=5,
        description="legs of the first fusion block: densities multiplied (1: no product)",
    )
    message_layers: int = Field(1, ge=0, le=4, description="rounds of message passing")
    message_correlation: int = Field(
        4,
        ge=1,
        le=4,
        description="legs of the fusion block of each message: so many of message, feature, "
        "density and message again (1: no product)",
    )
    radial: int = Field(6, ge=1, le=32, description="learned radial functions")
    cutoff_angstrom: float = Field(6.0, gt=0.5, le=50, description="smooth cut-off r_c, Å")
    hidden: int = Field(64, ge=4, le=1024, description="width of the readout perceptrons")
    offdiagonal_limit_ev: float = Field(
        1.0,
        gt=0,
        description="off-diagonal elements of W are bounded by this, smoothly, eV: a few times "
        "what the training data need, so that none can blow up where there were no data",
    )
    offdiagonal_bound: _Bound = "arctan"
    site_labels: _SiteLabels = "offdiagonal"


class PerceptronArchitecture(Section):
    """The control: a plain perceptron on all inverse distances, with the same head."""

    kind: Literal["perceptron"] = "perceptron"
    hidden: int = Field(256, ge=4, le=4096, description="width of the hidden layers")
    layers: int = Field(3, ge=1, le=8, description="number of hidden layers")


class PublishedArchitecture(Section):
    """What the published networks share; the defaults are those of the publications."""

    channels: int = Field(64, ge=1, le=1024, description="channels per irrep")
    l_max: int = Field(3, ge=1, le=4, description="highest l of harmonics and products")
    internal_l: int = Field(
        2, ge=0, le=4, description="highest l of the internal irreps of the fusion block"
    )
    radial: int = Field(8, ge=1, le=32, description="Bessel waves")
    cutoff_angstrom: float = Field(5.0, gt=0.5, le=50, description="smooth cut-off r_c, Å")
    envelope_order: int = Field(5, ge=2, le=16, description="order p of the polynomial envelope")
    offdiagonal_limit_ev: float = Field(
        1.0, gt=0, description="smooth bound of the off-diagonal elements of W, eV"
    )
    offdiagonal_bound: _Bound = "arctan"
    site_labels: _SiteLabels = "offdiagonal"


class MaceArchitecture(PublishedArchitecture):
    """MACE; with a fusion block, MoFD."""

    kind: Literal["mace"] = "mace"
    hidden_l: int = Field(3, ge=0, le=4, description="highest l of the features between layers")
    correlation: int = Field(3, ge=1, le=3, description="degree of the symmetric contraction")
    layers: int = Field(2, ge=1, le=6, description="interactions")
    radial_hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        (64, 64, 64), description="hidden widths of the radial perceptron"
    )
    hidden: int = Field(16, ge=1, le=1024, description="hidden width of the readout")
    fusion: Literal["none", "sparse", "dense"] = Field(
        "none", description="none: MACE; sparse, dense: MoFD, see namd.nn.published.three_leg"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> "MaceArchitecture":
        if self.hidden_l > self.l_max:
            raise ValueError(f"hidden_l = {self.hidden_l} is above l_max = {self.l_max}")
        if self.fusion != "none" and (self.layers < 2 or self.hidden_l == 0):
            raise ValueError(
                "the fusion block needs features with l > 0: at least 2 layers and hidden_l = 1"
            )
        return self


class CormorantArchitecture(PublishedArchitecture):
    """Cormorant; with a fusion block, CoFD."""

    kind: Literal["cormorant"] = "cormorant"
    channels: int = Field(16, ge=1, le=1024, description="channels per irrep")
    layers: int = Field(4, ge=1, le=8, description="updates of edges and atoms")
    hidden: int = Field(64, ge=4, le=1024, description="width of the readout perceptrons")
    fusion: Literal["none", "sparse"] = Field(
        "none", description="none: Cormorant; sparse: CoFD, see namd.nn.published.three_leg"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> "CormorantArchitecture":
        if self.fusion != "none" and self.layers < 2:
            raise ValueError("the fusion block needs features with l > 0: at least 2 layers")
        return self


Architecture = Annotated[
    FusionArchitecture | PerceptronArchitecture | MaceArchitecture | CormorantArchitecture,
    Field(discriminator="kind"),
]
