"""One training of the comparison: equal conditions, a result, killed and resumed, its errors."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from comparison import times, training
from comparison.cases import CASES, ROOT, configure
from comparison.costs import add_operations, count
from comparison.errors import errors
from comparison.networks import HEADS, NETWORKS
from comparison.tasks import Task

from namd.benchmark.clock import Plan
from namd.config.loading import differing_keys, resolved_config
from namd.data.reading import read_dataset
from namd.data.splits import split_groups
from namd.errors import ConfigError, DataError
from namd.train.metrics import Comparison

TINY = (
    "network.channels=2",
    "network.l_max=1",
    "network.correlation=2",
    "network.radial=3",
    "network.hidden=6",
)


@pytest.fixture
def tiny(monkeypatch) -> Task:
    """A training of a second: twenty frames of CH2NH2+, a very small network."""
    monkeypatch.setitem(CASES, "ch2nh2", replace(CASES["ch2nh2"], frames=20, epochs=3, watched=4))
    monkeypatch.setitem(NETWORKS, "ours", replace(NETWORKS["ours"], changes=TINY))
    return Task(case="ch2nh2", network="ours", seed=1)


@pytest.mark.parametrize("case", CASES)
def test_networks_differ_in_nothing_but_themselves(case):
    """Data, split, loss, batch, schedule and head are the case's."""
    networks = CASES[case].networks
    allowed = ("name", "network.", "optimiser.learning_rate", "optimiser.weight_decay")
    if networks == HEADS:
        allowed = ("name", "head", "diabats", "loss.target", "network.site_labels")
    first, *others = [
        resolved_config(configure(case=case, network=name, seed=0)) for name in networks
    ]
    for network, other in zip(networks[1:], others, strict=True):
        if CASES[case].own_epochs:
            allowed = (*allowed, "optimiser.epochs", "optimiser.patience_epochs")
        extra = [key for key in differing_keys(first, other) if not key.startswith(allowed)]
        assert extra == []
        assert other["network"]["offdiagonal_limit_ev"] == first["network"]["offdiagonal_limit_ev"]
        signed = "signs" in network
        assert other["network"]["site_labels"] == ("signs" if signed else "offdiagonal")


@pytest.mark.parametrize("case", CASES)
def test_a_case_says_how_many_frames_it_has_and_holds_out_whole_groups(case):
    chosen = CASES[case]
    dataset = read_dataset(ROOT / chosen.file)
    split = split_groups(dataset["group"], validation=chosen.validation, test=chosen.test)
    assert len(split.training) >= chosen.frames
    if case in {"ch2nh2", "stilbene-full"}:
        assert len(split.training) == chosen.frames
    sides = [set(dataset["group"][rows]) for rows in (split.training, split.validation, split.test)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_budgets_of_stilbene_are_equal_up_to_an_epoch():
    first, *others = (case for case in CASES.values() if "stilbene" in case.title)
    budget = first.epochs * first.frames
    assert others
    assert all(abs(case.epochs * case.frames - budget) < case.frames for case in others)


def test_fusion_off_has_the_parameters_it_is_said_to_have():
    """Half of them at equal width, the same number at 70 channels; and no product of features."""
    dataset = read_dataset(ROOT / CASES["stilbene-285"].file)
    on, off, wide = (
        count("stilbene-285", name, dataset) for name in ("ours", "ours-off", "ours-off-wide")
    )
    assert wide.parameters == pytest.approx(on.parameters, rel=0.002)
    assert off.parameters == pytest.approx(0.5 * on.parameters, rel=0.1)
    assert off.flops == pytest.approx(0.8 * on.flops, rel=0.02)
    assert wide.flops == pytest.approx(1.7 * on.flops, rel=0.02)
    products = [
        vertex
        for part in off.layers
        for diagram in part.layer.diagrams
        for vertex in diagram.vertices
        if "Y" not in str(vertex)
    ]
    assert products == []
    assert any(len(d.vertices) > 1 for part in on.layers for d in part.layer.diagrams)


def test_operations_are_counted_where_the_network_is_the_one_that_was_trained():
    entry = {"parameters": 58672}
    cases = {"ch2nh2": {"networks": {"ours": entry}}}
    add_operations(cases)
    assert entry["flops"] > 1_000_000
    entry["parameters"] += 1
    with pytest.raises(DataError, match="58673 were trained"):
        add_operations(cases)


def test_learning_rates_are_those_of_the_lowest_loss_of_the_kept_trials():
    kept = json.loads((ROOT / "benchmarks" / "results" / "accuracy-rates.json").read_text())
    for network, trials in kept["trials"].items():
        best = min(trials, key=lambda trial: trial["validation_loss"])
        assert NETWORKS[network].learning_rate == best["learning_rate"]
        for trial in trials:
            config = configure(
                case=trial["case"],
                network=network,
                seed=0,
                presentations=trial["presentations"],
                learning_rate=trial["learning_rate"],
            )
            assert training.digest(config) == trial["config_sha256"]


def test_unknown_names_are_told():
    with pytest.raises(ConfigError, match="no such network"):
        configure(case="ch2nh2", network="mace-65", seed=0)


def test_a_training_leaves_its_numbers(tmp_path, tiny):
    result = training.train(tiny, tmp_path, presentations=None, device="cpu")
    assert result == json.loads(tiny.result(tmp_path).read_text())
    assert result["presentations"] == 60
    assert result["frames"] == {"training": 20, "validation": 10, "test": 144}
    assert result["parameters"] > 0
    for part, frames in (("validation", 10), ("test", 144)):
        table = result["errors"][part]
        assert table["frames"] == frames == sum(entry["frames"] for entry in table["bins"])
        assert len(table["energy"]) == len(table["coupling"]) == 3
        assert all(0 < entry["mae"] <= entry["rmse"] for entry in table["force"])


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, tiny):
    whole = training.train(tiny, tmp_path / "whole", presentations=None, device="cpu")
    cut = tmp_path / "cut"
    script = f"""
import sys; sys.path[:0] = {[str(ROOT / "benchmarks"), str(ROOT)]!r}
from dataclasses import replace
from functools import partial
from pathlib import Path
from comparison import cases, networks, training
from comparison.tasks import Task
cases.CASES["ch2nh2"] = replace(cases.CASES["ch2nh2"], frames=20, epochs=3, watched=4)
networks.NETWORKS["ours"] = replace(networks.NETWORKS["ours"], changes={TINY!r})
def report(row):
    print("epoch", flush=True)
    import time; time.sleep(60)
training.fit = partial(training.fit, report=report)
training.train(Task(case="ch2nh2", network="ours", seed=1), Path({str(cut)!r}),
               presentations=None, device="cpu")
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:  # noqa: S603
        assert run.stdout is not None
        assert run.stdout.readline() == "epoch\n"
        run.kill()
    assert not tiny.result(cut).exists()
    resumed = training.train(tiny, cut, presentations=None, device="cpu")
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["errors"] == whole["errors"]
    assert resumed["config_sha256"] == whole["config_sha256"]


def test_another_budget_is_not_mixed_with_a_training_that_began(tmp_path, tiny):
    training.train(tiny, tmp_path, presentations=20, device="cpu")
    with pytest.raises(ConfigError, match="epochs"):
        training.train(tiny, tmp_path, presentations=40, device="cpu")


def test_the_digest_knows_the_budget_but_not_the_device():
    one = configure(case="ch2nh2", network="ours", seed=0)
    assert training.digest(one) == training.digest(one.model_copy(update={"device": "cuda"}))
    other = configure(case="ch2nh2", network="ours", seed=0, presentations=245)
    assert training.digest(one) != training.digest(other)


def test_networks_are_timed_in_turns(monkeypatch, tiny):
    only = replace(CASES["ch2nh2"], networks=("ours", "ours-off"))
    monkeypatch.setattr(times, "CASES", {"ch2nh2": only})
    found = times.measure(Plan(repeats=2, seconds=1e-3), ["ch2nh2"], say=lambda _: None)
    assert list(found) == ["ch2nh2"]
    assert list(found["ch2nh2"]) == ["ours", "ours-off"]
    for timed in found["ch2nh2"].values():
        for spread in timed.values():
            assert 0 < spread["lowest"] <= spread["median"] <= spread["highest"]


def test_every_case_is_timed_or_costs_what_another_does():
    stilbene = {f"stilbene-{name}" for name in ("285", "products", "signs", "heads")}
    assert times.timed_cases() == stilbene | {"ch2nh2"}
    for case in CASES.values():
        if case.timed_as is not None:
            other = CASES[case.timed_as]
            assert set(case.networks) <= set(other.networks)
            for name in ("file", "derivatives", "batch_size"):
                assert getattr(case, name) == getattr(other, name)


def test_equal_time_is_equal_by_the_times_that_are_kept():
    kept = json.loads((ROOT / "benchmarks/results/accuracy-times.json").read_text())["cases"]
    each = {name: timed["training_ms"]["median"] for name, timed in kept["stilbene-285"].items()}
    whole = each["mace-64"] * CASES["stilbene-285"].epochs
    for network, epochs in CASES["stilbene-time"].own_epochs.items():
        assert each[network] * epochs == pytest.approx(whole, rel=0.1)  # runs differ by 6 %


def test_errors_by_hand():
    """Two frames, three states, one atom; the force of S2 and one coupling are unknown."""
    energies = np.array([[0.0, 1.0, 3.0], [0.0, 2.0, 2.5]])
    reference = energies + np.array([[0.0, 0.0, 0.0], [0.003, 0.004, 0.0]])
    forces = np.zeros((2, 3, 1, 3))
    labels = forces.copy()
    labels[:, 1] = 0.5
    labels[:, 2] = np.nan
    coupling = np.zeros((2, 3, 1, 3))
    coupling[:, 0, 0, 0] = 1.0
    known = coupling.copy()
    known[0, 0, 0] = [2.0, 0.0, 0.0]
    known[1, 0, 0] = [1.0, 1.0, 0.0]
    known[1, 2] = np.nan
    table = errors(
        Comparison(
            energies=energies,
            reference_energies=reference,
            forces=forces,
            reference_forces=labels,
            coupling=coupling,
            reference_coupling=known,
        )
    )
    assert table["energy"][0]["mae"] == pytest.approx(1.5)
    assert table["energy"][0]["rmse"] == pytest.approx(3 / 2**0.5)
    assert table["gap"][0]["mae"] == pytest.approx(0.5)
    assert table["force"][1] == {"mae": pytest.approx(500), "rmse": pytest.approx(500)}
    assert table["force"][2] == {"mae": None, "rmse": None}
    first = table["coupling"][0]
    assert first["r2"] == pytest.approx(1 - 2 / 6)
    assert first["cosine"] == pytest.approx((1 + 0.5**0.5) / 2)
    assert table["coupling"][2]["r2"] is None
    assert [entry["gap_ev"] for entry in table["bins"]] == [[0.25, 0.5], [1.0, 2.0]]
