"""``benchmarks/casscf_methods.py``: variants are runs that one thing sets apart."""

import sys
from pathlib import Path

import casscf_methods
import pytest
from casscf_methods import SHIPPED, VARIANTS

from namd.config.loading import load_config
from namd.config.run import RunConfig
from namd.io.library import find_file


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_a_valid_configuration(name: str) -> None:
    file = find_file("trajectories/stilbene-cis-casscf.yaml")
    load_config(file, RunConfig, overrides=list(VARIANTS[name]))


def test_variants_are_run_once_and_compared_in_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ("dynamics.duration_fs=3", "dynamics.preset=fssh-edc")
    monkeypatch.setitem(VARIANTS, SHIPPED, short[:1])
    monkeypatch.setitem(VARIANTS, "0.25 fs", (*short, "dynamics.timestep_fs=0.25"))
    file = tmp_path / "found.json"
    words = ["--output", str(tmp_path / "runs"), "--trajectories", "2", "--only", "0.25 fs"]
    monkeypatch.setattr(sys, "argv", ["casscf_methods.py", *words, "--json", str(file)])
    assert casscf_methods.main() == 0
    assert "0 of 0" in capsys.readouterr().out
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/ensemble.h5")}
    assert len(times) == 2
    assert casscf_methods.main() == 0
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
