"""Labels of which only some states' forces are known: loss, errors, training on real SHARC data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from namd.config.training import LossWeights, TrainingConfig
from namd.data.reading import read_dataset
from namd.errors import DataError
from namd.nn.adiabatic import Adiabatic
from namd.train import pipeline
from namd.train.evaluation import compare
from namd.train.loss import multistate_loss
from namd.train.metrics import error_table

DATA = Path(__file__).parents[2] / "data" / "ch2nh2-sharc2.h5"


def batch(seed: int) -> tuple[Adiabatic, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return 0.01 * torch.randn(*shape, generator=generator, dtype=torch.float64)

    levels = torch.tensor([0.0, 0.1, 0.25], dtype=torch.float64)
    predicted = Adiabatic(
        energies=levels + normal(4, 3),
        forces=normal(4, 3, 5, 3).requires_grad_(),
        interstate_coupling=normal(4, 3, 5, 3),
    )
    labels = {
        "energies": levels + normal(4, 3),
        "forces": normal(4, 3, 5, 3),
        "coupling": normal(4, 3, 5, 3),
    }
    return predicted, labels


def test_unknown_forces_leave_the_mean_of_the_known_ones() -> None:
    predicted, labels = batch(0)
    weights = LossWeights()
    labels["forces"][1:, 0] = torch.nan
    labels["forces"][:, 1:] = torch.nan
    loss = multistate_loss(predicted, **labels, weights=weights, late=False)
    alone = Adiabatic(
        energies=predicted.energies[:1],
        forces=predicted.forces[:1].detach(),
        interstate_coupling=predicted.interstate_coupling[:1],
    )
    kept = {name: tensor[:1].clone() for name, tensor in labels.items()}
    kept["forces"][:, 1:] = alone.forces[:, 1:]
    reference = multistate_loss(alone, **kept, weights=weights, late=False)
    torch.testing.assert_close(loss.force, 3 * reference.force)
    (gradient,) = torch.autograd.grad(loss.total, predicted.forces)
    assert gradient.isfinite().all()
    assert gradient[0, 0].abs().max() > 0
    assert gradient[1:].abs().max() == 0


def test_all_known_is_the_plain_mean() -> None:
    predicted, labels = batch(1)
    loss = multistate_loss(predicted, **labels, weights=LossWeights(), late=True)
    error = (predicted.forces - labels["forces"]) * 51.42206747
    delta = LossWeights().force_delta_ev_per_angstrom
    plain = ((error.square().sum(-1) + delta**2).sqrt() - delta).mean()
    torch.testing.assert_close(loss.force, plain.detach(), rtol=1e-6, atol=0, check_dtype=False)


def test_three_states_of_a_sharc_run_are_learned(tmp_path: Path) -> None:
    config = TrainingConfig.model_validate(
        {
            "name": "ch2nh2",
            "data": {"file": str(DATA), "validation": ["*6"], "max_train_frames": 48},
            "network": {"kind": "fusion", "channels": 4, "radial": 4, "hidden": 16},
            "optimiser": {"epochs": 12, "batch_size": 8, "learning_rate": 0.01, "warmup_steps": 5},
        }
    )
    job = pipeline.prepare(config, base=tmp_path)
    assert job.numberings is not None
    assert len(job.numberings) == 4
    before = error_table(compare(job.model, job.training))
    folder = tmp_path / "model"
    pipeline.open_folder(folder, config, resume=False)
    metrics = pipeline.run(job, folder, resume=False)
    after = metrics["errors"]["training"]
    assert after["frames"] == 48
    for key in ("energy_mae_mev", "force_mae_mev_per_angstrom"):
        untrained, trained = (np.mean([s[key] for s in t["states"]]) for t in (before, after))
        assert trained < 0.75 * untrained
    assert after["coupling_r2"] is not None


def test_the_data_know_some_but_not_all_forces() -> None:
    known = np.isfinite(read_dataset(DATA)["forces"]).all((2, 3))
    assert known.any(axis=1).all()
    assert not known.all()


def test_sampled_derivatives_need_every_force(tmp_path: Path) -> None:
    config = TrainingConfig.model_validate(
        {"data": {"file": str(DATA)}, "loss": {"derivatives": "sampled"}}
    )
    with pytest.raises(DataError, match="unknown"):
        pipeline.prepare(config, base=tmp_path)
