"""What a model keeps of its training: fitted on validation frames, of use where it is far off."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from namd.config.architecture import PerceptronArchitecture
from namd.nn.distance import fit_distance
from namd.nn.model import DiabaticModel, ModelInformation
from namd.train.evaluation import compare
from namd.train.guarding import RIDGES, features_of, guard_model
from namd.train.metrics import with_distance
from namd.train.predictors import Committee, Single
from namd.train.reliability import calibrate, uncertainty_table
from namd.train.trainer import initialise


@pytest.fixture(scope="module")
def dataset(make_labelled: Callable[..., Any]) -> Any:
    return make_labelled(64, states=2)


def make_model(dataset: Any, seed: int) -> DiabaticModel:
    information = ModelInformation(
        name="test",
        molecule=dataset.molecule,
        states=dataset.states,
        level_of_theory="springs between atoms",
        architecture=PerceptronArchitecture(hidden=8, layers=1),
        diabats=2,
    )
    model = DiabaticModel(information, seed=seed)
    initialise(model, dataset)
    return model


def test_ridge_and_factors_are_those_of_the_validation_frames(dataset: Any) -> None:
    model = make_model(dataset, 0)
    training, validation = dataset.select(np.arange(40)), dataset.select(np.arange(40, 52))
    errors = compare(model, validation)
    found = guard_model(model, training=training, validation=validation, errors=errors)
    assert found is not None
    assert found.ridge in RIDGES
    # The same through the predictor: mean squares agree where they were made to.
    table = uncertainty_table(compare(Single(model, found), validation), found.scales)
    for row in table.values():
        assert row["predicted"] == pytest.approx(row["true"], rel=1e-4)
    # No other ridge gives the errors a higher likelihood.
    known, new = features_of(model, training), features_of(model, validation)

    def score(ridge: float) -> float:
        distance = fit_distance(known, ridge=ridge)
        judged = with_distance(errors, distance(new).numpy())
        rows = uncertainty_table(judged, calibrate(judged)["scales"]).values()
        return float(np.mean([row["nll_after"] for row in rows]))

    assert score(found.ridge) == pytest.approx(min(score(ridge) for ridge in RIDGES))


def test_a_committee_of_equal_members_deviates_by_nothing_and_is_not_calibrated(
    dataset: Any,
) -> None:
    model = make_model(dataset, 0)
    alike = compare(Committee([model] * 3, "alike"), dataset)
    alone = compare(model, dataset)
    for name in ("energies", "forces", "coupling"):
        np.testing.assert_array_equal(getattr(alike, name), getattr(alone, name))
    assert alike.spread is not None
    assert not alike.spread.energies.any()
    assert not alike.spread.coupling.any()
    assert calibrate(alike) == {}
    table = uncertainty_table(alike, {})
    assert table["energy"]["nll_after"] is None
    assert table["energy"]["predicted"] is None


def test_the_deviation_of_known_members(dataset: Any) -> None:
    """Two models whose energies differ by a constant: its √2nd part, and no deviation else."""
    one, other = make_model(dataset, 0), make_model(dataset, 0)
    other.shift += 0.01
    spread = compare(Committee([one, other], "pair"), dataset).spread
    assert spread is not None
    np.testing.assert_allclose(spread.energies, 0.01 * 27.211386 / 2**0.5, rtol=1e-6)
    assert np.abs(spread.gaps).max() < 1e-9
    assert np.abs(spread.forces).max() < 1e-9
    assert spread.freedom == 1.0
