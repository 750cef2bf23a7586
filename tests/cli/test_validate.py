"""``namd validate tully`` as a user meets it."""

import json
from typing import Any

import pytest

from namd.cli.main import run

FEW = ["--trajectories", "100", "--set", "dynamics.timestep_au=30"]  # a third of the steps
NAMES = ["transmission_lower", "transmission_upper", "reflection_lower", "reflection_upper"]


def validate(*arguments: str) -> int:
    return run(["validate", "tully", *arguments])


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert validate(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_json_holds_ours_and_exact(capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--model", "dac", "--momentum", "30", *FEW)
    assert list(found)[:7] == [*NAMES, "unfinished", "standard_errors", "exact"]
    assert sum(found[name] for name in NAMES) + found["unfinished"] == pytest.approx(1)
    for name in NAMES:
        p = found[name]
        assert found["standard_errors"][name] == pytest.approx((p * (1 - p) / 100) ** 0.5)
        assert found["exact"][name] == pytest.approx(found["exact_table"][name], abs=1e-4)
    assert abs(found["transmission_lower"] - found["exact"]["transmission_lower"]) < 0.2
    assert found["other_fssh"]["transmission_lower"] == 0.3205
    assert (found["method"], found["decoherence"], found["trajectories"]) == ("fssh", "none", 100)


def test_the_seed_decides_and_the_method_matters(capsys: pytest.CaptureFixture[str]) -> None:
    case = ["--model", "sac", "--momentum", "12.5", *FEW]
    first, again = (as_json(capsys, *case, "--seed", "3") for _ in range(2))
    assert first == again
    other = as_json(capsys, *case, "--seed", "4")
    assert [other[n] for n in NAMES] != [first[n] for n in NAMES]
    assert first["exact_table"] is None
    damped = as_json(capsys, *case, "--method", "sharc2")
    assert damped["decoherence"] == "edc, C = 0.1 hartree, convention amplitude"
    sudden = as_json(capsys, *case, "--set", "dynamics.decoherence=instantaneous")
    assert sudden["decoherence"].startswith("instantaneous")


@pytest.mark.parametrize("method", ["unsmash", "landau-zener"])
def test_methods_without_amplitudes(capsys: pytest.CaptureFixture[str], method: str) -> None:
    case = ["--model", "sac", "--momentum", "20", *FEW]
    found = as_json(capsys, *case, "--method", method)
    assert found["method"] == method
    assert abs(found["transmission_lower"] - found["exact"]["transmission_lower"]) < 0.2
    assert found["transmission_lower"] + found["transmission_upper"] == pytest.approx(1)


def test_the_table_says_what_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate("--model", "ecr", "--momentum", "14", *FEW) == 0
    out = capsys.readouterr().out
    assert "Tully: extended coupling with reflection, momentum 14, method fssh" in out
    for row in ("ours (surface hopping)", "exact (solved here)", "other FSSH program"):
        assert row in out
    assert "Decoherence: none" in out
    assert "unfinished 0.0000" in out


def test_where_nothing_exact_is_known_it_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate("--model", "sac", "--momentum", "1e5", *FEW, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["exact"] is None
    assert "no exact result" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "sac", "--momentum", "-3"], "must be positive"),
        (["--model", "sac", "--momentum", "nan"], "must be positive"),
        (["--model", "sac"], "Missing option '--momentum'"),
        (["--model", "sca", "--momentum", "3"], "'sca' is not one of"),
        (["--model", "sac", "--momentum", "9", "--method", "sharc22"], 'Did you mean "sharc2"?'),
        (["--model", "sac", "--momentum", "9", "--set", "seed=3"], "only the dynamics"),
        (["--model", "sac", "--momentum", "9", "--trajectories", "0"], "x>=1"),
    ],
)
def test_what_cannot_be_asked_is_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
