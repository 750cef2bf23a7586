"""``namd doctor``: the facts, the verdict, and the exit codes."""

import json
import platform

import pytest
import torch

from namd import __version__
from namd.cli.main import run
from namd.nn import installation
from namd.nn.fusion.backends import choice, numba_cpu
from namd.nn.fusion.backends.choice import choose


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].split() == ["namd", f"{__version__},", "Python", _python()]
    assert "cpu: numba, the fastest on the CPU" in shown
    assert "stilbene-ssr" in shown
    assert shown.splitlines()[-1] == "All is well."


def test_json_has_the_same_facts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["healthy"] is True
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["backends"][0] == {
        "device": "cpu",
        "name": "numba",
        "reason": "the fastest on the CPU",
    }
    assert [check["precision"] for check in facts["checks"][:2]] == ["float64", "float32"]
    assert all(check["passed"] for check in facts["checks"])
    assert len(facts["gpus"]) == torch.cuda.device_count()
    assert facts["cores"] >= 1
    assert "stilbene-ssr" in facts["models"]
    assert "stilbene-cis" in facts["trajectories"]
    assert facts["compiled"] == str(numba_cpu.cache_folder())


def test_a_wrong_product_is_told_and_ends_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = numba_cpu.product
    monkeypatch.setattr(numba_cpu, "product", lambda *x: torch.nan * right(*x))
    assert run(["doctor", "--json"]) == 4
    shown = capsys.readouterr()
    facts = json.loads(shown.out)
    assert facts["healthy"] is False
    assert facts["checks"][0]["product"] is None
    assert facts["checks"][0]["passed"] is False
    assert "numba on cpu (float64), numba on cpu (float32)" in shown.err
    assert run(["doctor"]) == 4
    assert "FAILED" in capsys.readouterr().out


def test_the_override_is_reported_and_a_bad_one_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        monkeypatch.setenv(choice.VARIABLE, "einsum")
        choose.cache_clear()
        assert run(["doctor"]) == 0
        assert "cpu: einsum, NAMD_CG_BACKEND says so" in capsys.readouterr().out
        monkeypatch.setenv(choice.VARIABLE, "fast")
        choose.cache_clear()
        assert run(["doctor"]) == 2
        assert "auto, einsum, numba, triton" in capsys.readouterr().err
    finally:
        choose.cache_clear()


def test_what_could_be_better_is_remarked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installation, "_writable", lambda _: False)
    monkeypatch.setattr(installation, "zoo", list)
    monkeypatch.setattr(installation, "core_count", lambda: 0)
    assert run(["doctor"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "NUMBA_CACHE_DIR" in told
    assert "zoo is empty" in told
    assert "OMP_NUM_THREADS" in told


def test_a_folder_that_is_yet_to_be_made_counts_as_writable(tmp_path) -> None:
    assert installation._writable(tmp_path / "not" / "yet")
    (tmp_path / "file").touch()
    assert not installation._writable(tmp_path / "file")


def _python() -> str:
    return platform.python_version()
