"""``namd run surface-hopping`` as a user meets it: results, refusals, stops, kills."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.io.ensemble import read_ensemble

SMALL = """
potential: {tully: sac}
initial_conditions: {method: model-particle, position_bohr: -3, momentum_au: 20}
dynamics: {timestep_au: 10, max_steps: 60, stop_outside_bohr: 3.01, decoherence: none}
output: {every_steps: 10, checkpoint_s: 0}
trajectories: 8
seed: 3
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def hop(config: Path | str, *options: str) -> int:
    return run(["run", "surface-hopping", str(config), *options])


def contents(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def test_a_run_leaves_an_ensemble_and_says_what_came_out(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hop(config, "--output", str(tmp_path / "run")) == 0
    shown = capsys.readouterr()
    assert "8 trajectories" in shown.out
    assert "finished    8, parked 0" in shown.out
    assert "ensemble.h5" in shown.out
    assert "decoherence none" in shown.out
    assert f"namd analyze populations {tmp_path / 'run'}" in shown.err
    ensemble = read_ensemble(tmp_path / "run")
    assert ensemble.config["dynamics"]["substeps"] == 25
    with h5py.File(tmp_path / "run" / "ensemble.h5") as file:
        assert {"format", "seed", "timestep", "decoherence"} <= set(file.attrs)
        assert json.loads(file.attrs["potential"])["digest"]
        assert "torch" in json.loads(file.attrs["versions"])
        np.testing.assert_array_equal(file["initial/positions"][:, 0, 0], -3)
    # The resolved configuration is a configuration: it makes the same run.
    again = tmp_path / "run" / "config.yaml"
    assert hop(again, "--output", str(tmp_path / "again")) == 0
    assert contents(tmp_path / "run/ensemble.h5") == contents(tmp_path / "again/ensemble.h5")


@pytest.mark.parametrize(
    ("preset", "told"), [("fssh", False), ("unsmash", True), ("landau-zener", True)]
)
def test_methods_without_amplitudes_say_what_a_diabatic_start_loses(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: str, told: bool
) -> None:
    options = ["--output", str(tmp_path / "run"), "--set", "initial_conditions.basis=diabatic"]
    assert hop(config, *options, "--set", f"dynamics.preset={preset}") == 0
    assert ("its coherences are lost" in capsys.readouterr().err) == told


def test_the_default_folder_is_named_after_the_configuration(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hop(config, "--trajectories", "2") == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("small-")
    assert read_ensemble(folder).n_trajectories == 2


def test_seed_and_trajectories_do_what_they_say(config: Path, tmp_path: Path) -> None:
    for name, options in (
        ("a", ["--seed", "4"]),
        ("b", ["--seed", "5"]),
        ("few", ["--seed", "4", "--trajectories", "3"]),
    ):
        assert hop(config, "--output", str(tmp_path / name), *options) == 0
    a, b, few = (read_ensemble(tmp_path / name) for name in ("a", "b", "few"))
    assert not np.array_equal(a.hops.time, b.hops.time)
    frames = len(few.time)
    np.testing.assert_array_equal(a.amplitudes[:frames, :3], few.amplitudes)


def test_a_folder_that_exists_is_left_alone(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("precious")
    assert hop(config, "--output", str(tmp_path / "run")) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_place_where_no_folder_can_be_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hop(config, "--output", str(config / "below" / "run")) == 2
    shown = capsys.readouterr().err
    assert "the folder cannot be made" in shown
    assert "overwritten" not in shown


def test_an_unknown_device_is_told_in_our_words(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hop(config, "--output", str(tmp_path / "run"), "--device", "abacus") == 2
    assert capsys.readouterr().err.splitlines()[1].startswith("  there is no such device.  Give")


def test_a_complete_run_can_be_resumed_without_harm(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ("--output", str(tmp_path / "run"))
    assert hop(config, *output) == 0
    before = (tmp_path / "run/ensemble.h5").read_bytes()
    assert hop(config, *output, "--resume") == 0
    assert "nothing is left to do" in capsys.readouterr().err
    assert (tmp_path / "run/ensemble.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--set", "dynamics.timestep_au=-1"], 2, "dynamics.timestep_au = -1"),
        (["--set", "dynamics.decoherence=ecd"], 2, 'Did you mean "edc"?'),
        (["--set", "potential={model: none-such}"], 3, "no such model"),
        (["--set", "initial_conditions.state=2"], 3, "S0, S1"),
        (
            ["--set", "initial_conditions={method: file, path: gone.h5, state: 0}"],
            3,
            "no such file",
        ),
        (["--trajectories", "0"], 2, "trajectories = 0"),
        (["--device", "abacus"], 2, "device = abacus"),
        (["--resume"], 2, "no such run to resume"),
    ],
)
def test_what_cannot_be_run_is_refused_and_leaves_nothing_behind(
    *,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    assert hop(config, "--output", str(tmp_path / "run"), *options) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "run").exists()


def test_another_molecule_is_told_before_its_classes(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration made for stilbene, with a potential of one particle."""
    other = ("--set", "potential={tully: sac}")
    assert hop("stilbene-smoke", "--output", str(tmp_path / "run"), *other) == 3
    assert "the geometry has 26 atoms, the model was made for 1" in capsys.readouterr().err
    wrong = "analysis.coordinates=[{kind: position, name: x, atom: 1, axis: x}]"
    assert hop("tully-1", "--output", str(tmp_path / "run"), "--set", wrong) == 2
    assert "expected distinct atom numbers from 0 to 0" in capsys.readouterr().err


def test_unknown_configurations_and_resuming_nowhere_are_refused(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hop("tuly-1") == 2
    assert 'Did you mean "tully-1"?' in capsys.readouterr().err
    assert hop(config, "--resume") == 2
    assert "--output" in capsys.readouterr().err


def test_a_damaged_hdf5_file_of_initial_conditions_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hop(config, "--output", str(tmp_path / "run")) == 0
    whole = (tmp_path / "run/ensemble.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    section = f"initial_conditions={{method: file, path: {tmp_path / 'cut.h5'}, state: 0}}"
    assert hop(config, "--output", str(tmp_path / "new"), "--set", section) == 3
    assert "truncated" in capsys.readouterr().err
    section = section.replace("cut.h5", "run/ensemble.h5")
    assert hop(config, "--output", str(tmp_path / "new"), "--set", section) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_leaves_a_run_that_goes_on(
    *,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    longer = ("--set", "output.every_steps=1")
    assert hop(config, "--output", str(tmp_path / "whole"), *longer) == 0
    target = tmp_path / "run"

    def interrupt_once_it_runs() -> None:
        while not list(target.glob("checkpoint-*")):
            pass
        os.kill(os.getpid(), number)

    watcher = threading.Thread(target=interrupt_once_it_runs)
    watcher.start()
    assert hop(config, "--output", str(target), *longer) == code
    watcher.join()
    hint = capsys.readouterr().err.splitlines()[-1]
    assert not (target / "ensemble.h5").exists()
    # What a kill in the middle of writing leaves is swept away.
    (target / "parts" / ".000009.h5.abc.part").write_text("half a block")
    # Another configuration is refused, by the names of its keys; a run in use as well.
    changed = ("--seed", "9", "--set", "dynamics.substeps=10")
    assert hop(config, "--output", str(target), "--resume", *longer, *changed) == 2
    assert "differs from that of the run in: dynamics.substeps, seed" in capsys.readouterr().err
    # The command that is told can be pasted; in what portions it is run may change.
    program, *words = shlex.split(hint)
    assert program == "namd"
    assert run([*words, "--set", "batch_size=3"]) == 0
    assert not list(target.rglob(".*"))
    assert contents(target / "ensemble.h5") == contents(tmp_path / "whole/ensemble.h5")


def test_a_run_folder_in_use_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from namd.io.run_folder import RunFolder, locked

    assert hop(config, "--output", str(tmp_path / "run")) == 0
    with locked(RunFolder(tmp_path / "run")):
        assert hop(config, "--output", str(tmp_path / "run"), "--resume") == 2
    assert "another process" in capsys.readouterr().err


# Imports namd once, then forks runs and kills them at given moments after their start.
KILLER = """
import os, random, signal, sys, time
import torch
from namd.cli.main import run
import namd.cli.surface_hopping_job
from namd.cli import console
console.note = lambda text: None
config, target, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
generator = random.Random(int(sys.argv[4]))
killed = 0
for _ in range(kills):
    argv = ["run", "surface-hopping", config, "--output", target]
    if os.path.exists(target + "/start.h5"):
        argv.append("--resume")
    child = os.fork()
    if child == 0:
        os._exit(run(argv))
    while not os.path.exists(target + "/start.h5"):
        time.sleep(0.001)
    time.sleep(generator.uniform(0.0, 0.25))
    os.kill(child, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print("killed", killed)
sys.exit(run(["run", "surface-hopping", config, "--output", target, "--resume"]))
"""


def test_killed_at_random_moments_and_resumed_is_bitwise_the_same(
    config: Path, tmp_path: Path
) -> None:
    """In a batch that does not hold all of them, so that some are ahead when the kill comes."""
    config.write_text(SMALL.replace("every_steps: 10", "every_steps: 1") + "batch_size: 3\n")
    assert hop(config, "--output", str(tmp_path / "whole")) == 0
    seed = int.from_bytes(os.urandom(2))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", KILLER, str(config), str(tmp_path / "killed"), "5", str(seed)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    assert int(done.stdout.split()[1]) >= 2, "the kills came too late to test anything"
    assert contents(tmp_path / "killed/ensemble.h5") == contents(tmp_path / "whole/ensemble.h5")


HARMONIC = """
potential:
  spin_boson: {bias_inverse_cm: 50, coupling_inverse_cm: 100, spectrum: debye,
    cutoff_inverse_cm: 500, reorganization_inverse_cm: 10, oscillators: 3}
initial_conditions: {method: oscillators, state: 1}
dynamics: {timestep_fs: 0.5, max_steps: 4}
trajectories: 2
"""


@pytest.mark.parametrize(
    ("timestep", "said"),
    [
        ("0.5", "steps per period of the fastest vibration (mode 2,"),
        ("2", "Warning  time step 2 fs: 8.9 steps per period"),
    ],
)
def test_the_time_step_is_checked_and_the_ensemble_remembers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, timestep: str, said: str
) -> None:
    config = tmp_path / "harmonic.yaml"
    config.write_text(HARMONIC.replace("timestep_fs: 0.5", f"timestep_fs: {timestep}"))
    assert hop(config, "--output", str(tmp_path / "run")) == 0
    assert said in capsys.readouterr().err
    with h5py.File(tmp_path / "run/ensemble.h5") as file:
        assert "steps per period" in file.attrs["timestep_check"]
        assert ("fewer than 15" in file.attrs["timestep_check"]) == (timestep == "2")
    assert run(["analyze", "conservation", str(tmp_path / "run"), "--full"]) == 0
    assert "Before the run: time step" in capsys.readouterr().out


def test_a_time_step_that_is_unstable_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "harmonic.yaml"
    config.write_text(HARMONIC.replace("timestep_fs: 0.5", "timestep_fs: 9"))
    assert hop(config, "--output", str(tmp_path / "run")) == 2
    assert "velocity Verlet is unstable" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
