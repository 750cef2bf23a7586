"""Where trajectories start: one section per method, told apart by the key ``method``."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from namd.config.section import Section


class ExcitationConfig(Section):
    """Which sampled geometries are excited to which state: by energy and oscillator strength."""

    selection: Literal["oscillator-strength", "window"] = Field(
        default="oscillator-strength",
        description="oscillator-strength: a transition in the window is accepted with a "
        "probability in proportion to f/E^2 (needs transition dipoles, of file or potential); "
        "window: every transition in the window.",
    )
    window_ev: tuple[float, float] | None = Field(
        default=None, description="Lowest and highest excitation energy, eV; null: any."
    )
    from_state: Annotated[int, Field(ge=0)] = Field(
        default=0, description="State before the excitation, 0-based."
    )
    states: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = Field(
        default=None, description="States it may lead to; null: all above from_state."
    )
    candidates: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="Geometries to choose from; null: ten per trajectory, or all of a file.",
    )

    @model_validator(mode="after")
    def _possible(self) -> "ExcitationConfig":
        if self.window_ev is None:
            if self.selection == "window":
                raise ValueError("selection: window needs window_ev")
        elif not 0 <= self.window_ev[0] < self.window_ev[1]:
            raise ValueError("window_ev: give the lower energy first, both positive")
        if self.states is not None and min(self.states) <= self.from_state:
            raise ValueError("states must lie above from_state")
        return self


State = Annotated[
    Annotated[int, Field(ge=0)] | None,
    Field(default=None, description="Active state at the start, 0-based (0: S0); or excitation."),
]
Excitation = Annotated[
    ExcitationConfig | None,
    Field(default=None, description="States and geometries by absorption, instead of state."),
]


def _one_start(section: Any) -> Any:
    """Let a section say where trajectories start in one way."""
    if (section.state is None) == (section.excitation is None):
        raise ValueError("give either state, the same for every trajectory, or excitation")
    if section.excitation is not None and getattr(section, "basis", "adiabatic") == "diabatic":
        raise ValueError("basis: diabatic goes with state; absorption leads to adiabatic states")
    return section


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
        description="HDF5 with atomic_numbers, positions and hessian in atomic units, a .hess file "
        "of ORCA, an .fchk file of Gaussian, or any geometry file that ASE reads; beside the "
        "configuration, in the working directory or in the library."
    )
    name: str | None = Field(
        default=None, description="Group inside an HDF5 file, e.g. cis; null: its root."
    )
    hessian_file: str | None = Field(
        default=None,
        description="The Hessian, Hartree/Bohr^2, if it is in a file of its own: text or .npy with "
        "the matrix over (atom, xyz), or one of the above.",
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
    imaginary_modes: Literal["refuse", "freeze"] = Field(
        default="refuse",
        description="refuse: a minimum has none; freeze: kept without displacement and momentum.",
    )
    state: State
    excitation: Excitation

    _start = model_validator(mode="after")(_one_start)


class BoltzmannConfig(Section):
    """Classical distribution: Maxwell-Boltzmann momenta, the positions fixed or harmonic."""

    method: Literal["boltzmann"]
    geometry: GeometryConfig = Field(description="Where all start, or the minimum they lie about.")
    positions: Literal["fixed", "harmonic"] = Field(
        default="fixed",
        description="fixed: every trajectory at the geometry; harmonic: classical distribution in "
        "its normal modes (needs a Hessian).",
    )
    hessian: Literal["given", "model"] = Field(
        default="given",
        description="given: from the geometry file; model: relax on S0 of the potential and "
        "differentiate its forces (positions: harmonic).",
    )
    temperature_k: Annotated[float, Field(gt=0)] = Field(description="Temperature, K.")
    low_modes: LowModesConfig = Field(
        default=LowModesConfig(), description="With positions: harmonic."
    )
    imaginary_modes: Literal["refuse", "freeze"] = Field(
        default="refuse",
        description="With positions: harmonic. freeze: kept without displacement.",
    )
    remove_translation: bool = Field(
        default=True, description="Whether the total linear momentum is zero."
    )
    remove_rotation: bool = Field(
        default=True, description="Whether the total angular momentum is zero."
    )
    state: State
    excitation: Excitation

    _start = model_validator(mode="after")(_one_start)


class OscillatorsConfig(Section):
    """Wigner distribution of the harmonic oscillators that a model potential is built on."""

    method: Literal["oscillators"]
    temperature_k: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Temperature of the oscillators, K."
    )
    state: State
    excitation: Excitation
    basis: Basis = "adiabatic"

    _start = model_validator(mode="after")(_one_start)


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
    state: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Active state at the start, 0-based."
    )
    basis: Basis = "adiabatic"


class FileConfig(Section):
    """Given positions and velocities, one trajectory per entry."""

    method: Literal["file"]
    path: str = Field(
        description="HDF5 with positions and velocities [traj, atom, xyz] in atomic units (what "
        "`namd sample` writes, labelled data, or the ensemble.h5 of another run), or extended XYZ "
        "with velocities as ASE reads them."
    )
    group: str | None = Field(
        default=None,
        description="Group inside an HDF5 file, / for its root; null: initial, where there is one.",
    )
    state: State
    excitation: Excitation
    basis: Basis = "adiabatic"

    _start = model_validator(mode="after")(_one_start)


InitialConditionsConfig = Annotated[
    WignerConfig | BoltzmannConfig | OscillatorsConfig | ModelParticleConfig | FileConfig,
    Field(discriminator="method"),
]
