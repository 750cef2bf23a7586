"""The exact solver against analytic scattering, the independent table, and its own grid."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.errors import ConfigError
from namd.validation.scattering import scatter
from namd.validation.tully_reference import exact_channels, table

TABLE = table("exact")


def test_the_table_is_whole():
    assert len(TABLE) == 18
    for channels in TABLE.values():
        assert sum(channels.values) == pytest.approx(1, abs=2e-5)
    for channels in table("fssh").values():
        assert sum(channels.values) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("model", "momentum"), list(TABLE))
def test_tabulated_results_are_reproduced(model, momentum):
    found = exact_channels(model, momentum)
    # The table's grid for model 3 ends where its coupling is not yet quite constant.
    tolerance = 2.5e-4 if model == "ecr" else 1e-4
    assert found.values == pytest.approx(TABLE[model, momentum].values, abs=tolerance)
    assert sum(found.values) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize(
    ("model", "momentum"),
    [("sac", 20.0), ("dac", 20.0), ("ecr", 14.0), ("dac", 300.0), ("sac", 8.944)],
)
def test_a_finer_grid_changes_nothing(model, momentum):
    coarse, fine = (exact_channels(model, momentum, refinement=f).values for f in (1.0, 2.0))
    assert coarse == pytest.approx(fine, abs=1e-6)


@pytest.mark.parametrize("momentum", [3.0, 6.0, 8.0, 12.0])
def test_transmission_through_an_analytic_barrier(momentum):
    """V/cosh²(ax): L. D. Landau, E. M. Lifshitz, Quantum Mechanics, section 25, problem 4."""
    height, slope, mass = 0.015, 1.2, 2000.0

    def barrier(x):
        return (height / np.cosh(slope * x) ** 2)[:, None, None]

    found = scatter(barrier, mass=mass, momentum=momentum, left=-15.0, right=15.0)
    a = math.sinh(math.pi * momentum / slope) ** 2
    b = math.cosh(0.5 * math.pi * math.sqrt(8 * mass * height / slope**2 - 1)) ** 2
    assert found.transmission[0] == pytest.approx(a / (a + b), abs=1e-8)
    assert found.reflection[0] == pytest.approx(b / (a + b), abs=1e-8)


def three_channels(x):
    w = np.zeros((len(x), 3, 3))
    w[:, 1, 1], w[:, 2, 2] = 0.01, 0.03
    w[:, 0, 1] = w[:, 1, 0] = 0.004 * np.exp(-(x**2))
    w[:, 1, 2] = w[:, 2, 1] = 0.006 * np.exp(-0.5 * (x - 1) ** 2)
    return w


@settings(max_examples=8)
@given(angles=st.lists(st.floats(-3, 3), min_size=3, max_size=3), momentum=st.floats(2, 25))
def test_the_choice_of_diabatic_states_does_not_matter(angles, momentum):
    skew = np.array([[0, angles[0], angles[1]], [0, 0, angles[2]], [0, 0, 0]])
    turn, _ = np.linalg.qr(skew + np.eye(3))
    options = {"mass": 2000.0, "momentum": momentum, "left": -10.0, "right": 10.0}
    plain = scatter(three_channels, **options)
    turned = scatter(lambda x: turn.T @ three_channels(x) @ turn, **options)
    assert turned.transmission == pytest.approx(plain.transmission, abs=1e-8)
    assert turned.reflection == pytest.approx(plain.reflection, abs=1e-8)
    closed = np.array([0, 0.01, 0.03]) > momentum**2 / 4000.0
    assert not plain.transmission[closed].any()
    assert not plain.reflection[closed].any()


def test_without_coupling_nothing_changes_channel():
    def uncoupled(x):
        return np.eye(2) * np.array([0.0, 0.01]) + 0 * x[:, None, None]

    found = scatter(uncoupled, mass=2000.0, momentum=12.0, left=-5.0, right=5.0)
    assert found.transmission == pytest.approx([1, 0], abs=1e-12)
    assert found.reflection == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize(
    ("momentum", "message"),
    [(0.0, "must be positive"), (-3.0, "must be positive"), (1e5, "too coarse")],
)
def test_impossible_momenta_are_refused(momentum, message):
    with pytest.raises(ConfigError, match=message):
        exact_channels("dac", momentum)
