"""Sizes of the networks, chosen by ``network.kind``."""

from typing import Annotated, Literal

from pydantic import Field

from namd.config.section import Section


class FusionArchitecture(Section):
    """The production network: densities, fusion blocks, message passing."""

    kind: Literal["fusion"] = "fusion"
    channels: int = Field(32, ge=1, le=1024, description="channels per irrep")
    l_max: int = Field(2, ge=1, le=4, description="highest l of harmonics and products")
    message_l: int = Field(
        1, ge=0, le=4, description="highest l of the features that are passed on"
    )
    correlation: int = Field(
        3, ge=2, le=5, description="legs of the first fusion block: densities multiplied"
    )
    message_layers: int = Field(1, ge=0, le=4, description="rounds of message passing")
    radial: int = Field(6, ge=1, le=32, description="learned radial functions")
    cutoff_angstrom: float = Field(6.0, gt=0.5, le=50, description="smooth cut-off r_c, Å")
    hidden: int = Field(64, ge=4, le=1024, description="width of the readout perceptrons")
    offdiagonal_limit_ev: float = Field(
        1.0,
        gt=0,
        description="off-diagonal elements of W are bounded by this, smoothly (tanh), eV: a few "
        "times what the training data need, so that none can blow up where there were no data",
    )
    site_labels: Literal["none", "offdiagonal", "all"] = Field(
        "offdiagonal", description="per-atom labels in the readout of W: see namd.nn.readout"
    )


class PerceptronArchitecture(Section):
    """The control: a plain perceptron on all inverse distances, with the same head."""

    kind: Literal["perceptron"] = "perceptron"
    hidden: int = Field(256, ge=4, le=4096, description="width of the hidden layers")
    layers: int = Field(3, ge=1, le=8, description="number of hidden layers")


Architecture = Annotated[FusionArchitecture | PerceptronArchitecture, Field(discriminator="kind")]
