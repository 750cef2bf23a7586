"""Small configurations and models, and one thread, for the tests of training."""

from collections.abc import Callable
from typing import Any

import pytest

from namd.config.architecture import (
    CormorantArchitecture,
    FusionArchitecture,
    MaceArchitecture,
    PerceptronArchitecture,
)
from namd.config.training import TrainingConfig
from namd.data.dataset import Dataset
from namd.nn.model import DiabaticModel, ModelInformation
from namd.train.trainer import initialise

ARCHITECTURES = {
    "perceptron": PerceptronArchitecture(hidden=12, layers=2),
    "fusion": FusionArchitecture(
        channels=3, l_max=1, correlation=2, radial=3, hidden=6, cutoff_angstrom=4.0
    ),
    "cofd": CormorantArchitecture(
        channels=2, l_max=1, internal_l=1, layers=2, hidden=4, cutoff_angstrom=4.0, fusion="sparse"
    ),
    "mofd": MaceArchitecture(
        channels=2,
        l_max=1,
        hidden_l=1,
        internal_l=1,
        correlation=2,
        radial_hidden=(4,),
        hidden=4,
        cutoff_angstrom=4.0,
        fusion="sparse",
    ),
}


def _make_config(**changes: Any) -> TrainingConfig:
    """Dotted keys with ``__`` for the dot: ``optimiser__epochs=3``."""
    data: dict[str, Any] = {
        "data": {"file": "none.h5"},
        "network": {"kind": "perceptron", "hidden": 24, "layers": 2},
        "optimiser": {
            "epochs": 6,
            "batch_size": 8,
            "learning_rate": 0.01,
            "warmup_steps": 3,
            "ema_decay": 0.9,
        },
    }
    for key, value in changes.items():
        *sections, name = key.split("__")
        node = data
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    return TrainingConfig.model_validate(data)


@pytest.fixture(scope="session")
def make_config() -> Callable[..., TrainingConfig]:
    return _make_config


@pytest.fixture(scope="session")
def make_model() -> Callable[..., DiabaticModel]:
    """An untrained model for a dataset, its scale, shift and normalisation fixed."""

    def make(
        dataset: Dataset,
        kind: str = "perceptron",
        *,
        diabats: int | None = None,
        double: bool = False,
        seed: int = 0,
    ) -> DiabaticModel:
        information = ModelInformation(
            name="test",
            molecule=dataset.molecule,
            states=dataset.states,
            level_of_theory=dataset.level_of_theory,
            architecture=ARCHITECTURES[kind],
            diabats=diabats or len(dataset.states),
        )
        model = DiabaticModel(information, seed=seed)
        if double:
            model.network.double()
        initialise(model, dataset)
        return model

    return make
