"""``namd sample`` beside wigner: scans, searches, thinning, thermal points, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule as build

from namd.cli.main import run
from namd.data.frames import read_frames
from namd.io.samples import read_samples
from namd.sampling.internal_coordinates import torsion
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE, HARTREE_PER_KELVIN

MINIMA = "models/stilbene-ssr/data/minima.h5"
ENGINE = '''
import numpy as np

G, H = 0.05 * np.random.default_rng(1).normal(size=(2, 6, 3))
G, H = (x - x.mean(0) for x in (G, H))


def label(symbols, positions, origin=None):
    """Two linear diabats in a bowl about ``origin``: they cross where G.r = -0.02, H.r = 0."""
    r = positions - np.array(origin)
    a, b = 0.02 + (G * r).sum(), (H * r).sum()
    root = np.hypot(a, b)
    slope = (a * G + b * H) / root
    bowl, pull = 0.15 * (r**2).sum(), 0.3 * r
    return {
        "energies": [bowl - root, bowl + root],
        "gradients": [pull - slope, pull + slope],
        "h": (a * H - b * G) / root,
    }
'''
SECTION = """engine:
  callable: two_states:label
  arguments: {origin: ORIGIN}
  positions_unit: bohr
  level_of_theory: two linear diabats
  energies: {key: energies, unit: hartree}
  forces: {key: gradients, unit: hartree/bohr, kind: gradient}
  couplings: {key: h, unit: hartree/bohr, kind: interstate}
"""


def sample(*arguments: str | Path) -> int:
    return run(["sample", *map(str, arguments)])


@pytest.fixture
def ethylene(tmp_path: Path) -> Path:
    path = tmp_path / "ethylene.xyz"
    build("C2H4").write(path)
    return path


@pytest.fixture
def engine(tmp_path: Path, ethylene: Path) -> Path:
    (tmp_path / "two_states.py").write_text(ENGINE)
    origin = read_frames(ethylene).positions[0].tolist()
    path = tmp_path / "engine.yaml"
    path.write_text(SECTION.replace("ORIGIN", json.dumps(origin)))
    return path


def slopes() -> tuple[np.ndarray, np.ndarray]:
    space: dict[str, Any] = {}
    exec(ENGINE, space)  # noqa: S102  (our own text above)
    return space["G"], space["H"]


@pytest.mark.parametrize("method", ["projection", "penalty"])
def test_an_intersection_of_an_engine(
    method: str, engine: Path, ethylene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = engine.with_name("meci.h5")
    options = ["--config", engine, "--method", method, "--force-tolerance", "1e-4"]
    options += ["--gap-tolerance", "1e-4", "--output", output]
    assert sample("meci", ethylene, *options) == 0
    assert "1 of 1 searches ended" in capsys.readouterr().out
    found = read_frames(output)
    moved = found.positions[0] - read_frames(ethylene).positions[0]
    g, h = slopes()
    assert (g * moved).sum() == pytest.approx(-0.02, abs=1e-4)
    assert (h * moved).sum() == pytest.approx(0, abs=1e-4)
    assert (found.group.tolist(), found.source.tolist()) == (["meci-00000"], ["meci-S0-S1"])
    story = json.loads(output.with_name("meci.h5.json").read_text())
    (search,) = story["searches"]
    assert search["method"] == method
    assert search["gap_hartree"] * EV_PER_HARTREE < 1e-4
    assert set(search["energies_hartree"]) == {"S0", "S1"}
    assert search["cold_start_deviation_hartree"] == 0.0
    plane = {name: np.array(search["branching_plane"][name]) for name in "gh"}
    assert abs((plane["g"] * plane["h"]).sum()) < 1e-12
    size = (plane["g"] ** 2 + plane["h"] ** 2).sum()
    assert size == pytest.approx((g**2 + h**2).sum(), rel=1e-5)


def test_minima_of_a_state_and_starts_that_fail(
    engine: Path, ethylene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    starts, output = engine.with_name("starts.xyz"), engine.with_name("minima.xyz")
    assert sample("scan", ethylene, "--noise", "0.05", "--copies", "3", "--output", starts) == 0
    options = ["--config", engine, "--state", "0", "--output", output]
    assert sample("relax", starts, "--frame", "1", "--frame", "3", *options) == 0
    found = read_frames(output)
    assert found.group.tolist() == ["minima-00001", "minima-00003"]
    story = json.loads(output.with_name("minima.xyz.json").read_text())
    space: dict[str, Any] = {}
    exec(ENGINE, space)  # noqa: S102  (our own text above)
    origin = read_frames(ethylene).positions[0]
    for place, each in zip(found.positions, story["searches"], strict=True):
        label = space["label"](None, place, origin=origin)
        assert np.abs(label["gradients"][0]).max() * EV_PER_ANGSTROM_PER_ATOMIC_FORCE < 0.005
        assert each["energies_hartree"]["S0"] == pytest.approx(label["energies"][0], abs=1e-9)
    capsys.readouterr()
    options = [*options, "--force", "--max-steps", "1"]
    assert sample("relax", starts, *options) == 4
    assert "none of 4 searches ended" in capsys.readouterr().err


@pytest.mark.parametrize(("state", "end"), [(1, "meets S0"), (0, "a minimum of S0")])
def test_the_way_down_from_a_geometry(
    state: int, end: str, engine: Path, ethylene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = engine.with_name("path.h5")
    options = ["--config", engine, "--state", str(state), "--points", "7", "--output", output]
    assert sample("descend", ethylene, *options) == 0
    assert end in capsys.readouterr().out
    found = read_frames(output)
    assert len(found) == 7
    assert set(found.group) == {"path"}
    np.testing.assert_array_equal(found.positions[0], read_frames(ethylene).positions[0])
    story = json.loads(output.with_name("path.h5.json").read_text())
    assert len(story["length_angstrom_sqrt_amu"]) == 7
    energies = np.array([story["energies_hartree"][label] for label in ("S0", "S1")])
    assert (np.diff(energies[state]) < 0).all()
    if state == 1:
        assert (energies[1, -1] - energies[0, -1]) * EV_PER_HARTREE < 0.06
    assert sample("descend", ethylene, *options) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_a_torsion_scan_with_bends_is_labelled_as_one_group(
    engine: Path, ethylene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = engine.with_name("twist.h5")
    options = ["--torsion", "2-0-1-4", "--angles", "0:90:30", "--pyramidalise", "0-1"]
    assert sample("scan", ethylene, *options, "--bends", "0,40", "--output", output) == 0
    assert "8 frames of C2H4 (scan-torsion)" in capsys.readouterr().out
    found = read_frames(output)
    angles = [np.degrees(torsion(place, (2, 0, 1, 4))) for place in found.positions[:4]]
    np.testing.assert_allclose(angles, [0, 30, 60, 90], atol=1e-9)
    assert set(found.group) == {"twist"}
    assert found.provenance["steps"][0]["bends_deg"] == [0.0, 40.0]
    labels = engine.with_name("labels.h5")
    assert run(["label", str(output), "--config", str(engine), "--output", str(labels)]) == 0
    assert set(read_frames(labels).group) == {"twist"}


def test_a_relaxed_scan_and_a_path(engine: Path, ethylene: Path) -> None:
    output, path = engine.with_name("relaxed.xyz"), engine.with_name("path.h5")
    turn = ["--torsion", "2-0-1-4", "--angles", "0,10", "--output", output]
    assert sample("scan", ethylene, *turn, "--relax", "--config", engine) == 0
    found = read_frames(output)
    angles = [np.degrees(torsion(place, (2, 0, 1, 4))) for place in found.positions]
    np.testing.assert_allclose(angles, [0, 10], atol=1e-3)
    assert set(found.source) == {"scan-relaxed"}
    end = output.with_name("end.xyz")
    assert sample("scan", ethylene, *turn[:2], "--angles", "40", "--output", end) == 0
    way = ["--to", end, "--points", "4", "--along", "cartesian", "--output", path]
    assert sample("scan", ethylene, *way) == 0
    assert len(read_frames(path)) == 4


def test_thinning_keeps_the_farthest_and_drops_repeats(
    ethylene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan, few, more = (tmp_path / name for name in ("scan.h5", "few.h5", "more.h5"))
    turn = ["--torsion", "2-0-1-4", "--angles", "0:360:30"]
    assert sample("scan", ethylene, *turn, "--output", scan) == 0
    assert len(read_frames(scan)) == 13
    capsys.readouterr()
    assert sample("thin", scan, "-n", "100", "--output", few) == 0
    # 0 to 90° is all there is: the other angles repeat these by exchange of hydrogens.
    assert "4 of 13 frames" in capsys.readouterr().out
    assert sample("thin", scan, "-n", "5", "--known", few, "--output", more) == 3
    assert "repeats of known" in capsys.readouterr().err


def test_thermal_samples_have_their_temperature(
    ethylene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed, drawn = tmp_path / "fixed.h5", tmp_path / "drawn.h5"
    hot = ["--temperature", "900", "-n", "400"]
    assert sample("boltzmann", ethylene, "--positions", "fixed", *hot, "--output", fixed) == 0
    found = read_samples(fixed)
    np.testing.assert_array_equal(found.positions, np.broadcast_to(found.positions[0], (400, 6, 3)))
    kinetic = 0.5 * (found.molecule.masses[:, None] * found.velocities**2).sum((1, 2))
    expected = 0.5 * (18 - 6) * 900 * HARTREE_PER_KELVIN
    assert kinetic.mean() == pytest.approx(expected, rel=0.07)  # 3.5 standard errors
    assert found.method == "boltzmann"
    cis = [MINIMA, "--name", "cis", "--low-modes-below", "30", "-n", "3", "--output", drawn]
    assert sample("boltzmann", *cis) == 0
    assert "72 modes" in capsys.readouterr().err
    assert len({place.tobytes() for place in read_samples(drawn).positions}) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["scan", "--torsion", "2-0-1-4", "--output", "o.h5"], 2, "needs --angles"),
        (["scan", "--torsion", "2-0", "--angles", "0", "--output", "o.h5"], 2, "4 atom numbers"),
        (["scan", "--bends", "0:9:-1", "--output", "o.h5"], 2, "FIRST:LAST:STEP"),
        (["scan", "--relax", "--output", "o.h5"], 2, "what is held"),
        (["scan", "--model", "m", "--output", "o.h5"], 2, "rigid scan"),
        (["relax", "--output", "o.h5"], 2, "on which surfaces"),
        (["descend", "--output", "o.h5"], 2, "on which surfaces"),
        (["meci", "--frame", "7", "--model", "stilbene-ssr", "--output", "o.h5"], 2, "no frame 7"),
        (["thin", "-n", "1", "--output", "o.csv"], 3, "ending in one of"),
    ],
)
def test_what_makes_no_sense_is_said(
    arguments: list[str],
    code: int,
    message: str,
    ethylene: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, *options = arguments
    assert sample(command, ethylene, *options) == code
    assert message in capsys.readouterr().err
    assert not Path("o.h5").exists()
