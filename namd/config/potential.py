"""The ``potential`` section of a run: one key says which electronic structure."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from namd.config.section import Section

Positive = Annotated[float, Field(gt=0)]


class SpinBosonConfig(Section):
    """Two coupled states in a bath of oscillators (namd.potentials.spin_boson)."""

    bias_inverse_cm: float = Field(description="Half the energy difference of the states, 1/cm.")
    coupling_inverse_cm: float = Field(description="Coupling of the two states, 1/cm.")
    spectrum: Literal["debye", "ohmic"] = Field(description="Spectral density of the bath.")
    cutoff_inverse_cm: Positive = Field(description="Characteristic frequency of the bath, 1/cm.")
    reorganization_inverse_cm: Annotated[float, Field(ge=0)] = Field(
        description="Reorganisation energy of either state about the common minimum, 1/cm."
    )
    oscillators: Annotated[int, Field(gt=0)] = Field(
        default=100, description="Oscillators the bath is made of."
    )


class VibronicConfig(Section):
    """Linear vibronic coupling model in the text format of SHARC."""

    template: str = Field(
        description="LVC.template, with its V0.txt beside it; beside the configuration, in the "
        "working directory or in the library."
    )
    multiplicity: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="States to take, 1: singlets, 3: triplets; needed if the file has several.",
    )


class CalculatorConfig(Section):
    """A potential made by a Python function: an ASE calculator, or an adapter of any program."""

    callable: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="module:function, the module beside the configuration or installed, e.g. "
        "ase.calculators.emt:EMT. Returns an ASE calculator or ase.Atoms with one (ground-state "
        "dynamics), or a potential such as namd.potentials.calculator.CalculatorPotential.",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the function."
    )
    geometry: str | None = Field(
        default=None, description="Geometry file with the atoms, for a bare ASE calculator."
    )


class OnTheFlyConfig(Section):
    """A reference engine that is asked in every step (namd.potentials.on_the_fly).

    The run keeps all its labels: ``labels.h5`` in its folder.
    """

    config: str = Field(description="YAML file with an engine, as `namd label` takes it.")
    geometry: str = Field(description="Geometry file with the atoms, whatever their positions.")


class PotentialConfig(Section):
    """Electronic structure: trained models, a program or an analytic one, exactly one key."""

    model: str | None = Field(
        default=None,
        description="Trained model or committee (`namd train --members`): a folder, or a name in "
        "the zoo.",
    )
    committee: Annotated[list[str], Field(min_length=2)] | None = Field(
        default=None,
        description="Trained models (folders or names in the zoo) of the same data: their mean, "
        "and how far they disagree, not calibrated. Has no diabatic basis: use "
        "dynamics.electronic: nac-vectors.",
    )
    calculator: CalculatorConfig | None = Field(
        default=None, description="ASE calculator, or any program through an adapter."
    )
    engine: OnTheFlyConfig | None = Field(
        default=None,
        description="A reference engine in every step: trajectories on the fly. Has no diabatic "
        "basis: use dynamics.electronic: nac-vectors.",
    )
    tully: Literal["sac", "dac", "ecr"] | None = Field(
        default=None,
        description="Tully's model: simple or dual avoided crossing, extended coupling.",
    )
    morse: Literal[1, 2, 3] | None = Field(
        default=None,
        description="Three-state model of photodissociation of Coronado, Xing and Miller.",
    )
    photoisomerization: Literal["hahn-stock"] | None = Field(
        default=None, description="Two-state model of a torsion and a coupling mode."
    )
    spin_boson: SpinBosonConfig | None = Field(
        default=None, description="Spin-boson model with a discretised bath."
    )
    vibronic: VibronicConfig | None = Field(
        default=None, description="Linear vibronic coupling model read from a file."
    )

    @model_validator(mode="after")
    def _one(self) -> "PotentialConfig":
        keys = list(type(self).model_fields)
        if sum(getattr(self, key) is not None for key in keys) != 1:
            raise ValueError(f"give exactly one of {', '.join(keys[:-1])} and {keys[-1]}")
        return self
