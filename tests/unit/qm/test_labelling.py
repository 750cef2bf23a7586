"""Labelling by worker processes: what comes out depends on the frames alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.config.labelling import LabellingConfig
from namd.data.dataset import Dataset
from namd.data.frames import Frames
from namd.errors import ConfigError, DataError
from namd.molecule import Molecule
from namd.qm.label_folder import LabelFolder
from namd.qm.labelling import (
    Progress,
    describe_job,
    join_labels,
    read_results,
    refuse_changes,
    run_labelling,
    tell,
)
from namd.qm.registry import make_engine

MODEL = Path("tests/data/two_state.py")
LENGTHS = np.linspace(1.0, 2.0, 13)


class Stop:
    """A wish to stop that comes after so many frames."""

    def __init__(self, after: int = 10**9) -> None:
        self.left = after

    def __bool__(self) -> bool:
        return self.left <= 0


class Bench:
    """Frames of a two-state model, and labellings of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copy(MODEL, path)
        positions = np.zeros((len(LENGTHS), 2, 3))
        positions[:, 1, 1], positions[:, 1, 2] = 0.3, LENGTHS
        self.frames = Frames(
            molecule=Molecule.from_numbers(np.array([1, 1])),
            positions=positions,
            group=np.array(["a"] * 9 + ["b"] * 4),
            source=np.full(len(LENGTHS), "scan"),
        )

    def config(self, **arguments: Any) -> LabellingConfig:
        arguments.setdefault("calls", str(self.path / "calls"))
        engine = {
            "callable": "two_state:label",
            "arguments": arguments,
            "positions_unit": "bohr",
            "level_of_theory": "two parabolas",
            "energies": {"key": "energies", "unit": "hartree"},
            "forces": {"key": "gradients", "unit": "hartree/bohr", "kind": "gradient"},
            "couplings": {"key": "coupling", "unit": "hartree/bohr", "kind": "interstate"},
            "diabatic_hamiltonian": {"key": "matrix", "unit": "hartree"},
            "guess": {},
        }
        return LabellingConfig.model_validate({"engine": engine, "chain_length": 4})

    def calls(self) -> list[float]:
        path = self.path / "calls"
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def run(
        self, config: LabellingConfig, *, name: str, workers: int, stop: Stop | None = None
    ) -> tuple[bool, list[Progress]]:
        folder = LabelFolder(self.path / name)
        folder.prepare()
        seen: list[Progress] = []

        def report(now: Progress) -> None:
            seen.append(now)
            if stop is not None and now.made:
                stop.left -= 1

        finished = run_labelling(
            self.frames,
            config,
            base=self.path,
            folder=folder,
            workers=workers,
            stop=Stop() if stop is None else stop,
            report=report,
        )
        return finished, seen

    def dataset(self, config: LabellingConfig, *, name: str) -> Dataset:
        engine = make_engine(config.engine, molecule=self.frames.molecule, base=self.path)
        results = read_results(LabelFolder(self.path / name))
        return join_labels(
            results, self.frames, config=config, info=engine.describe(), provenance={}
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def same(first: Dataset, second: Dataset) -> bool:
    return set(first) == set(second) and all(np.array_equal(first[k], second[k]) for k in first)


def test_labels_do_not_depend_on_workers_nor_on_a_stop_in_between(bench: Bench) -> None:
    config = bench.config(seconds=0.05)
    finished, seen = bench.run(config, name="one", workers=1)
    assert finished
    assert (seen[-1].labelled, seen[-1].made, seen[-1].total) == (13, 13, 13)
    alone = bench.dataset(config, name="one")
    # Two groups of 9 and 4 in chains of 4: every chain begins cold.
    warm = np.rint((alone["energies"] - exact_energies(bench.frames.positions))[:, 0] * 1e9)
    assert warm.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 1, 2, 3]
    bench.run(config, name="three", workers=3)
    assert same(alone, bench.dataset(config, name="three"))

    done = len(bench.calls())
    finished, seen = bench.run(config, name="halves", workers=1, stop=Stop(after=6))
    assert not finished
    assert 6 <= seen[-1].labelled < 13
    finished, _ = bench.run(config, name="halves", workers=2)
    assert finished
    assert same(alone, bench.dataset(config, name="halves"))
    assert len(bench.calls()) - done == 13  # none was done twice
    assert list((bench.path / "halves" / "guess").iterdir()) == []


def test_a_frame_far_from_the_one_before_begins_cold(bench: Bench) -> None:
    config = bench.config()
    bench.frames.positions[3:, 1, 2] += 0.6  # 0.36 Å with the step
    bench.run(config, name="out", workers=2)
    positions = bench.frames.positions
    warm = bench.dataset(config, name="out")["energies"] - exact_energies(positions)
    assert np.rint(warm[:, 0] * 1e9).tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 0, 1, 2, 3]
    everywhere = config.model_copy(update={"guess_within_angstrom": 0.0})
    bench.run(everywhere, name="cold", workers=2)
    warm = bench.dataset(everywhere, name="cold")["energies"] - exact_energies(positions)
    assert np.abs(warm).max() < 1e-12


def exact_energies(positions: np.ndarray) -> np.ndarray:
    y, z = positions[:, 1, 1], positions[:, 1, 2]
    first, second = 0.05 * (z - 1.2) ** 2, 0.05 * (z - 1.8) ** 2 + 0.01
    spread = np.sqrt((first - second) ** 2 / 4 + (0.02 * y) ** 2)
    mean = (first + second) / 2
    return np.stack([mean - spread, mean + spread], axis=1)


def test_failures_are_kept_with_reasons_and_nothing_else_is_lost(bench: Bench) -> None:
    """One frame fails warm and cold; one kills its process, which is tried twice."""
    config = bench.config(fail=[LENGTHS[2]], die=[LENGTHS[10]])
    finished, seen = bench.run(config, name="out", workers=2)
    assert finished
    assert (seen[-1].labelled, seen[-1].failed) == (11, 2)
    dataset = bench.dataset(config, name="out")
    assert len(dataset) == 11
    assert LENGTHS[2] not in dataset["positions"][:, 1, 2]
    engine = make_engine(config.engine, molecule=bench.frames.molecule, base=bench.path)
    job = describe_job(bench.frames, config, engine.describe())
    results = read_results(LabelFolder(bench.path / "out"))
    story = tell(results, bench.frames, job=job, source="f.h5")
    assert [row["frame"] for row in story["failures"]] == [2, 10]
    reasons = [row["reason"] for row in story["failures"]]
    assert reasons[0] == "RuntimeError: no convergence in 50 iterations"
    assert reasons[1] == "the process died while computing it (SIGKILL)"
    assert story["failures"][1]["group"] == "b"
    calls = np.array(bench.calls())
    assert np.sum(np.abs(calls - LENGTHS[2]) < 1e-5) == 2
    assert np.sum(np.abs(calls - LENGTHS[10]) < 1e-5) == 2
    # After a failure the chain goes on from a cold start.
    warm = np.rint((dataset["energies"] - exact_energies(dataset["positions"]))[:, 0] * 1e9)
    assert warm.tolist() == [0, 1, 0, 0, 1, 2, 3, 0, 0, 0, 1]


def test_an_engine_that_cannot_be_made_is_told_once(bench: Bench) -> None:
    config = bench.config()
    (bench.path / "two_state.py").write_text("raise RuntimeError('no licence')\n")
    with pytest.raises(ConfigError, match="no licence"):
        bench.run(config, name="out", workers=2)


def test_a_dataset_without_labels_is_refused_with_the_common_reason(bench: Bench) -> None:
    config = bench.config()
    folder = LabelFolder(bench.path / "out")
    folder.prepare()
    for frame in range(13):
        folder.write_failure(frame, "no wonder" if frame else "rare", seconds=1.0)
    with pytest.raises(DataError, match="none of the 13 frames could be labelled; mostly: no won"):
        bench.dataset(config, name="out")


def test_only_the_same_job_is_resumed(bench: Bench) -> None:
    def job(change: Callable[[dict[str, Any]], Any] = lambda _: None) -> dict[str, Any]:
        config = bench.config()
        engine = make_engine(config.engine, molecule=bench.frames.molecule, base=bench.path)
        made = describe_job(bench.frames, config, engine.describe())
        change(made)
        return made

    folder = LabelFolder(bench.path / "out")
    folder.prepare()
    with pytest.raises(DataError, match="no labelling that could be resumed"):
        refuse_changes(folder, job())
    folder.write_job(job())
    refuse_changes(folder, job())
    refuse_changes(folder, job(lambda made: made["config"].update(title="Other")))
    with pytest.raises(ConfigError, match="another chain_length"):
        refuse_changes(folder, job(lambda made: made["config"].update(chain_length=5)))
    with pytest.raises(ConfigError, match=r"another engine: versions\.x"):
        refuse_changes(folder, job(lambda made: made["engine"].update(versions={"x": "2"})))
    with pytest.raises(ConfigError, match="frames are not those"):
        refuse_changes(folder, job(lambda made: made.update(frames_sha256="0")))


def test_a_damaged_label_is_named(bench: Bench) -> None:
    folder = LabelFolder(bench.path / "out")
    folder.prepare()
    path = folder.path / "labels" / "000003.npz"
    path.write_bytes(b"PK\x03\x04 not much")
    with pytest.raises(DataError, match="label of frame 3 is damaged") as caught:
        folder.read(3)
    assert caught.value.where == str(path)


def test_a_folder_that_is_gone_is_not_a_damaged_label(bench: Bench) -> None:
    folder = LabelFolder(bench.path / "out")
    folder.prepare()
    folder.remove()
    with pytest.raises(DataError, match="has ended while it was read") as caught:
        folder.read(3)
    assert caught.value.where == str(folder.path)
