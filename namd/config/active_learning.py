"""The configuration of active learning: everything ``namd active-learn`` reads from its file."""

from typing import Annotated

from pydantic import Field

from namd.config.section import Section

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


class SelectionConfig(Section):
    """Which frames are worth a label (namd.active.selection)."""

    budget: Count = Field(default=100, description="Frames to choose at most.")
    every: Count = Field(
        default=1, description="Of a run look at every so many-th saved frame; parked ones always."
    )
    quantile: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95,
        description="A limit that is not given is this quantile of the same number over the "
        "labelled frames; of novelty, of their distances from frames of other groups.",
    )
    energy_ev: Positive | None = Field(
        default=None, description="Disagreement about an energy from which a frame counts, eV."
    )
    gap_ev: Positive | None = Field(default=None, description="… about a gap, eV.")
    force_ev_per_angstrom: Positive | None = Field(
        default=None, description="… about the force on an atom, eV/Å."
    )
    degenerate_ev: Positive | None = Field(
        default=0.5, description="Gap below which a frame counts, eV.  [null: gaps do not]"
    )
    pool: Count = Field(
        default=5,
        description="Each reason takes frames from its strongest candidates, at most so many times "
        "the budget, as varied as can be.",
    )
    closest: Annotated[float, Field(ge=0)] = Field(
        default=0.3,
        description="No two frames of the batch, or one and a labelled one, are nearer than this "
        "times the median distance of labelled frames from those of other groups.",
    )
    fill: bool = Field(
        default=False,
        description="Fill the batch up with the farthest of the other frames, where fewer than "
        "the budget have a reason.",
    )
    random: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="The control: instead of all this draw the batch from all candidates, with "
        "this seed.",
    )


class RunStep(Section):
    """Trajectories of every round."""

    config: str = Field(
        description="Run configuration, beside this file or of the run library; its potential is "
        "replaced by the model of the round, its seed is counted up."
    )
    overrides: tuple[str, ...] = Field(
        default=(), description='"key=value" as for --set of `namd run`.'
    )


class TrainingStep(Section):
    """Trainings: the first one, and one more in every round."""

    config: str = Field(
        description="Training configuration, beside this file. Its data are the first labels; the "
        "groups it holds out for the test stay the test of all rounds."
    )
    members: Count = Field(default=4, description="Of the committee; 1: a single model.")
    warm: bool = Field(default=True, description="Begin from the weights of the round before.")
    overrides: tuple[str, ...] = Field(
        default=(), description='"key=value" as for --set of `namd train`, for every training.'
    )
    later_overrides: tuple[str, ...] = Field(
        default=(), description="Also for all but the first, e.g. optimiser.epochs=50."
    )


class LabellingStep(Section):
    """Labels of the chosen frames."""

    config: str = Field(description="Labelling configuration, beside this file.")
    workers: Count = Field(default=1, description="Processes.")


class StopConfig(Section):
    """When to stop: all targets that are given are met, or a limit is reached."""

    parked_fraction: Share | None = Field(
        default=0.02, description="Target: at most this share of the trajectories is parked."
    )
    violated_fraction: Share | None = Field(
        default=None,
        description="Target: at most this share violates energy conservation (`namd analyze "
        "conservation`).",
    )
    force_mev_per_angstrom: Positive | None = Field(
        default=None,
        description="Target: mean absolute error of forces on the test frames, meV/Å.",
    )
    rounds: Count = Field(default=10, description="Limit: so many times frames are labelled.")
    labels: Count | None = Field(
        default=None, description="Limit: so many labels outside of the test."
    )
    improvement: Share | None = Field(
        default=None,
        description="Limit: stop once the force error of the test has not fallen by this share of "
        "the best before, for as many rounds as patience.",
    )
    patience: Count = Field(default=2, description="Rounds that improvement waits.")


class ActiveLearningConfig(Section):
    """Rounds of: run, select, label, add, train."""

    run: RunStep
    training: TrainingStep
    labelling: LabellingStep | None = Field(
        default=None,
        description="null: the loop stops where labels are needed and goes on when they are there.",
    )
    model: str | None = Field(
        default=None,
        description="Model or committee of the first round.  [null: trained on the first labels]",
    )
    test: str | None = Field(
        default=None,
        description="Labelled frames that every model is tested on and none learns.  [null: the "
        "groups of the first labels that the training holds out]",
    )
    candidates: tuple[str, ...] = Field(
        default=(), description="Files of frames to choose from in every round, beside the run."
    )
    selection: SelectionConfig = Field(default_factory=SelectionConfig)
    stop: StopConfig = Field(default_factory=StopConfig)


MAY_CHANGE = ("labelling", "selection", "stop", "candidates")
"""Sections that may differ when a loop goes on: they count for the steps not made yet."""
