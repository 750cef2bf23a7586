"""Training: it learns, it repeats itself bitwise, and it survives being stopped anywhere."""

import csv
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from namd.data.dataset import Dataset
from namd.errors import DataError, PhysicsError
from namd.train import checkpoint
from namd.train.batch_loss import mean_loss
from namd.train.labels import Labels as TrainingLabels
from namd.train.trainer import _update_average as update_average
from namd.train.trainer import fit, initialise, learning_rate
from namd.units import EV_PER_HARTREE


class StoppedError(Exception):
    """Stands for whatever ends a process between two epochs."""


@pytest.fixture(scope="module")
def parts(make_labelled) -> tuple[Dataset, Dataset]:
    """Training and validation frames, three states."""
    return make_labelled(40, states=3), make_labelled(12, states=3, seed=1)


@pytest.fixture
def train(tmp_path, parts, make_config, make_model):
    """Run a training in a folder; ``until`` stops it after that many epochs."""

    def run(name: str, *, until: int | None = None, resume: bool = False, **changes):
        config = make_config(**changes)
        training, validation = parts
        model = make_model(training, seed=config.seed)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)

        def report(row):
            if row.epoch + 1 == until:
                raise StoppedError

        progress = fit(
            model,
            training=training,
            validation=validation,
            config=config,
            folder=folder,
            resume=resume,
            report=report,
        )
        return model, progress, folder

    return run


def log_rows(folder) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "frames_per_second")} for row in rows
    ]


def assert_same_weights(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def damage(path) -> None:
    """Cut a file short, as a full disk or a lost cache would."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_training_learns(train, parts, make_model, make_config):
    model, progress, folder = train("run", optimiser__epochs=25)
    config = make_config()
    watch = TrainingLabels.of(parts[1], torch.device("cpu"))
    untrained = mean_loss(make_model(parts[0]), watch, config=config)
    trained = mean_loss(model, watch, config=config)
    assert trained["total"] < untrained["total"] / 3
    assert trained["energy"] < untrained["energy"] / 2
    assert trained["coupling"] < untrained["coupling"] / 2
    # What comes out are the best averaged weights, not the last ones.
    assert trained["total"] == progress.best_loss
    rows = log_rows(folder)
    assert progress.best_loss == min(float(row["validation_total"]) for row in rows)
    assert [int(row["epoch"]) for row in rows] == list(range(25))
    assert float(rows[-1]["train_total"]) < float(rows[0]["train_total"]) / 3


@pytest.mark.parametrize("derivatives", ["full", "sampled"])
def test_the_seed_decides_every_bit(tmp_path, make_labelled, make_config, make_model, derivatives):
    training, validation = make_labelled(16), make_labelled(8, seed=1)
    models = []
    for run, seed in enumerate((5, 5, 6)):
        config = make_config(seed=seed, optimiser__epochs=2, loss__derivatives=derivatives)
        model = make_model(training, seed=0)  # equal start: only the order of frames differs
        folder = tmp_path / str(run)
        folder.mkdir()
        torch.manual_seed(run)  # the global state must not matter
        np.random.seed(run)  # noqa: NPY002
        fit(model, training=training, validation=validation, config=config, folder=folder)
        models.append(model)
    assert_same_weights(models[0], models[1])
    with pytest.raises(AssertionError):
        assert_same_weights(models[0], models[2])


@pytest.mark.parametrize("every", [1, 3])
def test_interrupted_and_resumed_is_the_same_training(train, every):
    """Also where epochs after the last checkpoint are lost and done again."""
    options = {"checkpoint_every_epochs": every, "optimiser__epochs": 7}
    whole, progress, folder = train("whole", **options)
    for epoch in (2, 4):
        with pytest.raises(StoppedError):
            train("cut", until=epoch, resume=(epoch > 2 and every == 1), **options)
    resumed, again, cut = train("cut", resume=True, **options)
    assert_same_weights(whole, resumed)
    assert again.best_loss == progress.best_loss
    assert again.best_epoch == progress.best_epoch
    assert log_rows(cut) == log_rows(folder)
    # Resuming what is complete changes nothing.
    once_more, _, _ = train("cut", resume=True, **options)
    assert_same_weights(whole, once_more)
    assert log_rows(cut) == log_rows(folder)


def test_a_new_training_starts_a_new_log(train):
    with pytest.raises(StoppedError):
        train("run", until=3)
    _, _, folder = train("run", optimiser__epochs=2)
    assert [row["epoch"] for row in log_rows(folder)] == ["0", "1"]


def test_a_damaged_checkpoint_falls_back_to_the_one_before(train, tmp_path):
    whole, _, _ = train("whole")
    with pytest.raises(StoppedError):
        train("cut", until=4)
    folder = tmp_path / "cut"
    damage(folder / checkpoint.CURRENT)
    # Stopped again after one more epoch: the damaged file has not pushed out the good one.
    good = (folder / checkpoint.PREVIOUS).read_bytes()
    with pytest.raises(StoppedError):
        train("cut", until=4, resume=True)
    assert (folder / checkpoint.PREVIOUS).read_bytes() == good
    damage(folder / checkpoint.CURRENT)
    resumed, _, _ = train("cut", resume=True)
    assert_same_weights(whole, resumed)


def test_without_a_whole_checkpoint_nothing_is_resumed(train, tmp_path):
    with pytest.raises(StoppedError):
        train("cut", until=3)
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS):
        damage(tmp_path / "cut" / name)
    with pytest.raises(DataError, match="cut short or altered") as caught:
        train("cut", resume=True)
    assert caught.value.exit_code == 3
    assert str(tmp_path / "cut") in str(caught.value)


def test_a_stop_between_moving_and_writing_a_checkpoint_loses_nothing(train, monkeypatch):
    whole, _, _ = train("whole")
    write = checkpoint.write_bytes
    calls = []

    def full_disk(path, data):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space"):
            train("cut")
    resumed, _, folder = train("cut", resume=True)
    assert_same_weights(whole, resumed)
    assert len(log_rows(folder)) == 6


def test_patience_ends_a_training_that_no_longer_improves(train):
    """A rate that moves no weight: the first epoch stays the best."""
    _, progress, folder = train(
        "run", optimiser__learning_rate=1e-30, optimiser__patience_epochs=3, optimiser__epochs=20
    )
    assert progress.best_epoch == 0
    assert progress.epoch == 4
    assert len(log_rows(folder)) == 4


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_loss_that_is_no_number_ends_the_training(
    part, tmp_path, make_labelled, make_config, make_model
):
    energies = make_labelled(8)["energies"].copy()
    energies[3, 1] = np.nan
    datasets = {"training": make_labelled(8), "validation": make_labelled(8)}
    datasets[part] = make_labelled(8, arrays={"energies": energies})
    with pytest.raises(PhysicsError, match=f"the {part} loss is nan in epoch 1") as caught:
        fit(make_model(make_labelled(8)), **datasets, config=make_config(), folder=tmp_path)
    assert caught.value.exit_code == 4
    assert "learning_rate" in str(caught.value.hint)


def test_the_moving_average_is_short_at_first(make_labelled, make_model):
    dataset = make_labelled(4)
    average, model = make_model(dataset, double=True), make_model(dataset, double=True, seed=3)
    start = [p.clone() for p in average.parameters()]
    for step, keep in ((1, 2 / 11), (1000, 0.9)):
        before = [p.clone() for p in average.parameters()]
        update_average(average, model, decay=0.9, step=step)
        for now, old, new in zip(average.parameters(), before, model.parameters(), strict=True):
            torch.testing.assert_close(now, keep * old + (1 - keep) * new)
    assert not torch.equal(start[0], next(average.parameters()))


def test_learning_rate_rises_then_falls_along_a_cosine(make_config):
    config = make_config(optimiser__warmup_steps=10, optimiser__final_fraction=0.02)
    rates = [learning_rate(config, step=step, total_steps=1000) for step in range(1001)]
    peak = config.optimiser.learning_rate
    assert rates[0] == pytest.approx(peak / 10)
    assert rates[9] == pytest.approx(peak, rel=1e-3)
    assert rates[500] == pytest.approx(peak * 0.51)
    assert rates[1000] == pytest.approx(peak * 0.02)
    assert all(math.isfinite(r) and 0 < r <= peak for r in rates)
    assert all(a > b for a, b in pairwise(rates[10:]))


def test_the_untrained_model_starts_from_the_mean_energies(make_labelled, make_model):
    dataset = make_labelled(20)
    model = make_model(dataset, diabats=4)
    initialise(model, dataset)
    mean = torch.from_numpy(dataset["energies"].mean(0))
    torch.testing.assert_close(model.shift[:2], mean)
    torch.testing.assert_close(
        (model.shift[2:] - mean[1]) * EV_PER_HARTREE, torch.tensor([1.0, 2.0]).double()
    )
    assert float(model.scale) == pytest.approx(1 / EV_PER_HARTREE)
