"""The labelling configuration: everything ``namd label`` reads from its YAML file."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from namd.config.engine import EngineConfig
from namd.config.section import Section


class VerificationConfig(Section):
    """Finite differences that labels are compared with (``--verify``)."""

    seed: int = Field(default=0, ge=0, description="Of the frames and directions drawn.")
    directions: Annotated[int, Field(gt=0)] = Field(
        default=2, description="Random directions per frame; each costs four labels."
    )
    step_angstrom: float = Field(
        default=0.02, gt=0, description="Of the differences: length over all atoms together, Å."
    )
    tolerance_ev_per_angstrom: float = Field(
        default=0.005, gt=0, description="Deviation along a direction that is let pass, eV/Å."
    )


class LabellingConfig(Section):
    """One labelling of a file of frames."""

    engine: EngineConfig
    chain_length: Annotated[int, Field(gt=0)] = Field(
        default=16,
        description="Frames that follow each other in a group are computed one after another, the "
        "guess of one for the next, in chains of this length; each begins cold. The labels depend "
        "on it, never on the number of workers.",
    )
    guess_within_angstrom: float = Field(
        default=0.2,
        ge=0,
        description="Where an atom has gone farther from one frame to the next, that begins cold: "
        "orbitals carried too far can end in a higher solution. 0: all begin cold.",
    )
    charge: int | None = Field(
        default=None,
        description="Total charge.  [null: that of the frames' file, 0 if it has none]",
    )
    level_of_theory: str | None = Field(
        default=None, description="In place of the engine's own words."
    )
    title: str = Field(default="", description="Of the dataset.")
    licence: str = Field(default="", description="Of the dataset.")
    threads_per_worker: Annotated[int, Field(gt=0)] = Field(
        default=1, description="Threads of each worker process (OMP_NUM_THREADS)."
    )
    verification: VerificationConfig = Field(default_factory=VerificationConfig)

    @model_validator(mode="before")
    @classmethod
    def _name_of_a_callable(cls, given: Any) -> Any:
        """Let ``engine: {callable: module:function}`` do without ``name: callable``."""
        if isinstance(given, dict):
            engine = given.get("engine")
            if isinstance(engine, dict) and "callable" in engine and "name" not in engine:
                return {**given, "engine": {"name": "callable", **engine}}
        return given


WITHOUT_INFLUENCE = (
    "engine.timeout_s",
    "title",
    "licence",
    "verification.seed",
    "verification.directions",
    "verification.step_angstrom",
    "verification.tolerance_ev_per_angstrom",
)
"""Keys that may change between a labelling and its resumption."""
