"""Our networks beside MACE of mace-torch and PaiNN of schnetpack: steps and frames per second.

    python benchmarks/peers.py --mace-python OTHER/bin/python --schnetpack-python THIRD/bin/python
        [--threads 1 2] [--batch 1 8 64 256] [--json benchmarks/results/peers.json]

Stilbene, 26 atoms, float32, on the CPU. benchmarks/README.md tells how to make the two other
environments; a peer whose interpreter is not given is left out. Every package runs in a process of
its own (benchmarks/contenders); only one of them works at a time, and all take their turns in every
round, so that what else the machine does hits all alike.

* potential: energy and force of one state; ours are energies of two states and the force of one,
  by the class that namd run uses. Neighbour lists of the peers are made beforehand.
* step (ours only): a whole step of surface hopping with methods and guards of the run stilbene-cis.
* training: one update of the weights on energies and forces of one state, forward to optimiser.
* ratios: time of a peer over that of ours at as many channels, in the same round; above 1 ours is
  faster. Ours is the whole step where the peer evaluates its potential.

A batch size is left out where a call is expected (from a smaller batch) to take more than --longest
seconds; what unexpectedly does has one turn. All are medians with range. Weights are fresh, but for
the steps and the potential of our 32 channels. Compare several threads on an idle machine only: the
peers share every operation among their threads, wait for the slowest, and collapse on a busy one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring
import numpy as np

from namd.benchmark.clock import Spread
from namd.data.reading import read_dataset
from namd.errors import NamdError
from namd.io.library import find_file
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

HERE = Path(__file__).parent / "contenders"
DATA = "models/stilbene-ssr/data/stilbene-ssr-thinned.h5"
TRAINING_BATCH = 8
OVERHEAD = 16  # molecules that cost hardly more than one: what a call costs in any case
OURS = {
    "fusion 32": ("potential", "step", "training"),
    "fusion 64": ("potential", "step", "training"),
    "mace 64 0e+1o+2e+3o": ("potential", "training"),
    "mofd-sparse 16": ("potential", "training"),
}
PAIRS = (  # ours and a peer of as many channels
    ("fusion 32", "mace-torch 32 0e+1o"),
    ("fusion 32", "mace-torch 32 0e+1o+2e+3o"),
    ("fusion 32", "painn 32"),
    ("fusion 64", "mace-torch 64 0e+1o"),
    ("fusion 64", "mace-torch 64 0e+1o+2e+3o"),
    ("fusion 64", "painn 64"),
    ("mace 64 0e+1o+2e+3o", "mace-torch 64 0e+1o+2e+3o"),
)


class PeerError(NamdError):
    """A contender's process has ended; its networks are left out from then on."""


class Worker:
    """A contender's process."""

    def __init__(self, python: str, script: str, frames: Path, *, log: Path) -> None:
        self._log = log
        ours, theirs = os.pipe()
        self._answers = os.fdopen(ours, encoding="utf-8")
        with log.open("w", encoding="utf-8") as stream:
            self.process = subprocess.Popen(
                [python, str(HERE / script), str(frames), str(theirs)],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                text=True,
                pass_fds=[theirs],
            )
        os.close(theirs)

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait for the answer."""
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            last = self._log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise PeerError(f"the process has ended: {''.join(last)}", where=str(order))
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self._answers.close()


@dataclass
class Cell:
    """One network at one task and batch size with so many threads."""

    network: str
    task: str
    batch: int
    threads: int
    worker: Worker
    calls: int = 1
    seconds: list[float] = field(default_factory=list)
    left_out: str | None = None

    def time(self, *, calls: int, batch: int | None = None) -> float:
        """Seconds of one call."""
        order = {"network": self.network, "task": self.task, "batch": batch or self.batch}
        return self.worker.ask(do="time", calls=calls, **order)["seconds"] / calls

    def prepare(self, *, stretch: float, compiled: bool) -> float:
        """Compile on one molecule, and find how many calls fill a stretch; seconds of one."""
        if not compiled:
            self.time(calls=3, batch=1)  # TorchScript compiles in the second call
        each = self.time(calls=1)
        if each < stretch:
            each = self.time(calls=2)
        self.calls = max(1, round(stretch / each))
        return each

    def row(self) -> dict[str, Any]:
        """Result as JSON."""
        about = {k: getattr(self, k) for k in ("task", "threads", "batch", "network")}
        if self.left_out is not None:
            return {**about, "left_out": self.left_out}
        return {
            **about,
            "per_second": asdict(Spread.of([self.batch / each for each in self.seconds])),
            "call_ms": asdict(Spread.of([1000 * each for each in self.seconds])),
            "turns": len(self.seconds),
        }


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--mace-python", help="interpreter with mace-torch")
    parser.add_argument("--schnetpack-python", help="interpreter with schnetpack")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--repeats", type=int, default=3, help="rounds [3]")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a turn, s [0.25]")
    parser.add_argument("--longest", type=float, default=3.0, help="longest call, s [3]")
    options = parser.parse_args()
    about = measuring.machine()
    scripts = {
        "namd": (sys.executable, "ours.py"),
        "mace-torch": (options.mace_python, "mace_torch.py"),
        "schnetpack": (options.schnetpack_python, "painn.py"),
    }
    result: dict[str, Any] = {"molecule": "stilbene, C14H12", "packages": {}, "parameters": {}}
    cells: list[Cell] = []
    with opened(scripts, most=max(*options.batch, TRAINING_BATCH)) as workers:
        tasks = introduced(workers, scripts, result)
        for threads in options.threads:
            for worker in workers.values():
                worker.ask(do="threads", number=threads)
            expected: dict[tuple[str, str], float] = {}
            for wanted, batch in rounds(sorted(options.batch)):
                now = [
                    Cell(network, task, batch, threads, worker)
                    for network, (worker, own) in tasks.items()
                    for task in own
                    if task in wanted
                ]
                cells += now
                print(f"{threads} threads, {' and '.join(wanted)}, batch {batch} …", flush=True)
                one_round(now, expected, options)
    result["rows"] = [cell.row() for cell in cells]
    result["ratios"] = ratios(cells)
    show(result)
    measuring.finish(result, about=about, path=options.json)


@contextmanager
def opened(scripts: dict[str, tuple[str | None, str]], *, most: int) -> Iterator[dict[str, Worker]]:
    """Processes of all contenders that have an interpreter, ended on the way out."""
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        frames = Path(scratch) / "frames.npz"
        write_frames(frames, most=most)
        workers = {}
        for name, (python, script) in scripts.items():
            if python is not None:
                log = Path(scratch) / f"{name}.log"
                workers[name] = Worker(python, script, frames, log=log)
                stack.callback(workers[name].close)
        yield workers


def write_frames(path: Path, *, most: int) -> None:
    """Frames of stilbene with energies (relative to their mean) and forces of S0; eV, Å."""
    dataset = read_dataset(find_file(DATA)).lowest_states(1)
    rows = np.linspace(0, len(dataset) - 1, most).round().astype(int)
    energies = dataset["energies"][rows, 0]
    np.savez(
        path,
        atomic_numbers=dataset.molecule.atomic_numbers,
        positions=dataset["positions"][rows] * ANGSTROM_PER_BOHR,
        energies=(energies - energies.mean()) * EV_PER_HARTREE,
        forces=dataset["forces"][rows, 0] * EV_PER_HARTREE / ANGSTROM_PER_BOHR,
    )


def introduced(
    workers: dict[str, Worker],
    scripts: dict[str, tuple[str | None, str]],
    result: dict[str, Any],
) -> dict[str, tuple[Worker, tuple[str, ...]]]:
    """Networks with their process and tasks; versions and sizes go into the result.

    A peer that does not start is left out, and the result says why.
    """
    tasks: dict[str, tuple[Worker, tuple[str, ...]]] = {}
    for name in scripts:
        if name not in workers:
            result["packages"][name] = {"left_out": "no interpreter was given"}
            continue
        try:
            found = workers[name].ask(do="introduce")
        except PeerError as error:
            if name == "namd":
                raise
            result["packages"][name] = {"left_out": error.message}
            del workers[name]
            continue
        result["packages"][name] = found["versions"]
        result["parameters"] |= found["parameters"]
        for network in found["parameters"]:
            tasks[network] = (workers[name], OURS.get(network, ("potential", "training")))
    return tasks


def rounds(batches: list[int]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Tasks that are timed in turns with each other, and the batch size."""
    yield ("training",), TRAINING_BATCH
    for batch in batches:
        yield ("potential", "step"), batch


def one_round(cells: list[Cell], expected: dict[tuple[str, str], float], options: Any) -> None:
    """Time cells in turns, but those that are expected to take too long."""
    running = []
    for cell in cells:
        name = cell.network, cell.task
        known = expected.get(name, 0.0) * cell.batch
        if known > options.longest:
            cell.left_out = f"a call is expected to take {known:.0f} s"
            continue
        try:
            each = cell.prepare(stretch=options.seconds, compiled=name in expected)
        except PeerError as error:
            cell.left_out = error.message
            continue
        expected[name] = each / max(cell.batch, OVERHEAD)
        if each > options.longest:
            cell.seconds.append(each)  # known well enough
        else:
            running.append(cell)
    for _ in range(options.repeats):
        for cell in running:
            cell.seconds.append(cell.time(calls=cell.calls))


def ratios(cells: list[Cell]) -> list[dict[str, Any]]:
    """Time of the peer over ours, round by round."""
    known = {(c.network, c.task, c.batch, c.threads): c for c in cells if c.seconds}
    found = []
    for (network, task, batch, threads), peer in known.items():
        for ours, theirs in PAIRS:
            if theirs != network:
                continue
            whole = known.get((ours, "step", batch, threads))
            own = (
                whole if task == "potential" and whole else known.get((ours, task, batch, threads))
            )
            if own is not None:
                each = zip(peer.seconds, own.seconds, strict=False)  # one was timed once only?
                found.append(
                    {
                        "ours": f"{ours}, {own.task}",
                        "theirs": f"{theirs}, {task}",
                        "batch": batch,
                        "threads": threads,
                        "ratio": asdict(Spread.of([a / b for a, b in each])),
                    }
                )
    return found


def show(result: dict[str, Any]) -> None:
    for name, versions in result["packages"].items():
        print(name, *(f"{key} {value}" for key, value in versions.items()))
    for row in result["rows"]:
        said = row.get("left_out") or f"{row['per_second']['median']:9.1f} /s"
        print(
            f"{row['threads']} threads  {row['task']:9} batch {row['batch']:4}  "
            f"{row['network']:28} {said}"
        )
    for row in result["ratios"]:
        print(
            f"{row['threads']} threads, batch {row['batch']:4}: {row['ours']} is "
            f"{row['ratio']['median']:.1f} × as fast as {row['theirs']}"
        )


if __name__ == "__main__":
    main()
