"""``namd data check`` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from namd.cli.main import run
from namd.data.native import write_dataset
from namd.data.reading import read_dataset

ROOT = Path(__file__).parents[2]
THREE_STATES = ROOT / "tests" / "data" / "ch2nh2-sharc2.h5"
STILBENE = ROOT / "models" / "stilbene-ssr" / "data" / "stilbene-ssr-thinned.h5"


@pytest.fixture
def slipped(make_labelled, tmp_path):
    """48 frames, the lengths of three of them in Å and a repeat; returns its path."""
    clean = make_labelled(arrays={"group": np.array([f"sample-{k}" for k in range(48)])})
    positions = clean["positions"].copy()
    positions[[4, 9, 11]] *= 0.529177210903
    bad = make_labelled(arrays={"group": clean["group"], "positions": positions})
    path = tmp_path / "slipped.h5"
    write_dataset(bad.select(np.array([*range(48), 0])), path)
    return path


def check_json(capsys, *arguments):
    code = run(["data", "check", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_error_ends_with_3_and_names_the_frames(slipped, capsys):
    code, report = check_json(capsys, slipped)
    assert code == 3
    error, warning = report["findings"]
    assert (error["kind"], error["severity"], error["frames"]) == ("unit-slip", "error", [4, 9, 11])
    assert "Å" in error["message"]
    assert error["fixable"]
    assert (warning["kind"], warning["frames"]) == ("repeat", [48])
    assert report["counts"] == {"error": 1, "warning": 1, "note": 0}


def test_fix_writes_what_it_did(slipped, tmp_path, capsys, make_labelled):
    out = tmp_path / "mended.h5"
    code, report = check_json(capsys, slipped, "--fix", out)
    assert code == 0
    assert report["counts"]["error"] == 1
    assert report["fixed"]["findings"] == []
    mended = read_dataset(out)
    np.testing.assert_allclose(mended["positions"], make_labelled()["positions"], rtol=1e-9)
    done = mended.provenance["steps"][-1]
    assert done["step"] == "check --fix"
    assert [step["frames"] for step in done["done"]] == [[4, 9, 11], [48]]
    assert done["done"] == report["fixed"]["done"]
    assert run(["data", "check", str(out)]) == 0
    assert "Nothing found." in capsys.readouterr().out
    assert run(["data", "check", str(slipped), "--fix", str(out)]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert run(["data", "check", str(slipped), "--fix", str(out), "--force"]) == 0
    text = capsys.readouterr().out
    assert "Mended" in text
    assert "3 frames" in text


def test_people_read_what_it_means_and_what_to_do(slipped, capsys):
    assert run(["data", "check", str(slipped)]) == 3
    out, err = capsys.readouterr()
    assert "Error  unit-slip  positions, frames 4, 9, 11 (3 of 49)" in out
    assert "→ convert them (1 Å = 1.8897 Bohr)" in out
    assert "--fix OUT" in err
    assert len(err.splitlines()) == 2


def test_what_cannot_be_mended_still_ends_with_3(make_labelled, tmp_path, capsys):
    energies = make_labelled()["energies"].copy()
    energies[7, 1] = np.nan
    path, out = tmp_path / "nan.h5", tmp_path / "out.h5"
    write_dataset(make_labelled(arrays={"energies": energies}), path)
    code, report = check_json(capsys, path, "--fix", out)
    assert code == 3
    assert report["fixed"]["done"] == []
    assert [f["frames"] for f in report["fixed"]["findings"] if f["severity"] == "error"] == [[7]]


def test_the_shipped_sets_have_no_errors(capsys):
    """The steps into the cone that the card of the stilbene set tells of, and free signs."""
    code, report = check_json(capsys, STILBENE)
    assert code == 0
    kinds = {finding["kind"] for finding in report["findings"]}
    assert kinds == {"outlier", "energy-jump", "sign-flip"}
    jumps = {f for x in report["findings"] if x["kind"] == "energy-jump" for f in x["frames"]}
    assert jumps == {1125, 1629, 1630}
    code, report = check_json(capsys, THREE_STATES)
    assert code == 0
    found = {finding["kind"] for finding in report["findings"]}
    assert {"unknown", "net-coupling", "sign-flip"} <= found


def test_real_signs_are_aligned(tmp_path, capsys):
    out = tmp_path / "aligned.h5"
    assert run(["data", "check", str(THREE_STATES), "--fix", str(out)]) == 0
    capsys.readouterr()
    kinds = {finding["kind"] for finding in check_json(capsys, out)[1]["findings"]}
    assert "sign-flip" not in kinds
    old, new = read_dataset(THREE_STATES), read_dataset(out)
    np.testing.assert_allclose(np.abs(new["amplitudes"]), np.abs(old["amplitudes"]), rtol=1e-6)
    triple = [np.prod(np.sign(d["nonadiabatic_coupling"]), axis=1) for d in (old, new)]
    np.testing.assert_array_equal(*triple)  # d01 d02 d12 depends on no sign


def test_no_torch_is_imported():
    code = (
        "import sys; from namd.cli.main import run; "
        f"assert run(['data', 'check', {str(THREE_STATES)!r}, '--json']) == 0; "
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)  # noqa: S603
