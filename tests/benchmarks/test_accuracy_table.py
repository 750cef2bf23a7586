"""Results put together: statistics, refusals, tables with nothing invented, figures."""

import json

import pytest
from comparison.cases import CASES
from comparison.collect import collect, keep, machines, quantities, read_results, spread
from comparison.costs import add_times
from comparison.figure import draw
from comparison.networks import NETWORKS
from comparison.table import BEGIN, END, NOT_RUN, OVERVIEW, overview, tables, write_tables
from comparison.tasks import Task

from namd.errors import DataError


def errors(scale: float, *, states: int = 2) -> dict:
    entry = {"mae": scale, "rmse": 2 * scale}
    pairs = states * (states - 1) // 2
    return {
        "frames": 8,
        "energy": [{"mae": scale * (k + 1), "rmse": 3.0 * (k + 1)} for k in range(states)],
        "force": [entry, *[{"mae": None, "rmse": None}] * (states - 1)],
        "gap": [entry] * pairs,
        "coupling": [{**entry, "r2": 1 - scale / 100, "cosine": 0.5}] * pairs,
    }


def result(seed: int = 0, *, network: str = "ours", case: str = "stilbene-285", **changes) -> dict:
    scale = 10.0 + 2 * seed
    table = {**errors(scale), "bins": [{"gap_ev": [0.25, 0.5], **errors(5 * scale)}]}
    return {
        "case": case,
        "network": network,
        "title": NETWORKS[network].title,
        "seed": seed,
        "states": ["S0", "S1"],
        "learning_rate": 0.01,
        "batch_size": 5,
        "parameters": 62384,
        "frames": {"training": 285, "validation": 4, "test": 8},
        "epochs": 60,
        "presentations": 17100,
        "device": "cpu",
        "machine": {"namd": "0.1.0"},
        "errors": {"validation": table, "test": table},
        **changes,
    }


def collected(*results: dict) -> dict:
    """As by the command: with operations, which are counted by the code at hand."""
    cases = collect(results)
    for found in cases.values():
        for entry in found["networks"].values():
            entry["flops"] = 16_100_000
    add_times(cases, {})
    return cases


def failed(seed: int, **changes) -> dict:
    kept = result(seed, **changes)
    del kept["errors"]
    return {**kept, "failed": "the loss is nan"}


def lines(cases: dict) -> str:
    return "\n".join(tables(cases))


def test_statistics_by_hand():
    found = collect([result(0), result(1), result(2)])["stilbene-285"]["networks"]["ours"]
    overall = found["test"]["overall"]
    # Means over two states of 10, 12, 14 times (1 + 2)/2.
    assert overall["energy_mae"] == {"mean": 18.0, "sd": pytest.approx(3.0), "n": 3}
    assert overall["force_mae"] == {"mean": 12.0, "sd": pytest.approx(2.0), "n": 3}
    assert overall["energy_rmse"]["mean"] == pytest.approx(((9 + 36) / 2) ** 0.5)
    assert overall["energy_rmse"]["sd"] == 0
    assert overall["coupling_r2"]["mean"] == pytest.approx(0.88)
    assert found["test"]["energy"][1]["mae"]["mean"] == 24.0
    assert found["test"]["force"][1]["mae"] is None
    (near,) = found["test"]["bins"]
    assert near["overall"]["gap_mae"]["mean"] == 60.0
    assert found["seeds"] == [0, 1, 2]
    assert [each["energy_mae"] for each in found["each_seed"]] == [15.0, 18.0, 21.0]


def test_one_seed_has_no_deviation_and_none_has_no_mean():
    assert spread([3.0]) == {"mean": 3.0, "sd": None, "n": 1}
    assert spread([None, None]) is None
    assert quantities({"energy": [], "force": [], "gap": []})["energy_mae"] is None


def test_a_diverged_seed_is_counted_and_enters_no_mean():
    found = collect([result(0), failed(1)])["stilbene-285"]["networks"]["ours"]
    assert found["seeds"] == [0]
    assert found["diverged"] == [1]
    assert found["test"]["overall"]["gap_mae"]["n"] == 1
    text = lines(collected(result(0), failed(1), failed(0, network="cofd")))
    assert "1, 1 diverged" in text
    assert "0, 1 diverged" in text


@pytest.mark.parametrize(
    "change", [{"presentations": 1000}, {"batch_size": 16}, {"network": "cofd", "epochs": 3}]
)
def test_unequal_budgets_are_refused(change):
    with pytest.raises(DataError, match="differs between trainings"):
        collect([result(0), result(1, **change)])


def test_networks_may_have_budgets_of_their_own_where_the_case_says_so():
    rows = [
        result(0, case="stilbene-time", network=name, epochs=epochs, presentations=285 * epochs)
        for name, epochs in (("ours", 294), ("mace-16", 100))
    ]
    text = lines(collected(*rows))
    assert "as many epochs as take equally long" in text
    assert "| ours | 62 384 | 16 | 294 |" in text
    assert "| MACE, 16 channels | 62 384 | 16 | 100 |" in text
    with pytest.raises(DataError, match="presentations differs"):
        collect([*rows, {**rows[0], "seed": 1, "presentations": 1}])


def test_seeds_of_one_network_must_be_of_one_network():
    with pytest.raises(DataError, match="learning_rate"):
        collect([result(0), result(1, learning_rate=0.02)])
    collect([result(0), result(0, network="cofd", learning_rate=0.02)])


def test_times_are_those_of_one_run_times_the_budget():
    cases = collected(result(0), result(0, case="stilbene-950"), result(0, network="cofd"))
    timed = {"training_ms": {"median": 10.0}, "step_ms": {"median": 0.5}}
    add_times(cases, {"stilbene-285": {"ours": timed}})
    for name in ("stilbene-285", "stilbene-950"):  # the second costs the same
        assert cases[name]["networks"]["ours"]["training_s"] == pytest.approx(171)
        assert cases[name]["networks"]["ours"]["step_ms"] == 0.5
    assert cases["stilbene-285"]["networks"]["cofd"]["training_s"] is None
    (row,) = (line for line in lines(cases).splitlines() if line.startswith("| CoFD | 62"))
    assert row.endswith("| – | – | 1 |")
    (row, _) = (line for line in lines(cases).splitlines() if line.startswith("| ours | 62"))
    assert row.endswith("| 171 | 0.50 | 1 |")


def test_what_was_not_run_is_said_to_be_not_run():
    text = lines(collected(result(0), result(1)))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    (ours,) = (row for row in rows if row.startswith("| ours |"))
    assert "| 62 384 | 16 |" in ours
    assert "16 ± 2" in ours  # energy: means 15 and 18, deviation 2.1
    assert NOT_RUN not in ours
    (cofd,) = (row for row in rows if row.startswith("| CoFD"))
    assert set(cofd.strip("| ").split(" | ")[1:]) == {NOT_RUN}
    assert text.count("Not run.") == len(CASES) - 1


def test_tables_go_between_their_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    cases = collected(result(0))
    write_tables(page, cases)
    once = page.read_text()
    assert once.startswith(f"# Title\n\n{BEGIN}\n")
    assert once.endswith(f"{END}\n\nThe end.\n")
    assert "old" not in once
    write_tables(page, cases)
    assert page.read_text() == once
    page.write_text("# Title\n")
    with pytest.raises(DataError, match="no marks"):
        write_tables(page, cases)


def test_results_are_read_without_the_trials(tmp_path):
    for task, content in (
        (Task(case="stilbene-285", network="ours", seed=0), result(0)),
        (Task(case="stilbene-285", network="ours", seed=0, learning_rate=0.01), {"trial": True}),
        (Task(case="ch2nh2", network="cofd", seed=2), result(2, network="cofd", case="ch2nh2")),
    ):
        path = task.result(tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    found = read_results(tmp_path)
    assert [(row["case"], row["network"], row["seed"]) for row in found] == [
        ("stilbene-285", "ours", 0),
        ("ch2nh2", "cofd", 2),
    ]
    path.write_text("{")
    with pytest.raises(DataError, match="no JSON") as caught:
        read_results(tmp_path)
    assert str(path) in str(caught.value)


def test_machines_are_counted():
    rows = [result(0), result(1), result(0, network="cofd", device="NVIDIA H100")]
    found = {entry["device"]: entry["trainings"] for entry in machines(rows)}
    assert found == {"cpu": 2, "NVIDIA H100": 1}


def test_what_was_collected_before_is_kept_beside_what_is_new():
    earlier = collected(
        *[result(seed, network="cofd") for seed in range(3)],
        result(0),
        result(0, case="stilbene-950", network="mace-16"),
    )
    now = collected(result(0), result(1))
    expected = now["stilbene-285"]["networks"]["ours"]
    keep(earlier, now)
    assert list(now["stilbene-285"]["networks"]) == ["cofd", "ours"]
    assert now["stilbene-285"]["networks"]["ours"] == expected
    assert now["stilbene-285"]["networks"]["cofd"]["seeds"] == [0, 1, 2]
    assert now["stilbene-950"] == earlier["stilbene-950"]
    with pytest.raises(DataError, match="presentations differs"):
        keep(earlier, collected(result(0, presentations=99)))


def test_every_network_that_has_results_is_drawn_with_its_bars():
    networks = CASES["stilbene-285"].networks
    rows = [result(seed, network=name) for name in networks for seed in (0, 1)]
    cases = collect(rows)
    timed = {"training_ms": {"median": 10.0}, "step_ms": {"median": 0.5}}
    add_times(cases, {"stilbene-285": dict.fromkeys(networks, timed)})
    figure = draw(cases["stilbene-285"])
    assert len(figure.axes) == 8
    for axes in figure.axes:
        assert len(axes.containers) == len(networks)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [NETWORKS[n].title for n in networks]
    one = draw(collect([result(0), failed(0, network="cofd")])["stilbene-285"])
    assert [len(axes.containers) for axes in one.axes] == [0] * 4 + [1] * 4  # not timed


def test_the_overview_sets_the_main_cases_side_by_side() -> None:
    three = [result(case=case, seed=seed) for case in OVERVIEW[:-1] for seed in (0, 1)]
    assert not list(overview(collected(*three)))
    cases = collected(*three, result(case=OVERVIEW[-1]), result(network="mace-64"))
    for found in cases.values():
        for name, entry in found["networks"].items():
            entry["training_s"] = {"ours": 4.0, "mace-64": 10.0}[name]
    lines = list(overview(cases))
    ours = next(line for line in lines if line.startswith("| ours |"))
    # Energies of two states: (1 + 2)/2 of the scale, which is 10 and 12 for the two seeds.
    assert ours == "| ours | 16 ± 2 | 16 ± 2 | 16 ± 2 | 15 | 1.0 |"
    wide = next(line for line in lines if line.startswith("| MACE, 64"))
    assert wide == f"| MACE, 64 channels | 15 | {NOT_RUN} | {NOT_RUN} | {NOT_RUN} | 2.5 |"
