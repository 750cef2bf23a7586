"""A short training of the published networks teaches them something."""

import pytest
import torch

from namd.train.batch_loss import mean_loss
from namd.train.labels import Labels
from namd.train.trainer import fit


@pytest.mark.parametrize("kind", ["mofd", "cofd"])
def test_a_short_training_reduces_the_loss(tmp_path, make_labelled, make_config, make_model, kind):
    dataset = make_labelled(24, states=1)
    config = make_config(optimiser__epochs=25, optimiser__learning_rate=0.05)
    model = make_model(dataset, kind)
    labels = Labels.of(dataset, torch.device("cpu"))
    before = mean_loss(model, labels, config=config)["total"]
    progress = fit(model, training=dataset, validation=dataset, config=config, folder=tmp_path)
    assert progress.best_loss == mean_loss(model, labels, config=config)["total"]
    assert progress.best_loss < 0.7 * before
