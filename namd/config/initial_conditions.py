"""Where trajectories start: one section per method, told apart by the key ``method``."""

from typing import Annotated, Literal

from pydantic import Field

from namd.config.section import Section

State = Annotated[int, Field(ge=0, description="Active state at the start, 0-based (0: S0).")]
Basis = Annotated[
    Literal["adiabatic", "diabatic"],
    Field(
        description="adiabatic: every trajectory starts in the adiabatic state `state`. diabatic: "
        "in diabat `state` of the potential, its amplitudes the overlaps with the adiabatic states "
        "there, its active state drawn with their squares.",
    ),
]


class GeometryConfig(Section):
    """A geometry, with its Hessian where one is needed."""

    file: str = Field(
        description="HDF5 with atomic_numbers, positions and hessian in atomic units, or any "
        "geometry file that ASE reads; beside the configuration, in the working directory or in "
        "the library."
    )
    name: str | None = Field(
        default=None, description="Group inside an HDF5 file, e.g. cis; null: its root."
    )


class LowModesConfig(Section):
    """Treatment of vibrations too soft for a harmonic picture."""

    below_inverse_cm: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Modes under this wavenumber are concerned, 1/cm."
    )
    treatment: Literal["freeze", "classical"] = Field(
        default="freeze",
        description="freeze: at the minimum without momentum; classical: equipartition.",
    )


class WignerConfig(Section):
    """Harmonic Wigner distribution about a minimum."""

    method: Literal["wigner"]
    geometry: GeometryConfig = Field(description="The minimum, or with hessian: model a guess.")
    hessian: Literal["given", "model"] = Field(
        default="given",
        description="given: from the geometry file; model: relax on S0 of the potential and "
        "differentiate its forces.",
    )
    temperature_k: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Temperature of the vibrations, K."
    )
    low_modes: LowModesConfig = LowModesConfig()
    state: State


class OscillatorsConfig(Section):
    """Wigner distribution of the harmonic oscillators that a model potential is built on."""

    method: Literal["oscillators"]
    temperature_k: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Temperature of the oscillators, K."
    )
    state: State
    basis: Basis = "adiabatic"


class ModelParticleConfig(Section):
    """One particle of a model along x, monoenergetic or a Gaussian wave packet."""

    method: Literal["model-particle"]
    position_bohr: float = Field(description="Mean x, Bohr.")
    momentum_au: float = Field(description="Mean momentum along x, atomic units.")
    position_width_bohr: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Standard deviation s of |psi|^2 in x, Bohr; momenta then spread by 1/2s. "
        "None: every trajectory starts at the mean values.",
    )
    state: State = 0
    basis: Basis = "adiabatic"


class FileConfig(Section):
    """Given positions and velocities, one trajectory per entry."""

    method: Literal["file"]
    path: str = Field(
        description="HDF5 with positions and velocities [traj, atom, xyz] in atomic units (such as "
        "the ensemble.h5 of another run), or extended XYZ with velocities as ASE reads them."
    )
    group: str | None = Field(
        default="initial", description="Group inside an HDF5 file; null: its root."
    )
    state: State
    basis: Basis = "adiabatic"


InitialConditionsConfig = Annotated[
    WignerConfig | OscillatorsConfig | ModelParticleConfig | FileConfig,
    Field(discriminator="method"),
]
