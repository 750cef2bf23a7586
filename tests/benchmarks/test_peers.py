"""The comparison with other packages: turns, what is left out, ratios, and the contenders' pipe."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peers import HERE, Cell, PeerError, Worker, one_round, ratios, rounds, write_frames

COSTS = {"fusion 32": 0.25, "mace-torch 32 0e+1o": 2.0, "painn 32": 40.0}
OPTIONS = Namespace(seconds=1.0, longest=10.0, repeats=2)


class Pretender:
    """Answers as a contender's process would, and remembers its orders."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, int, int]] = []

    def ask(self, *, do: str, network: str, task: str, batch: int, calls: int) -> dict[str, Any]:
        assert (do, task) == ("time", "potential")
        self.orders.append((network, batch, calls))
        return {"seconds": COSTS[network] * calls * batch / 16}


def cells(worker: Any, batch: int) -> list[Cell]:
    return [Cell(name, "potential", batch, 2, worker) for name in COSTS]


def test_contenders_take_turns_and_slow_ones_are_left_out() -> None:
    worker, expected = Pretender(), {}
    small, large = cells(worker, 16), cells(worker, 64)
    one_round(small, expected, OPTIONS)
    turns = [("fusion 32", 16, 4), ("mace-torch 32 0e+1o", 16, 1)]
    assert worker.orders[-4:] == turns * 2
    assert [cell.row()["turns"] for cell in small] == [2, 2, 1]  # one is too slow to be repeated
    seen = len(worker.orders)
    one_round(large, expected, OPTIONS)
    assert all(batch == 64 for _, batch, _ in worker.orders[seen:])  # compiled already
    assert [cell.left_out is None for cell in large] == [True, True, False]
    assert large[2].row()["left_out"] == "a call is expected to take 160 s"
    assert large[0].row()["per_second"]["median"] == pytest.approx(64.0)
    assert large[1].row()["call_ms"]["median"] == pytest.approx(8000.0)
    found = {(row["theirs"], row["batch"]): row["ratio"] for row in ratios([*small, *large])}
    assert found.keys() == {
        ("mace-torch 32 0e+1o, potential", 16),
        ("mace-torch 32 0e+1o, potential", 64),
        ("painn 32, potential", 16),
    }
    assert found["mace-torch 32 0e+1o, potential", 64]["lowest"] == pytest.approx(8.0)


class Failing:
    """A process that is no more."""

    def ask(self, **order: Any) -> dict[str, Any]:
        raise PeerError("the process has ended: MemoryError", where=str(order))


def test_a_contender_that_ends_is_left_out() -> None:
    alive, dead = Pretender(), Failing()
    both = [cells(alive, 16)[0], cells(dead, 16)[1]]
    one_round(both, {}, OPTIONS)
    assert len(both[0].seconds) == 2
    assert both[1].row()["left_out"] == "the process has ended: MemoryError"
    assert ratios(both) == []


def test_a_whole_step_of_ours_stands_against_the_potential_of_a_peer() -> None:
    worker: Any = None
    known = [
        Cell("fusion 32", "potential", 8, 1, worker, seconds=[1.0]),
        Cell("fusion 32", "step", 8, 1, worker, seconds=[2.0]),
        Cell("painn 32", "potential", 8, 1, worker, seconds=[6.0]),
    ]
    (row,) = ratios(known)
    assert (row["ours"], row["ratio"]["median"]) == ("fusion 32, step", 3.0)
    assert (("potential", "step"), 8) in list(rounds([8]))


def test_frames_are_in_angstrom_and_electronvolt(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames.npz", most=5)
    with np.load(tmp_path / "frames.npz") as frames:
        assert frames["positions"].shape == frames["forces"].shape == (5, 26, 3)
        assert frames["energies"].mean() == pytest.approx(0.0, abs=1e-9)
        carbons = frames["positions"][0][frames["atomic_numbers"] == 6]
    bonds = np.linalg.norm(carbons[:, None] - carbons, axis=-1)
    assert 1.2 < np.min(bonds[bonds > 0]) < 1.6


SCRIPT = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import worker

print("a package that talks")

class Sleeper:
    parameters = 3
    def action(self, task, batch):
        if batch > 8:
            raise MemoryError("too many molecules")
        return lambda: None

worker.serve({{"sleeper": Sleeper}}, packages=("numpy",))
"""


def test_a_contender_answers_through_its_pipe_and_tells_why_it_ends(tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(SCRIPT)
    log = tmp_path / "log"
    worker = Worker(sys.executable, str(script), tmp_path / "none.npz", log=log)
    try:
        found = worker.ask(do="introduce")
        assert found["parameters"] == {"sleeper": 3}
        assert found["versions"]["numpy"] == np.__version__
        assert worker.ask(do="threads", number=1) == {}
        order = {"do": "time", "network": "sleeper", "task": "potential", "calls": 2}
        assert worker.ask(**order, batch=8)["seconds"] >= 0
        with pytest.raises(PeerError, match="MemoryError: too many molecules"):
            worker.ask(**order, batch=9)
    finally:
        worker.close()
    assert "a package that talks" in log.read_text()
