"""The root command: help without imports, exit codes, and how errors are told."""

import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest

from namd import __version__
from namd.cli import main as root
from namd.cli.console import result_json, table
from namd.cli.main import COMMANDS, LazyCommand, run
from namd.errors import (
    ConfigError,
    DataError,
    Interrupted,
    ModelError,
    NamdError,
    PhysicsError,
    ResumableStop,
)


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Make ``namd raise`` raise an exception, in an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def arrange(error: BaseException) -> None:
        @click.command("raise")
        def command() -> None:
            raise error

        monkeypatch.setitem(root.cli.lazy, "raise", LazyCommand(f"{__name__}:_command", "Raise."))
        monkeypatch.setattr(root.cli, "get_command", lambda _ctx, _name: command)

    return arrange


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert f"{name} " in out
        assert entry.summary in out
    assert "namd run surface-hopping" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"namd, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["analyze", "--help"],
        ["analyze", "populations", "--help"],
        ["benchmark", "throughput", "--help"],
        ["config", "--help"],
        ["label", "--help"],
    ],
)
def test_help_imports_neither_torch_nor_numpy(arguments: list[str]) -> None:
    script = (
        "import sys; from namd.cli.main import run; code = run(sys.argv[1:]); "
        "heavy = {'torch', 'e3nn', 'numpy', 'scipy', 'h5py', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Examples:" in done.stdout or "Usage:" in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_exists_and_has_help(name: str) -> None:
    command = root.cli.get_command(click.Context(root.cli), name)
    assert isinstance(command, click.Command)
    assert command.help


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyse"], 'Did you mean "analyze"?'),
        (["xyzzy"], "Known: data, train"),
        (["--no-such-option"], "--no-such-option"),
        (["analyze", "population"], 'Did you mean "populations"?'),
        (["analyze", "populations"], "Missing argument 'RUN...'"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (NamdError, 1),
        (ConfigError, 2),
        (DataError, 3),
        (ModelError, 3),
        (PhysicsError, 4),
        (ResumableStop, 75),
        (Interrupted, 130),
    ],
)
def test_our_errors_end_with_their_code(raising, kind: type[NamdError], code: int) -> None:
    raising(kind("no"))
    assert run(["raise"]) == code


def test_our_errors_are_told_in_two_lines(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(
        ConfigError(
            "expected one of: none, edc",
            where='stilbene-cis.yaml  dynamics.decoherence = "ecd"',
            hint='did you mean "edc"?',
        )
    )
    assert run(["raise"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        'Config error  stilbene-cis.yaml  dynamics.decoherence = "ecd"\n'
        '  expected one of: none, edc.  Did you mean "edc"?\n'
    )


def test_a_question_keeps_its_mark(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(ConfigError("which run?", where="--resume", hint="give it"))
    assert run(["raise"]) == 2
    assert capsys.readouterr().err == "Config error  --resume\n  which run?  Give it\n"


def test_an_interrupt_is_130(raising, capsys: pytest.CaptureFixture[str]) -> None:
    raising(KeyboardInterrupt())
    assert run(["raise"]) == 130
    assert "Interrupted." in capsys.readouterr().err


def test_a_bug_is_one_line_and_a_log(
    raising, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    raising(ZeroDivisionError("one\ntwo"))
    assert run(["raise"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError: one two" in err
    assert "namd-error.log" in err
    log = (tmp_path / "namd-error.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert __version__ in log


def test_a_bug_where_nothing_can_be_written_logs_elsewhere(
    raising,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    (tmp_path / "namd-error.log").mkdir()  # a folder in the way: even root cannot write it
    raising(ZeroDivisionError("one"))
    assert run(["raise"]) == 1
    (log,) = elsewhere.iterdir()
    assert str(log) in capsys.readouterr().err
    assert "ZeroDivisionError" in log.read_text()


def test_main_leaves_with_the_code() -> None:
    with pytest.raises(SystemExit) as left:
        root.main(["--version"])
    assert left.value.code == 0


SCHEMA = [sys.executable, "-c", "from namd.cli.main import main; main(['config', 'schema'])"]


def test_a_reader_of_a_pipe_may_leave_early() -> None:
    with subprocess.Popen(SCHEMA, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_result_that_finds_no_room_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(SCHEMA, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Config error  standard output",
        "  the result cannot be written: No space left on device.  Make room, or send it elsewhere",
    ]


def test_json_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        result_json({"x": float("nan")})
    assert capsys.readouterr().out == ""


def test_tables_align_names_left_and_numbers_right(capsys: pytest.CaptureFixture[str]) -> None:
    table(["class", "n"], [["cis", "7"], ["undecided", "120"]])
    assert capsys.readouterr().out.splitlines() == [
        "class        n",
        "──────────────",
        "cis          7",
        "undecided  120",
    ]
