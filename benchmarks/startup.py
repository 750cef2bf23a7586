"""How long the command line takes to start, what it needs of memory and of the disk.

    python benchmarks/startup.py [--repeats 5] [--json FILE]

Each command runs in a process of its own; wall time is that of the whole process, peak memory its
largest resident set, both as the system reports them. Files are in the page cache and the network's
loops compiled after the first, uncounted calls: these are warm starts.

* help, populations: ``namd --help`` and ``namd analyze populations`` of a small ensemble;
  ``imports_torch`` says whether PyTorch was imported on the way (it must not be).
* smoke: ``namd run surface-hopping stilbene-smoke`` from the call to its first step on the disk
  (``seen_seconds``; a frame per step and a checkpoint per frame, a little slower than usual), and
  to its end.
* size: bytes of ensemble.h5 per trajectory and 100 saved frames, of a run of the same job with
  101 frames.
"""

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import measuring

_POLL_S = 0.005
_FRAMES = 100


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a command: wall time, largest resident set, and the moment something was seen."""

    seconds: float
    peak_mb: float
    seen_seconds: float | None = None


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trajectories", type=int, default=16, help="of the run for the size [16]")
    options = parser.parse_args()
    about = measuring.machine()
    with TemporaryDirectory() as scratch:
        result = measure(Path(scratch), options.repeats, options.trajectories)
    for name, row in result.items():
        print(f"{name:12} " + ", ".join(f"{key} {_text(value)}" for key, value in row.items()))
    measuring.finish(result, about=about, path=options.json)


def measure(scratch: Path, repeats: int, trajectories: int) -> dict[str, Any]:
    """Measure everything, in a folder that is thrown away."""
    run = ["run", "surface-hopping", "stilbene-smoke"]
    big = scratch / "big"
    call([*run, "--output", str(scratch / "warm")])
    call(
        [
            *run,
            *("--output", str(big), "--trajectories", str(trajectories)),
            *("--set", "output.every_fs=0.5", "--set", f"dynamics.duration_fs={_FRAMES / 2}"),
        ]
    )
    help_, populations = ["--help"], ["analyze", "populations", str(big)]
    call(populations)
    smoke = []
    for k in range(repeats):
        folder = scratch / f"smoke-{k}"
        steps = ("--set", "output.every_fs=0.5", "--set", "output.checkpoint_s=0")
        smoke.append(call([*run, "--output", str(folder), *steps], watch=folder / "parts"))
    size = (big / "ensemble.h5").stat().st_size
    return {
        "help": _summary([call(help_) for _ in range(repeats)])
        | {"imports_torch": imports_torch(help_)},
        "populations": _summary([call(populations) for _ in range(repeats)])
        | {"imports_torch": imports_torch(populations)},
        "smoke": _summary(smoke),
        "size": {
            "trajectories": trajectories,
            "frames": _FRAMES + 1,
            "bytes": size,
            "kilobytes_per_trajectory_and_100_frames": size
            / 1000
            / trajectories
            * (100 / (_FRAMES + 1)),
        },
    }


def command() -> list[str]:
    """The installed command of this Python, else the one of the checkout."""
    beside = Path(sys.executable).with_name("namd")
    if beside.is_file():
        return [str(beside)]
    return [sys.executable, str(Path(__file__).resolve().parents[1] / "cli.py")]


def call(arguments: list[str], *, watch: Path | None = None) -> Call:
    """Run a command to its end; with ``watch`` also note when that folder holds its first file."""
    with TemporaryDirectory() as scratch, (Path(scratch) / "errors").open("w+b") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command(), *arguments], stdout=subprocess.DEVNULL, stderr=errors
        )
        seen = _wait_for(watch, process, began) if watch is not None else None
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"namd {' '.join(arguments)}\n{errors.read().decode()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Call(seconds=seconds, peak_mb=usage.ru_maxrss * unit / 1e6, seen_seconds=seen)


def _wait_for(folder: Path, process: subprocess.Popen[bytes], began: float) -> float | None:
    """Seconds until the folder holds a whole file, or None if the process ended before."""
    while not any(folder.glob("[0-9]*.h5")):
        # Only look whether it has ended: its usage is read by who waits for it.
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return None
        time.sleep(_POLL_S)
    return time.perf_counter() - began


def imports_torch(arguments: list[str]) -> bool:
    """Whether the command imports PyTorch, from Python's own list of imports."""
    done = subprocess.run(
        [*command(), *arguments],
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    if "namd" not in names:
        raise SystemExit("Python's list of imports is empty: cannot tell what was imported")
    return "torch" in names


def _summary(calls: list[Call]) -> dict[str, Any]:
    names = [name for name, value in asdict(calls[0]).items() if value is not None]
    return {name: measuring.summary([asdict(one)[name] for one in calls]) for name in names}


def _text(value: Any) -> str:
    return f"{value['median']:.3g}" if isinstance(value, dict) else f"{value}"


if __name__ == "__main__":
    main()
