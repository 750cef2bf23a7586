"""``namd data`` as a user runs it: results, messages, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.data.formats.registry import FORMATS
from namd.data.reading import read_dataset

ROOT = Path(__file__).parents[2]
SHARC = ROOT / "tests" / "data" / "sharc2-ch2nh2-output.dat"
THREE_STATES = ROOT / "tests" / "data" / "ch2nh2-sharc2.h5"
STILBENE = ROOT / "models" / "stilbene-ssr" / "data" / "stilbene-ssr-thinned.h5"
SPAINN = ROOT / "tests" / "data" / "cis-butene-spainn-mini.db"
MIXED = ROOT / "tests" / "data" / "ch2nh2-spainn-mini.db"
SHARC_OPTIONS = ["--level", "MR-CISD(6,4)/aug-cc-pVDZ", "--charge", "1"]


@pytest.fixture
def plain(tmp_path):
    """Write 30 frames of the shipped set in the layout of the reference set; returns its path."""
    path = tmp_path / "plain.h5"
    with h5py.File(STILBENE) as source, h5py.File(path, "w") as file:
        file.attrs["level_of_theory"] = source.attrs["level_of_theory"]
        file.attrs["states"] = "S0 S1"
        for name in ("positions", "energies", "forces", "group", "source"):
            file[name] = source[name][::117]
            file[name].attrs["unit"] = source[name].attrs["unit"]
        file["nonadiabatic_coupling"] = source["nonadiabatic_coupling"][::117, 0]
        file["atomic_numbers"] = source["atomic_numbers"][()]
    return path


def inspect_json(capsys, path):
    code = run(["data", "inspect", str(path), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_shipped_stilbene_set_is_what_its_card_says(capsys):
    code, report = inspect_json(capsys, STILBENE)
    assert code == 0
    assert report["usable"]
    assert report["frames"] == 3500
    assert report["formula"] == "C14H12"
    assert report["states"] == ["S0", "S1"]
    assert report["level_of_theory"].startswith("SSR(2,2)-LC-DFTB2")
    assert report["groups"]["count"] == 950
    assert sum(entry["frames"] for entry in report["pairs"][0]["gap_histogram"]) == 3500
    assert report["pairs"][0]["translation_ratio"]["maximum"] < 1e-5
    assert STILBENE.stat().st_size < 9e6


def test_three_real_states(capsys):
    code, report = inspect_json(capsys, THREE_STATES)
    assert code == 0
    assert [pair["pair"] for pair in report["pairs"]] == ["S0–S1", "S0–S2", "S1–S2"]
    assert report["charge"] == 1
    warnings = [warning["message"] for warning in report["warnings"]]
    assert "the force of S0 is unknown: training learns from the others" in warnings


def test_report_for_people(capsys):
    assert run(["data", "inspect", str(THREE_STATES)]) == 0
    text = capsys.readouterr().out
    for part in (
        "CH4N, 6 atoms, charge +1",
        "MR-CISD",
        "S1–S2",
        "Frames by gap",
        "Deserves a look",
    ):
        assert part in text


def test_convert_and_inspect_plain(plain, tmp_path, capsys):
    out = tmp_path / "new" / "set.h5"
    assert run(["data", "convert", str(plain), str(out)]) == 0
    assert "30 frames of C14H12" in capsys.readouterr().err
    old, new = read_dataset(plain), read_dataset(out)
    np.testing.assert_array_equal(new["positions"], old["positions"])
    np.testing.assert_allclose(new.interstate_coupling, old.interstate_coupling, rtol=1e-6)
    assert inspect_json(capsys, plain)[1]["pairs"] == inspect_json(capsys, out)[1]["pairs"]


def test_convert_sharc_with_thinning(tmp_path, capsys):
    out = tmp_path / "set.h5"
    arguments = ["data", "convert", str(SHARC), str(out), *SHARC_OPTIONS]
    assert run([*arguments, "--thin", "3"]) == 0
    assert "were not computed" in capsys.readouterr().err
    assert len(read_dataset(out)) <= 3
    assert read_dataset(out).provenance["steps"][-1]["step"] == "thin"
    assert run(arguments) == 2, "an existing file is kept"
    assert "not overwritten" in capsys.readouterr().err
    assert run([*arguments, "--force"]) == 0
    assert len(read_dataset(out)) == 6


@pytest.mark.parametrize("cut", [slice(None), slice(12, 13)])
def test_convert_warns_of_couplings_that_training_will_miss(plain, tmp_path, capsys, cut):
    with h5py.File(plain, "a") as file:
        file["nonadiabatic_coupling"][cut] = np.nan
    assert run(["data", "convert", str(plain), str(tmp_path / "out.h5")]) == 0
    count = "1 frame " if cut.start else "30 frames "
    assert f"in {count}the couplings are missing" in capsys.readouterr().err


def test_a_file_of_the_library_needs_no_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = "models/stilbene-ssr/data/stilbene-ssr-thinned.h5"
    assert inspect_json(capsys, shipped)[1]["formula"] == "C14H12"
    assert run(["data", "convert", shipped, "out.h5", "--thin", "1200"]) == 0
    assert "of 3500 frames" in capsys.readouterr().err


def test_sharc_without_a_level_leaves_no_file(tmp_path, capsys):
    out = tmp_path / "set.h5"
    assert run(["data", "convert", str(SHARC), str(out), "--charge", "1"]) == 3
    assert "--level" in capsys.readouterr().err
    assert not out.exists()


def test_formats_in_the_help_are_those_of_the_registry(capsys):
    assert run(["data", "convert", "--help"]) == 0
    text = capsys.readouterr().out
    for entry in FORMATS.values():
        assert f"{entry.name:<10}{' '.join(entry.suffixes):<15}{entry.summary}" in text
    assert f"[{'|'.join(FORMATS)}]" in text


def test_a_database_becomes_xyz_and_the_assumption_is_told(tmp_path, capsys):
    out = tmp_path / "butene.txt"
    arguments = ["data", "convert", str(SPAINN), str(out)]
    assert run(arguments) == 2
    assert "--to {hdf5,xyz,ase-db,shnitsel,sharc}" in capsys.readouterr().err
    assert run([*arguments, "--to", "xyz", "--frames", "1:3"]) == 0
    told = capsys.readouterr().err
    assert f"{SPAINN}: the units of nacs" in told
    assert "2 frames of C4H8" in told
    assert out.read_text().startswith("12\nProperties=species:S:1:pos:R:3:")


def test_a_trajectory_goes_to_shnitsel_and_back_to_sharc(tmp_path, capsys):
    tree, again = tmp_path / "tree.nc", tmp_path / "TRAJ_1" / "output.dat"
    assert run(["data", "convert", str(SHARC), str(tree), *SHARC_OPTIONS]) == 0
    assert run(["data", "convert", str(tree), str(again)]) == 0
    assert "6 frames of CH4N" in capsys.readouterr().err
    several = [str(THREE_STATES), str(tmp_path / "several.dat")]
    capsys.readouterr()
    assert run(["data", "convert", *several]) == 3
    assert "the frames are of 2 trajectories" in capsys.readouterr().err
    assert run(["data", "convert", *several, "--frames", ":100"]) == 0


def test_rows_of_mixed_units_stop_a_conversion_until_left_out(tmp_path, capsys):
    out = tmp_path / "set.h5"
    arguments = ["data", "convert", str(MIXED), str(out), "--charge", "1"]
    assert run(arguments) == 3
    assert "rows 1-2" in capsys.readouterr().err
    assert not out.exists()
    assert run([*arguments, "--frames", "2:"]) == 0
    assert len(read_dataset(out)) == 4


@pytest.mark.parametrize(
    "options", [["--units", "forces"], ["--units", "x=eV"], ["--frames", "3"], ["--frames", "::-1"]]
)
def test_options_that_mean_nothing_are_refused(options, tmp_path, capsys):
    assert run(["data", "convert", str(SPAINN), str(tmp_path / "set.h5"), *options]) == 2
    assert " ".join(options) in capsys.readouterr().err


def test_a_full_disk_is_one_message(plain, tmp_path):
    script = (
        "import resource, sys; from namd.cli.main import run; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "data", "convert", str(plain), "out.h5"]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 2
    assert "could not be written: File too large" in done.stderr
    assert not list(tmp_path.glob("*out.h5*"))


def _nan(file):
    file["energies"][12, 1] = np.nan


def _on_top(file):
    file["positions"][12, 3] = file["positions"][12, 4]


def _shape(file):
    values = file["forces"][:, :, :25]
    del file["forces"]
    file["forces"] = values


def _no_energies(file):
    del file["energies"]


def _level(file):
    file.attrs["level_of_theory"] = ""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_nan, ["energies, frame 12", "not finite"]),
        (_on_top, ["positions, frame 12", "0.00 Å apart"]),
        (_shape, ["forces", "[30, 2, 25, 3]", "atom 26"]),
        (_no_energies, ["'energies' is missing"]),
        (_level, ["level_of_theory", "--level"]),
    ],
)
def test_bad_data_end_with_3_and_one_message(plain, tmp_path, capsys, damage, message):
    with h5py.File(plain, "a") as file:
        damage(file)
    out = tmp_path / "out.h5"
    for command in (["inspect", str(plain)], ["convert", str(plain), str(out)]):
        assert run(["data", *command]) == 3
        error = capsys.readouterr().err
        assert error.startswith(f"Data error  {plain}")
        assert len(error.splitlines()) == 2
        for part in message:
            assert part in error
    assert not out.exists()


@pytest.mark.parametrize("kind", ["absent", "text", "truncated", "empty"])
def test_files_that_are_none_end_with_3(plain, capsys, kind):
    content = plain.read_bytes()
    if kind == "absent":
        plain.unlink()
    else:
        replacement = {"text": b"hello", "truncated": content[:5000], "empty": b""}
        plain.write_bytes(replacement[kind])
    assert run(["data", "inspect", str(plain)]) == 3
    error = capsys.readouterr().err
    assert str(plain) in error
    assert "Traceback" not in error


def test_wrong_usage_ends_with_2(capsys):
    assert run(["data", "convert", "only-one.h5"]) == 2
    assert run(["data", "convert", "a.h5", "b.h5", "--thin", "0"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize("command", [[], ["convert"], ["inspect"], ["check"]])
def test_help_shows_examples(capsys, command):
    assert run(["data", *command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Examples:" in text
    assert "namd data" in text.split("Examples:")[1]


def test_no_torch_is_imported():
    code = (
        "import sys; from namd.cli.main import run; import namd.data.splits, namd.data.thinning; "
        f"assert run(['data', 'inspect', {str(THREE_STATES)!r}, '--json']) == 0; "
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)  # noqa: S603
