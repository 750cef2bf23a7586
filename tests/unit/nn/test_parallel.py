"""Slices on several threads: in order, with their errors, and with the same bits on any number."""

import threading

import numpy as np
import pytest
import torch

from namd.config.architecture import FusionArchitecture
from namd.config.training import TrainingConfig
from namd.data.dataset import Dataset
from namd.nn import parallel
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.parallel import side_by_side, thread_count, use_threads
from namd.potentials.network import NetworkPotential
from namd.train.batch_loss import mean_loss, set_gradient
from namd.train.labels import Labels
from namd.train.trainer import initialise


@pytest.fixture(autouse=True)
def forgotten():
    yield
    parallel._wanted.clear()


@pytest.fixture(scope="module")
def dataset(make_labelled) -> Dataset:
    return make_labelled(40, states=2)


def make_model(dataset: Dataset) -> DiabaticModel:
    information = ModelInformation(
        name="test",
        molecule=dataset.molecule,
        states=dataset.states,
        level_of_theory="springs between atoms",
        architecture=FusionArchitecture(channels=4, radial=4, hidden=8, cutoff_angstrom=4.0),
        diabats=2,
    )
    model = DiabaticModel(information, seed=2)
    initialise(model, dataset)
    return model


def test_results_keep_their_order_and_the_work_is_shared():
    use_threads(3)
    together = threading.Barrier(3, timeout=20)  # broken unless three calls run at once

    def square(number: int) -> int:
        together.wait()
        return number * number

    assert side_by_side(square, range(12)) == [n * n for n in range(12)]


def test_one_thread_stays_in_the_caller():
    use_threads(1)
    here = threading.get_ident()
    assert set(side_by_side(lambda _: threading.get_ident(), range(4))) == {here}


def test_threads_use_one_thread_inside_each_operation():
    use_threads(2)
    assert side_by_side(lambda _: torch.get_num_threads(), range(8)) == [1] * 8


def test_the_first_error_comes_out_when_all_have_ended():
    use_threads(2)
    done = []

    def fail(number: int) -> None:
        if number in {1, 3}:
            raise ValueError(str(number))
        done.append(number)

    with pytest.raises(ValueError, match="1"):
        side_by_side(fail, range(6))
    assert sorted(done) == [0, 2, 4, 5]


@pytest.mark.parametrize(("told", "expected"), [("3", 3), ("1", 1)])
def test_omp_num_threads_is_obeyed(monkeypatch, told, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert thread_count() == expected


@pytest.mark.parametrize("told", ["", "many", "0"])
def test_otherwise_it_is_the_cores_of_this_process(monkeypatch, told):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    assert thread_count() == 3


def test_surfaces_and_couplings_have_the_same_bits_on_any_number_of_threads(dataset):
    potential = NetworkPotential(make_model(dataset), slice_size=8)
    positions = torch.from_numpy(dataset["positions"])
    upper = torch.ones(len(positions), dtype=torch.int64)
    found = []
    for threads in (1, 3):
        use_threads(threads)
        surfaces = potential.surfaces(positions, upper)
        coupling = potential.coupling(positions, upper, 0 * upper)
        found.append((surfaces.energies, surfaces.force, surfaces.eigenvectors, coupling))
    for one, three in zip(*found, strict=True):
        assert torch.equal(one, three)


@pytest.mark.parametrize("derivatives", ["full", "sampled"])
def test_the_gradient_of_a_batch_has_the_same_bits_on_any_number_of_threads(dataset, derivatives):
    config = TrainingConfig.model_validate(
        {"data": {"file": "none.h5"}, "loss": {"derivatives": derivatives}}
    )
    model, labels = make_model(dataset), Labels.of(dataset, torch.device("cpu"))
    found = []
    for threads in (1, 3):
        use_threads(threads)
        terms = set_gradient(model, labels, config=config, late=False, step=7)
        grads = [p.grad for p in model.network.parameters() if p.grad is not None]
        found.append((terms, grads))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


def test_the_gradient_of_a_batch_is_the_slope_of_its_mean_loss(dataset):
    """20 frames in three slices of unequal length, against a finite difference of the whole."""
    config = TrainingConfig.model_validate(
        {"data": {"file": "none.h5"}, "loss": {"derivatives": "full"}}
    )
    model = make_model(dataset)
    model.network.double()
    labels = Labels.of(dataset.select(np.arange(20)), torch.device("cpu"))
    terms = set_gradient(model, labels, config=config, late=True, step=0)
    assert terms["total"] == pytest.approx(mean_loss(model, labels, config=config)["total"])
    parameters = list(model.network.parameters())
    generator = torch.Generator().manual_seed(5)
    along = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    pairs = zip(parameters, along, strict=True)
    slope = sum(float((p.grad * a).sum()) for p, a in pairs if p.grad is not None)
    found = []
    step = 1e-5
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for p, a in zip(parameters, along, strict=True):
                p.add_(a, alpha=sign * step)
        found.append(mean_loss(model, labels, config=config)["total"])
        with torch.no_grad():
            for p, a in zip(parameters, along, strict=True):
                p.add_(a, alpha=-sign * step)
    assert slope == pytest.approx((found[0] - found[1]) / (2 * step), rel=1e-4)
