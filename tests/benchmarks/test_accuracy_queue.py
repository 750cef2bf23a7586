"""Which training comes when, what is passed over, and what a runner does with dead processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from comparison.cases import CASES
from comparison.networks import ALONE, ARCHITECTURES, HEADS, NETWORKS, SIGNS
from comparison.runner import Runner
from comparison.tasks import Task, busy, queue

HOLD = """
import fcntl, os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
FINISH = """
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({}))
"""


def tasks(*networks: str, case: str = "stilbene-285", seeds=(0,)) -> list[Task]:
    return [Task(case=case, network=name, seed=seed) for name in networks for seed in seeds]


def python(script: str, *arguments: object, **options) -> "subprocess.Popen":
    """Run a script of this file."""
    command = [sys.executable, "-S", "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, **options)  # noqa: S603


class Starter:
    """Starts harmless processes in place of trainings and remembers of which tasks."""

    def __init__(self, root: Path, broken: tuple[str, ...] = ()) -> None:
        self.root, self.broken = root, broken
        self.begun: list[Task] = []

    def __call__(self, task: Task) -> "subprocess.Popen[bytes]":
        self.begun.append(task)
        script = "raise SystemExit(4)" if task.network in self.broken else FINISH
        return python(script, task.result(self.root))


def runner(root: Path, work: list[Task], start, lines: list[str], *, workers: int = 1) -> Runner:
    return Runner(
        root=root,
        tasks=work,
        workers=workers,
        start=start,
        cost=lambda task: task.cost(),
        say=lines.append,
        poll_seconds=0.02,
    )


@pytest.fixture
def holder():
    """A process that holds the lock of a folder until it is killed."""
    processes = []

    def hold(folder: Path) -> "subprocess.Popen[str]":
        folder.mkdir(parents=True, exist_ok=True)
        process = python(HOLD, folder, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_queue_holds_every_training_once_in_the_order_of_what_it_tells():
    work = queue(networks=list(NETWORKS), cases=list(CASES), seeds=[0, 1, 2])
    assert len(work) == len(set(work)) == 3 * sum(len(case.networks) for case in CASES.values())
    number = len(ARCHITECTURES)
    first = work[:number]
    assert {(task.case, task.seed) for task in first} == {("stilbene-285", 0)}
    assert [task.cost() for task in first] == sorted(task.cost() for task in first)
    middle = 4 * number + 3 * len(HEADS)
    second = work[number:middle]
    assert {task.case for task in second} == {"ch2nh2", "stilbene-heads"}
    after = middle + 2 * number + 3 * len(ALONE + SIGNS)
    third = {(task.case, task.seed) for task in work[middle:after]}
    assert third == {("stilbene-285", 1), ("stilbene-285", 2)} | {
        (case, seed) for case in ("stilbene-products", "stilbene-signs") for seed in (0, 1, 2)
    }
    # What differs by fusion alone is seen with more frames before the large networks are.
    rest = [task.network for task in work[after:]]
    assert rest.index("mace-64") > max(
        k for k, name in enumerate(rest) if name in {"ours", "ours-off", "mofd-sparse-16"}
    )


def test_a_shorter_budget_costs_less_in_whole_epochs():
    task = Task(case="stilbene-285", network="ours", seed=0)
    longer = Task(case="stilbene-time", network="ours", seed=0)
    assert longer.cost() == pytest.approx(294 / 40 * task.cost())
    assert longer.cost(1000) == task.cost(1000)
    epoch = task.cost(CASES[task.case].frames)
    assert task.cost(1) == epoch
    assert task.cost(1000) == pytest.approx(4 * epoch)
    assert task.cost() == pytest.approx(CASES[task.case].epochs * epoch)


def test_every_training_has_files_of_its_own(tmp_path):
    work = queue(networks=list(NETWORKS), cases=list(CASES), seeds=[0, 1])
    work += [
        Task(case="ch2nh2", network="ours", seed=0, learning_rate=rate) for rate in (0.002, 0.01)
    ]
    for kind in ("folder", "result", "log"):
        assert len({getattr(task, kind)(tmp_path) for task in work}) == len(work)


def test_a_lock_lives_as_long_as_its_process(tmp_path, holder):
    folder = tmp_path / "seed-0"
    assert not busy(folder)
    process = holder(folder)
    assert busy(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not busy(folder)


def test_all_is_done_once_and_in_order(tmp_path):
    work, lines = tasks("ours", "mace-16", "cofd"), []
    start = Starter(tmp_path)
    work[1].result(tmp_path).parent.mkdir(parents=True)
    work[1].result(tmp_path).write_text("{}")
    assert runner(tmp_path, work, start, lines).run() == 0
    assert start.begun == [work[0], work[2]]
    assert "1 left" in lines[0]
    assert "nothing left" in lines[1]
    assert runner(tmp_path, work, start, lines).run() == 0
    assert len(start.begun) == 2


def test_a_broken_training_does_not_stop_the_others(tmp_path):
    work, lines = tasks("ours", "mace-16", "cofd"), []
    start = Starter(tmp_path, broken=("ours", "cofd"))
    assert runner(tmp_path, work, start, lines, workers=2).run() == 2
    assert sorted(task.network for task in start.begun) == ["cofd", "mace-16", "ours"]
    assert work[1].result(tmp_path).exists()
    assert sum("exit code 4" in line for line in lines) == 2


def test_a_diverged_training_is_a_result_and_said_to_be_one(tmp_path):
    (task,), lines = tasks("ours"), []

    def start(_task):
        script = FINISH.replace("{}", "{'failed': 'loss is nan'}")
        return python(script, task.result(tmp_path))

    assert runner(tmp_path, [task], start, lines).run() == 0
    assert "diverged" in lines[0]
    assert json.loads(task.result(tmp_path).read_text())["failed"] == "loss is nan"


def test_what_another_process_is_at_is_left_to_it(tmp_path, holder):
    work, lines = tasks("ours", "mace-16"), []
    process = holder(work[0].folder(tmp_path))
    start = Starter(tmp_path)
    assert runner(tmp_path, work, start, lines).run() == 0
    assert start.begun == [work[1]]
    assert "1 trainings are in the hands of other processes" in lines[-1]
    process.kill()
    process.wait()
    assert runner(tmp_path, work, start, lines).run() == 0
    assert start.begun == [work[1], work[0]]


def test_an_interrupted_runner_ends_its_processes(tmp_path):
    work, begun = tasks("ours", "cofd"), []

    def start(_task):
        if begun:
            raise KeyboardInterrupt
        begun.append(python("import time; time.sleep(60)"))
        return begun[0]

    with pytest.raises(KeyboardInterrupt):
        runner(tmp_path, work, start, [], workers=2).run()
    assert begun[0].poll() == -signal.SIGTERM
