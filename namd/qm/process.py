"""Call a program in a folder: with a time limit, and never leaving it behind.

The program gets a process group of its own, so that a wrapper script and what it started end
together, when the time is up as well as when this process is told to stop.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from namd.errors import ConfigError, EngineError


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A program that has ended by itself.

    Parameters
    ----------
    code
        Exit status; −n for the signal n.
    output
        stdout and stderr as one text.
    """

    code: int
    output: str

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.code < 0:
            return f"it was killed by {signal.Signals(-self.code).name}"
        return f"it ended with status {self.code}"


def find_program(name: str, *, base: Path, where: str, hint: str) -> Path:
    """Path of a program given by path (relative to ``base``) or by its name on PATH.

    Parameters
    ----------
    name
        As in the configuration.
    base
        Folder of the configuration.
    where, hint
        Of the error.

    Raises
    ------
    ConfigError
        If there is no such program that may be executed.
    """
    given = Path(name).expanduser()
    found = shutil.which(str(base / given) if len(given.parts) > 1 else name)
    if found is None:
        raise ConfigError("there is no such program", where=where, hint=hint)
    return Path(found).absolute()  # links stay: that of a virtual environment's Python means it


def run_program(
    command: Sequence[str],
    *,
    folder: Path,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Finished:
    """Run a command in ``folder`` and wait for its end.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Its working directory.
    timeout
        Seconds after which it is killed.
    environment
        Variables it is given beside those of this process.
    name
        Of the program in messages; that of its file if left out.

    Raises
    ------
    EngineError
        If it cannot be started or does not end in time.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  (the program the user names)
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be started: {error.strerror}") from error
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise EngineError(
                f"{name or Path(command[0]).name} did not end within {timeout:g} s",
                hint="allow it more with engine.timeout_s",
            ) from None
        finally:
            _end_group(process)
    return Finished(code=process.returncode, output=output)


@contextmanager
def scratch_folder(parent: Path | None) -> Iterator[Path]:
    """Make a folder for one run, removed at the end; in the system's place where none is given."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="namd-", dir=parent) as name:
        yield Path(name)


def _end_group(process: "subprocess.Popen[str]") -> None:
    """Kill what is left of the program and of what it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # all of it has ended; macOS says so by the latter
