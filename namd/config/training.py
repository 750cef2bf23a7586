"""The training configuration: everything ``namd train`` reads from its YAML file."""

from typing import Literal

from pydantic import Field, model_validator

from namd.config.architecture import Architecture, FusionArchitecture
from namd.config.head import Head, QuasiDiabaticHead
from namd.config.section import Section


class DataConfig(Section):
    """Which frames are learned, watched and held out."""

    file: str | tuple[str, ...] = Field(
        min_length=1,
        description="labelled dataset, or several that are joined; relative to the configuration "
        "file, else to the zoo",
    )
    states: int | None = Field(
        None, ge=1, description="learn only so many of the lowest states (null: all there are)"
    )
    validation: tuple[str, ...] = Field(
        (), description="groups (patterns such as traj-cis-*) whose frames decide when to stop"
    )
    test: tuple[str, ...] = Field((), description="groups held out for the final table of errors")
    validation_fraction: float = Field(
        0.0, ge=0, lt=1, description="expected share of the groups not named, for validation"
    )
    test_fraction: float = Field(
        0.0, ge=0, lt=1, description="expected share of the groups not named, for the test"
    )
    split_seed: int = Field(0, ge=0, description="seed of the drawing of groups")
    permute_equal_atoms: bool = Field(
        True,
        description="show each training frame in a random one of the numberings of equal atoms "
        "that leave the bonds of the first frame as they are",
    )
    max_train_frames: int | None = Field(
        None, ge=1, description="use at most so many training frames, evenly spread (null: all)"
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The datasets, also where it is one."""
        return (self.file,) if isinstance(self.file, str) else self.file


class LossWeights(Section):
    """Weights of the loss terms; see namd.train.loss."""

    target: Literal["adiabatic", "diabatic"] = Field(
        "adiabatic",
        description="adiabatic: energies, forces and couplings in any gauge; diabatic: the "
        "method's own matrix W and its gradient where the labels have diabatic_hamiltonian, as "
        "many diabats as states, and the former elsewhere",
    )
    derivatives: Literal["full", "sampled"] = Field(
        "full",
        description="full: every force and coupling of every frame in each step; sampled (two "
        "states): one of them per frame and step, drawn at random, at a third of the cost",
    )
    energy: float = Field(1.0, ge=0, description="energies of all states")
    gap: float = Field(1.0, ge=0, description="energy differences of all pairs")
    force: float = Field(2.0, ge=0, description="forces of all states")
    coupling: float = Field(4.0, ge=0, description="interstate couplings h of all pairs")
    dipole: float = Field(
        0.3, ge=0, description="transition dipoles of all pairs, where the head has dipoles"
    )
    late_factor: float = Field(
        3.0, ge=0, description="energy and gap weights are multiplied by this in the last third"
    )
    small_gap: float = Field(
        4.0, ge=0, description="extra weight 1 + w/(1 + (gap/gap0)²) of gap and coupling terms"
    )
    small_gap_ev: float = Field(0.25, gt=0, description="gap0 of that weight, eV")
    degenerate_gap_ev: float = Field(
        0.03, ge=0, description="below this gap the loss is rotation-invariant, eV"
    )
    energy_delta_ev: float = Field(0.02, gt=0, description="pseudo-Huber scale of energies, eV")
    force_delta_ev_per_angstrom: float = Field(
        0.03, gt=0, description="pseudo-Huber scale of forces and couplings, eV/Å"
    )
    dipole_delta_e_bohr: float = Field(
        0.05, gt=0, description="pseudo-Huber scale of transition dipoles, e·Bohr"
    )

    @model_validator(mode="after")
    def _whole_gradient(self) -> "LossWeights":
        if self.target == "diabatic" and self.derivatives == "sampled":
            raise ValueError("target diabatic needs derivatives full: all elements of the gradient")
        return self


class OptimiserConfig(Section):
    """How the weights move."""

    epochs: int = Field(200, ge=1, description="passes over the training frames at most")
    batch_size: int = Field(16, ge=1, description="frames per step")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="peak learning rate of Adam")
    warmup_steps: int = Field(200, ge=0, description="linear warm-up")
    final_fraction: float = Field(
        0.01, gt=0, le=1, description="learning rate at the end of the cosine, relative to its peak"
    )
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay (AdamW)")
    gradient_clip: float = Field(10.0, gt=0, description="largest norm of the gradient")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="moving average that is evaluated")
    patience_epochs: int = Field(
        50, ge=1, description="stop after so many epochs without a better validation loss"
    )


class TrainingConfig(Section):
    """One training of one network."""

    name: str = Field("model", min_length=1, pattern=r"^[A-Za-z0-9._-]+$", description="model name")
    data: DataConfig
    network: Architecture = Field(default_factory=FusionArchitecture)
    head: Head = Field(default_factory=QuasiDiabaticHead)
    diabats: int | None = Field(
        None, ge=1, le=16, description="size M of W, at least the number of states (null: equal)"
    )
    loss: LossWeights = Field(default_factory=LossWeights)
    optimiser: OptimiserConfig = Field(default_factory=OptimiserConfig)
    initial_weights: str | None = Field(
        None,
        description="model folder, relative to the configuration file, or name in the zoo, whose "
        "weights and normalisation are the start; hold out what it held out. Bound and site labels "
        "may change (a readout with other labels begins anew), diabats be added, and the level of "
        "theory be another: the zero of energy moves to the new labels (null: random weights)",
    )
    seed: int = Field(0, ge=0, description="seed of weights and of the order of frames")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")
    checkpoint_every_epochs: int = Field(1, ge=1, description="epochs between checkpoints")
