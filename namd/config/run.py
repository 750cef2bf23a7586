"""The configuration of a surface-hopping run: every key, its unit, its default, said once.

The sections follow the way of a run: what moves on which surfaces (``potential``), where it starts
(``initial_conditions``), how it moves (``dynamics``), what stops it early (``guards``) and what is
kept (``output``). ``namd config schema run`` prints what stands here.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from namd.config.classes import AnalysisConfig
from namd.config.initial_conditions import InitialConditionsConfig
from namd.config.potential import PotentialConfig
from namd.config.presets import with_preset
from namd.config.section import Section
from namd.units import FS_PER_ATOMIC_TIME

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

WITHOUT_INFLUENCE = frozenset({"batch_size", "device", "output.checkpoint_s"})
"""Keys that change where and how fast a run is made but none of its numbers."""


class DynamicsConfig(Section):
    """Propagation of nuclei and electrons; lengths of time in fs or, for models, atomic units."""

    timestep_fs: Positive | None = Field(
        default=None,
        description="Time step dt, fs; at least 15 to 20 of them per period of the "
        "fastest vibration, which is checked where it is known.",
    )
    timestep_au: Positive | None = Field(
        default=None, description="Time step dt, atomic units of time; instead of timestep_fs."
    )
    duration_fs: Positive | None = Field(
        default=None, description="Length of every trajectory, fs; rounded to whole steps."
    )
    max_steps: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Length of every trajectory in steps; instead of duration_fs."
    )
    stop_outside_bohr: Positive | None = Field(
        default=None, description="Finish a trajectory once any |x| exceeds this, Bohr."
    )
    stop_after_ground_state_fs: Positive | None = Field(
        default=None,
        description="Finish a trajectory that has stayed in S0 for so long after its last hop, fs.",
    )
    preset: (
        Literal[
            "fssh",
            "fssh-edc",
            "unsmash",
            "landau-zener",
            "sharc2",
            "sharc4",
            "mlatom",
            "pyunixmd",
            "newton-x",
        ]
        | None
    ) = Field(
        default=None,
        description="Named set of the methods below; a method given beside it wins. "
        "`namd config methods` explains each.",
    )
    electronic: Literal["local-diabatization", "nac-vectors", "npi", "curvature", "none"] = Field(
        default="local-diabatization",
        description="Propagation of the amplitudes: by overlaps; with all couplings (T = v·d); "
        "norm-preserving interpolation; coupling from the curvature of the gap; none (with "
        "hopping: landau-zener, where it is the default).",
    )
    substeps: Annotated[int, Field(gt=0)] = Field(
        default=25, description="Electronic substeps n per nuclear step."
    )
    curvature_form: Literal["energy", "gradient"] = Field(
        default="energy", description="Curvature of the gap from energies, or from all forces."
    )
    curvature_gap_threshold_ev: Positive | None = Field(
        default=None, description="Pairs with a larger gap do not couple, eV; 0.5 is advised."
    )
    hopping: Literal["finite-step", "tully-rate", "gfsh", "landau-zener", "unsmash"] = Field(
        default="finite-step",
        description="Hop probability of a step: Granucci and Persico's; Tully's rate summed over "
        "the substeps (not with local-diabatization, which has no T); global flux; Landau-Zener "
        "at minima of the gap (needs neither electronic nor decoherence: both are then none); "
        "uncoupled spheres, deterministic (decoherence is then none, frustrated: reverse).",
    )
    rescaling: Literal[
        "coupling", "projected-coupling", "gradient-difference", "velocity", "velocity-per-freedom"
    ] = Field(default="coupling", description="Direction of the momentum change at a hop.")
    frustrated: Literal["keep", "reverse", "delta-v"] = Field(
        default="keep", description="Momentum along that direction after a refused hop."
    )
    decoherence: Literal["edc", "a-fssh", "instantaneous", "none"] = Field(
        default="edc",
        description="edc: energy-based (Granucci and Persico); a-fssh: augmented (Jain, "
        "Subotnik); instantaneous: collapse at a hop; none: bare FSSH.",
    )
    decoherence_convention: Literal["population", "amplitude"] = Field(
        default="population",
        description="What decays with tau: the population, or the amplitude (twice as fast).",
    )
    decoherence_constant_hartree: NotNegative = Field(
        default=0.1, description="Constant C of tau = (1 + C/E_kin)/|E_b - E_a|, Hartree."
    )

    decoherence_collapse: Literal["accepted", "attempted"] = Field(
        default="accepted", description="Which hops collapse it, with instantaneous decoherence."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        """Keys that a preset sets, and those that follow from hops without amplitudes."""
        if not isinstance(data, dict):
            return data
        filled = with_preset(data)
        if filled.get("hopping") == "landau-zener":
            filled |= {"electronic": "none", "decoherence": "none"}
        elif filled.get("hopping") == "unsmash":
            filled |= {"decoherence": "none", "frustrated": "reverse"}
        return {**filled, **data}

    @model_validator(mode="after")
    def _consistent(self) -> "DynamicsConfig":
        _exactly_one(self, "timestep_fs", "timestep_au")
        _exactly_one(self, "duration_fs", "max_steps")
        if self.hopping == "tully-rate" and self.electronic == "local-diabatization":
            raise ValueError(
                "hopping: tully-rate needs a time-derivative coupling, which local-diabatization "
                "does not have; choose electronic: nac-vectors, npi or curvature"
            )
        if self.hopping == "landau-zener":
            if self.electronic != "none" or self.decoherence != "none":
                raise ValueError(
                    "hopping: landau-zener has no amplitudes; leave electronic and decoherence out "
                    "or set both to none"
                )
        elif self.electronic == "none":
            raise ValueError("electronic: none goes with hopping: landau-zener only")
        if self.hopping == "unsmash" and (
            self.decoherence != "none"
            or self.frustrated != "reverse"
            or self.electronic == "curvature"
        ):
            raise ValueError(
                "hopping: unsmash has no decoherence and reverses the momentum of a refused hop; "
                "leave decoherence and frustrated out, and choose electronic: "
                "local-diabatization, npi or nac-vectors"
            )
        return self

    @property
    def timestep(self) -> float:
        """Time step in atomic units of time."""
        if self.timestep_au is not None:
            return self.timestep_au
        return (self.timestep_fs or 0.0) / FS_PER_ATOMIC_TIME

    @property
    def steps(self) -> int:
        """Steps of a trajectory that nothing ends early; at least one."""
        return self.max_steps or self.in_steps(self.duration_fs or 0.0)

    def in_steps(self, time_fs: float) -> int:
        """Whole steps in a length of time given in fs, at least one."""
        return max(1, round(time_fs / FS_PER_ATOMIC_TIME / self.timestep))


class UncertaintyConfig(Section):
    """Largest errors a trajectory may go on with, by what the potential says of itself.

    A committee, or a model with a record of its training features, expects an error at every
    geometry (`namd evaluate` compares expected and true ones). ``null`` switches a limit off.
    """

    energy_ev: Positive | None = Field(
        default=0.1, description="Expected error of the active state's energy, eV."
    )
    gap_ev: Positive | None = Field(
        default=0.1, description="Expected error of its gap to any other state, eV."
    )
    force_ev_per_angstrom: Positive | None = Field(
        default=0.5,
        description="Expected error of its force, at the atom where it is largest, eV/Å.",
    )
    coupling_ev_per_angstrom: Positive | None = Field(
        default=None,
        description="The same of its couplings h, which cost a backward pass each where no "
        "method needs them, eV/Å.",
    )


class GuardsConfig(Section):
    """What parks a trajectory with its reason; NaN always does. ``null`` switches a guard off."""

    energy_jump_ev: Positive | None = Field(
        default=0.5, description="Largest change of the total energy in one step, eV."
    )
    energy_drift_ev: Positive | None = Field(
        default=2.0, description="Largest change of the total energy since the start, eV."
    )
    bond_stretch: Annotated[float, Field(gt=1)] | None = Field(
        default=2.0,
        description="Largest length of a bond of the initial geometry, as a multiple of it.",
    )
    closest_bohr: Positive = Field(
        default=1.0, description="Smallest distance of two atoms, Bohr (with bond_stretch only)."
    )
    uncertainty: UncertaintyConfig | None = Field(
        default=None,
        description="Park where the potential expects too large an error of itself; {} for the "
        "default limits.",
    )


class OutputConfig(Section):
    """What is written, and how often."""

    every_fs: Positive | None = Field(default=None, description="Time between saved frames, fs.")
    every_steps: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="Steps between saved frames; instead of every_fs. Neither: 10."
    )
    velocities: bool = Field(default=True, description="Save velocities beside positions.")
    checkpoint_s: NotNegative = Field(
        default=10.0,
        description="Wall-clock seconds between checkpoints; 0: one at every saved frame.",
    )

    @model_validator(mode="after")
    def _one(self) -> "OutputConfig":
        if self.every_fs is not None and self.every_steps is not None:
            raise ValueError("give every_fs or every_steps, not both")
        return self


class RunConfig(Section):
    """A surface-hopping ensemble."""

    potential: PotentialConfig
    initial_conditions: InitialConditionsConfig
    dynamics: DynamicsConfig
    guards: GuardsConfig = GuardsConfig()
    output: OutputConfig = OutputConfig()
    trajectories: Annotated[int, Field(gt=0)] = Field(
        default=100, description="How many trajectories."
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        default=0, description="Seed of every random number of the run."
    )
    batch_size: Annotated[int, Field(gt=0)] = Field(
        default=64, description="Trajectories propagated at once; has no influence on the result."
    )
    device: str = Field(
        default="auto", description="auto (a GPU if there is one), cpu, cuda, cuda:0, …"
    )
    analysis: AnalysisConfig | None = Field(
        default=None, description="Geometry classes for `namd analyze quantum-yield`."
    )

    @model_validator(mode="after")
    def _times_fit_the_steps(self) -> "RunConfig":
        length, dt = self.dynamics.duration_fs, self.dynamics.timestep * FS_PER_ATOMIC_TIME
        if length is not None and length < 0.999999 * dt:
            raise ValueError(f"dynamics.duration_fs = {length} is less than one step of {dt:g} fs")
        every = self.output.every_fs
        if every is not None and abs(every / dt - round(every / dt)) > 1e-6 * every / dt:
            raise ValueError(
                f"output.every_fs = {every} is no whole number of time steps of {dt:g} fs"
            )
        return self

    @property
    def frame_steps(self) -> int:
        """Steps between saved frames."""
        if self.output.every_fs is not None:
            return self.dynamics.in_steps(self.output.every_fs)
        return self.output.every_steps or 10


def _exactly_one(section: Section, first: str, second: str) -> None:
    if (getattr(section, first) is None) == (getattr(section, second) is None):
        raise ValueError(f"give exactly one of {first} and {second}")
