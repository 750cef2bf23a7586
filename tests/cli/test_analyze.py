"""``namd analyze`` from the outside: tables, JSON, figures, exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.units import EV_PER_HARTREE

BOHR = 0.529177
CLASSES = """
coordinates:
  - {kind: distance, name: bond, atoms: [0, 1]}
  - {kind: position, name: x, atom: 1, axis: x}
classes:
  - {name: bound, bounds: [{coordinate: bond, below_angstrom: 2}]}
  - {name: dissociated, bounds: [{coordinate: bond, at_least_angstrom: 3}]}
"""


@pytest.fixture
def ensemble(write_ensemble: Callable[..., Path], tmp_path: Path) -> Path:
    """Run folder of six: two bound, one dissociated, one between, one excited, one parked."""
    folder = tmp_path / "run"
    folder.mkdir()
    active = np.ones((41, 6), dtype=int)
    active[20:, :4] = 0
    status = np.zeros((41, 6), dtype=int)
    status[30:, 5] = 2
    status[-1, :5] = 1
    positions = np.zeros((41, 6, 2, 3))
    positions[:, :, 1, 0] = np.array([1.0, 1.5, 5.0, 2.5, 1.0, np.nan]) / BOHR
    write_ensemble(
        folder / "ensemble.h5",
        active_state=active,
        status=status,
        positions=positions,
        hops=[(k, 195.0 + k, 1, 0, True) for k in range(4)] + [(4, 100.0, 1, 0, False)],
        hop_positions=np.nan_to_num(positions[19, :5]),
        final_step=[800, 800, 800, 800, 800, 595],
        reason=[0, 0, 0, 0, 0, 3],
    )
    (folder / "classes.yaml").write_text(CLASSES)
    return folder


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert run(["analyze", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def test_populations_json(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "populations", ensemble)
    assert list(found)[:8] == [
        "time_fs",
        "states",
        "active_state_populations",
        "lower",
        "upper",
        "amplitude_populations",
        "trajectories",
        "parked",
    ]
    assert found["time_fs"] == pytest.approx([10 * k for k in range(41)])
    assert found["states"] == ["S0", "S1"]
    assert found["trajectories"] == [6] * 30 + [5] * 11
    assert found["parked"] == 1
    assert found["parking_reasons"] == {"broken molecule": 1}
    assert found["active_state_populations"][-1] == pytest.approx([0.8, 0.2])
    assert found["bound_upper"][-1] == pytest.approx([5 / 6, 2 / 6])
    assert found["as_parked"][-1] == pytest.approx([4 / 6, 2 / 6])
    assert set(found["lifetime_bounds_fs"]) == {"lower", "upper"}
    assert np.shape(found["lower"]) == np.shape(found["upper"]) == (41, 2)
    # Decays at 195 … 198 of six: S = 5/6, 4/6, 3/6, so the median is the third.
    assert found["lifetime"]["median_fs"] == pytest.approx(197)
    assert found["lifetime"]["state"] == "S1"
    assert found["survival"]["still_excited"] == found["survival"]["parked"] == 1


def test_populations_table(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", "populations", str(ensemble)]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == "State populations  C2 · synthetic · 6 trajectories"
    assert len([line for line in lines if line.lstrip()[:1].isdigit()]) == 21
    assert lines[2 + 21].split()[:3] == ["400.0", "5", "0.800"]
    assert "5 finished, 1 parked (broken molecule 1)" in captured.out
    assert "If the 1 parked are counted, at the last time:" in captured.out
    for line in (
        "S0: 0.800 left out, 0.667 none of them in it, 0.833 all of them, 0.667 where they",
        "S1: 0.200 left out, 0.167 none of them in it, 0.333 all of them, 0.333 where they",
        "lifetime: ",
    ):
        assert f"  {line}" in captured.out
    assert "S1 lifetime: 197.0 fs" in captured.out
    assert "21 of 41" in captured.err
    assert run(["analyze", "populations", str(ensemble), "--full"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(lines) + 20


def test_a_lifetime_that_is_not_determined_is_null(
    write_ensemble: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_ensemble(tmp_path / "e.h5", active_state=np.ones((11, 8)))
    found = as_json(capsys, "populations", path)
    assert found["lifetime"] is None
    assert found["survival"]["time_per_decay_fs"]["upper_fs"] is None
    # Nobody is recorded as ended: all eight were seen for 100 fs.
    assert found["survival"]["time_per_decay_fs"]["lower_fs"] == pytest.approx(800 / 3.689, 1e-3)
    assert run(["analyze", "populations", str(path)]) == 0
    out = capsys.readouterr().out
    assert "not determined, only 0 of 8 have reached the ground state" in out
    assert "above 217 fs" in out


def test_everybody_parked_is_null_in_json_and_a_dash_in_the_table(
    write_ensemble: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_ensemble(tmp_path / "e.h5", active_state=[[1], [1]], status=[[0], [2]])
    found = as_json(capsys, "populations", path)
    assert found["active_state_populations"] == [[0, 1], [None, None]]
    assert run(["analyze", "populations", str(path)]) == 0
    assert "–" in capsys.readouterr().out


def test_quantum_yield_json_sums_to_all(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "quantum-yield", ensemble, "--classes", ensemble / "classes.yaml")
    classes = found["classes"]
    assert {name: entry["count"] for name, entry in classes.items()} == {
        "bound": 2,
        "dissociated": 1,
        "undecided": 2,
        "failed": 1,
    }
    assert found["trajectories"] == 6
    assert sum(entry["fraction"] for entry in classes.values()) == pytest.approx(1)
    for entry in classes.values():
        assert list(entry) == ["count", "fraction", "lower", "upper"]
        assert entry["lower"] <= entry["fraction"] <= entry["upper"]
    assert found["conditional"]["bound"]["fraction"] == pytest.approx(2 / 3)
    assert (found["still_excited"], found["unclassified"]) == (1, 1)
    assert found["failures"] == {"broken molecule": 1}
    bound = found["parked_either_way"]["bound"]
    assert bound["of_all"] == pytest.approx({"lower": 2 / 6, "upper": 3 / 6})
    assert bound["of_decided"] == pytest.approx({"lower": 2 / 4, "upper": 3 / 4})


def test_quantum_yield_table(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = str(ensemble / "classes.yaml")
    assert run(["analyze", "quantum-yield", str(ensemble), "--classes", classes]) == 0
    out = capsys.readouterr().out
    assert "Products after 400.0 fs" in out
    row = next(line for line in out.splitlines() if line.startswith("bound"))
    assert row.split()[1:3] == ["2", "0.333"]
    assert row.split()[4] == "0.667"
    assert "1 still excited, 1 in the ground state but in no class" in out
    assert "Remedy:" in out
    assert "If none or all of the 1 parked had become a class" in out
    assert "  bound: 0.333–0.500 of all, 0.500–0.750 of decided" in out


def test_the_run_own_classes_are_used(
    ensemble: Path, write_ensemble: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own = {
        "coordinates": [{"kind": "distance", "name": "bond", "atoms": [0, 1]}],
        "classes": [{"name": "any", "bounds": [{"coordinate": "bond", "below_angstrom": 9}]}],
    }
    with h5py.File(ensemble / "ensemble.h5", "r+") as file:
        file.attrs["config"] = json.dumps({"analysis": own})
    assert as_json(capsys, "quantum-yield", ensemble)["classes"]["any"]["count"] == 4
    # A run configuration serves as a file of classes too, and wins over the run's own.
    (ensemble / "run.yaml").write_text("analysis:" + CLASSES.replace("\n", "\n  "))
    found = as_json(capsys, "quantum-yield", ensemble, "--classes", ensemble / "run.yaml")
    assert found["classes"]["bound"]["count"] == 2


@pytest.mark.parametrize("command", ["populations", "quantum-yield"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_figures_are_written(
    ensemble: Path, command: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = ensemble / f"figure.{suffix}"
    arguments = ["analyze", command, str(ensemble), "--figure", str(figure)]
    if command == "quantum-yield":
        arguments += ["--classes", str(ensemble / "classes.yaml")]
    assert run(arguments) == 0
    assert str(figure) in capsys.readouterr().err
    head = figure.read_bytes()[:300]
    assert head.startswith(b"\x89PNG") if suffix == "png" else b"<svg" in figure.read_bytes()[:2000]
    assert not list(ensemble.glob(".*.part"))


def test_hops(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "hops", ensemble)
    (row,) = found["hops"]
    assert (row["from_state"], row["to_state"]) == ("S1", "S0")
    assert (row["accepted"], row["frustrated"], row["trajectories"]) == (4, 1, 4)
    assert row["time_fs"]["median"] == pytest.approx(196.5)
    assert row["gap_ev"]["median"] == pytest.approx(0.2721, abs=1e-4)
    assert run(["analyze", "hops", str(ensemble)]) == 0
    assert "S1 → S0" in capsys.readouterr().out


def test_a_map_of_hops(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["hops", ensemble, "--map", "bond", "x", "--classes", ensemble / "classes.yaml"]
    (ensemble / "pair.xyz").write_text("1\n\nC 0 0 0\n")
    figure = ensemble / "map.svg"
    found = as_json(capsys, *arguments, "--figure", figure)["map"]
    assert found["axes"] == [{"name": "bond", "unit": "Å"}, {"name": "x", "unit": "Å"}]
    assert [row["values"] for row in found["hops"]] == [
        pytest.approx([bond, bond], abs=1e-4) for bond in (1.0, 1.5, 5.0, 2.5)
    ]
    outcomes = [row["outcome"] for row in found["hops"]]
    assert outcomes == ["bound", "bound", "dissociated", "undecided"]
    assert "dissociated (1)" in figure.read_text()
    assert run(["analyze", *map(str, arguments)]) == 0
    assert "bound 2 1.25 1.13–1.38" in " ".join(capsys.readouterr().out.split())
    marked = [*arguments, "--figure", figure, "--mark", ensemble / "pair.xyz"]
    assert run(["analyze", *map(str, marked)]) == 3
    assert "another order" in capsys.readouterr().err
    (ensemble / "pair.xyz").write_text("2\n\nC 0 0 0\nC 0 0 1.3\n")
    assert run(["analyze", *map(str, marked)]) == 0
    assert 'id="mark-pair"' in figure.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["hops", "{run}", "--figure", "{run}/p.png"], 2, "goes with --map"),
        (["hops", "{run}", "--map", "x", "y", "--mark", "m.xyz"], 2, "Add --figure"),
        (["hops", "{run}", "--map", "bond", "x"], 2, "Give --classes FILE.yaml"),
        (["populations", "nowhere"], 3, "no such file"),
        (["populations", "{run}/classes.yaml"], 3, "not an HDF5 file"),
        (["populations", "{run}", "--figure", "{run}/p.gif"], 2, ".png, .pdf, .svg"),
        (["populations", "{run}", "--figure", "{run}/no/p.png"], 2, "does not exist"),
        (["quantum-yield", "{run}"], 2, "Give --classes FILE.yaml"),
        (["quantum-yield", "{run}", "--classes", "{run}/none.yaml"], 2, "no such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_two_lines(
    ensemble: Path,
    arguments: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [a.format(run=ensemble) for a in arguments]
    assert run(["analyze", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2
    assert said in captured.err


@pytest.mark.parametrize("command", ["populations", "quantum-yield", "hops", "conservation"])
def test_the_decoherence_is_named_in_every_result(
    ensemble: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "edc, C = 0.1 hartree, convention amplitude"
    with h5py.File(ensemble / "ensemble.h5", "r+") as file:
        file.attrs["decoherence"] = text
    arguments = [command, ensemble]
    if command == "quantum-yield":
        arguments += ["--classes", ensemble / "classes.yaml"]
    assert as_json(capsys, *arguments)["decoherence"] == text
    assert run(["analyze", *map(str, arguments)]) == 0
    assert f"Decoherence: {text}" in capsys.readouterr().out


def test_conservation_judges_every_trajectory(
    ensemble: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(ensemble / "ensemble.h5", "r+") as file:
        energy = np.zeros((41, 6))
        energy[:, 1] = np.linspace(0, 0.15, 41)  # 0.375 eV/ps over 0.4 ps
        energy[20:, 2] = 0.12  # one jump
        energy[:, 3] = np.linspace(0, 0.3, 41)
        file["frames/total_energy"][...] = energy / EV_PER_HARTREE
    found = as_json(capsys, "conservation", ensemble)
    assert [row["verdict"] for row in found["per_trajectory"]] == [
        "conserved",
        "drifting",
        "violated",
        "violated",
        "conserved",
        "conserved",  # parked, but for a broken bond
    ]
    assert found["verdicts"] == {"conserved": 3, "drifting": 1, "violated": 2, "too short": 0}
    assert found["per_trajectory"][1]["drift_ev_per_ps"] == pytest.approx(0.375)
    assert found["per_trajectory"][5]["time_ps"] == pytest.approx(0.29)
    assert found["spread"]["jump_ev"]["largest"] == pytest.approx(0.12)
    assert found["limits"]["deviation_ev"] == 0.2
    wide = ["--drift", "1", "--deviation", "0.5", "--jump", "0.5"]
    assert as_json(capsys, "conservation", ensemble, *wide)["verdicts"]["conserved"] == 6
    assert run(["analyze", "conservation", str(ensemble)]) == 0
    out = capsys.readouterr().out
    assert "Trajectories in doubt" in out
    assert "Verdicts: 3 conserved, 1 drifting, 2 violated" in out
    assert len([line for line in out.splitlines() if line[:1].isdigit()]) == 3
    assert run(["analyze", "conservation", str(ensemble), "--full"]) == 0
    assert len([line for line in capsys.readouterr().out.splitlines() if line[:1].isdigit()]) == 6
    assert run(["analyze", "conservation", str(ensemble), "--jump", "0"]) == 2


def test_the_energy_guard_is_a_verdict_and_two_frames_are_none(
    write_ensemble: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = [[0, 0], [0, 0], [0, 2], [1, 2]]
    path = write_ensemble(
        tmp_path / "e.h5", active_state=np.ones((4, 2)), status=status, reason=[0, 1]
    )
    found = as_json(capsys, "conservation", path)
    assert [row["verdict"] for row in found["per_trajectory"]] == ["conserved", "violated"]
    short = write_ensemble(tmp_path / "s.h5", active_state=[[1], [1]])
    found = as_json(capsys, "conservation", short)
    assert found["per_trajectory"][0]["verdict"] == "too short"
    assert found["per_trajectory"][0]["drift_ev_per_ps"] is None
    assert run(["analyze", "conservation", str(short)]) == 0
    assert "–" in capsys.readouterr().out


def test_a_misspelt_bound_is_named(ensemble: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ensemble / "wrong.yaml"
    wrong.write_text(CLASSES.replace("below_angstrom", "below_angstroms"))
    assert run(["analyze", "quantum-yield", str(ensemble), "--classes", str(wrong)]) == 2
    err = capsys.readouterr().err
    assert "classes.0.bounds.0.below_angstroms" in err
    assert 'Did you mean "below_angstrom"?' in err


@pytest.mark.parametrize("damage", ["truncate", "dataset", "no frames"])
def test_damaged_ensembles_are_exit_code_3(
    ensemble: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ensemble / "ensemble.h5"
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:3000])
    else:
        with h5py.File(path, "r+") as file:
            if damage == "dataset":
                file.attrs["format"] = "namd-dataset"
            else:
                for name, values in list(file["frames"].items()):
                    unit, rest = values.attrs["unit"], values[:0]
                    del file[f"frames/{name}"]
                    file[f"frames/{name}"] = rest
                    file[f"frames/{name}"].attrs["unit"] = unit
    for command in ("populations", "quantum-yield", "hops"):
        assert run(["analyze", command, str(ensemble)]) == 3
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("Data error")
        assert str(path) in captured.err
        assert len(captured.err.splitlines()) == 2


def test_analysis_never_imports_torch(ensemble: Path) -> None:
    script = (
        "import sys; from namd.cli.main import run; code = run(sys.argv[1:]); "
        "sys.exit('imported torch' if {'torch', 'e3nn', 'numba'} & set(sys.modules) else code)"
    )
    for command in ("populations", "quantum-yield", "conservation"):
        arguments = ["analyze", command, str(ensemble)]
        if command != "conservation":
            arguments += ["--figure", str(ensemble / "f.png")]
        if command == "quantum-yield":
            arguments += ["--classes", str(ensemble / "classes.yaml")]
        done = subprocess.run(  # noqa: S603  (our own interpreter and script)
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_early_is_no_failure(ensemble: Path) -> None:
    script = "from namd.cli.main import main; main()"
    with subprocess.Popen(  # noqa: S603  (our own interpreter and script)
        [sys.executable, "-c", script, "analyze", "populations", str(ensemble), "--full"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_compare_says_differences_and_draws_them(
    ensemble: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    figure = tmp_path / "comparison.png"
    words = ["analyze", "compare", str(ensemble), str(ensemble), "--label", "one", "--label", "two"]
    assert run([*words, "--figure", str(figure)]) == 0
    printed = capsys.readouterr().out
    assert "Compared in pairs with one: two" in printed
    assert "less one" in printed
    assert figure.read_bytes().startswith(b"\x89PNG")
    found = as_json(capsys, *words[1:])
    assert [entry["label"] for entry in found["runs"]] == ["one", "two"]
    (difference,) = found["differences"]
    assert difference["paired"]
    assert difference["lifetime"] == {"value_fs": 0, "lower_fs": 0, "upper_fs": 0}


def test_model_error_of_two_runs(
    ensemble: Path,
    write_ensemble: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def all_decayed(name: str, *, after: float) -> Path:
        return write_ensemble(
            tmp_path / f"{name}.h5",
            active_state=np.repeat([[1] * 8, [0] * 8], [20, 21], axis=0),
            positions=np.broadcast_to([[0, 0, 0], [1.0 / BOHR, 0, 0]], (41, 8, 2, 3)),
            hops=[(k, after + k, 1, 0, True) for k in range(8)],
            potential=json.dumps({"name": name, "digest": name}),
        )

    other, third = all_decayed("another", after=190.0), all_decayed("third", after=150.0)
    words = ["model-error", ensemble, other, "--classes", ensemble / "classes.yaml"]
    found = as_json(capsys, *words)
    assert [(entry["model"], entry["trajectories"]) for entry in found["runs"]] == [
        ("synthetic", 6),
        ("another", 8),
    ]
    bound = found["shares"]["bound"]
    assert bound["values"] == pytest.approx([2 / 6, 1])
    assert bound["lower"] == 0
    assert bound["between"] > bound["sampling"] > 0
    assert found["shares"]["failed"]["values"] == pytest.approx([1 / 6, 0])
    assert found["lifetime"] is None  # of six, too few for the upper end of an interval
    assert run(["analyze", *map(str, words)]) == 0
    captured = capsys.readouterr()
    assert "2 models · 14 trajectories" in captured.out
    assert "not determined" in captured.out
    assert captured.err == ""
    alike = as_json(capsys, "model-error", other, third, *words[3:])
    assert alike["shares"]["failed"]["values"] == [0, 0]
    assert alike["shares"]["failed"]["between"] is None  # of what never occurs
    lifetime = alike["lifetime"]
    assert lifetime["values"] == pytest.approx([193, 153])
    assert lifetime["between"] == pytest.approx(40 / 2**0.5, rel=0.01)
    assert run(["analyze", "model-error", str(ensemble), str(ensemble), *map(str, words[3:])]) == 0
    said = capsys.readouterr().err
    assert "began alike" in said
    assert "on one model" in said
    assert run(["analyze", "model-error", str(ensemble)]) == 2
    assert "two runs or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "needs two runs or more"),
        (["RUN", "--label", "a"], "2 runs but 1 names"),
        (["RUN", "--figure", "x.png", "--state", "S7"], "expected one of: S0, S1"),
    ],
)
def test_compare_refuses_what_makes_no_comparison(
    ensemble: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    words = [str(ensemble) if word == "RUN" else word for word in more]
    assert run(["analyze", "compare", str(ensemble), *words]) == 2
    assert message in capsys.readouterr().err
