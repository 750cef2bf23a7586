"""``namd analyze spectrum`` on the shipped labels of stilbene, and on what has no dipoles."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.analysis.spectrum import SUM_RULE
from namd.cli.main import run
from namd.data.native import write_dataset

STILBENE = "models/stilbene-ssr/data/stilbene-ssr-thinned.h5"


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["analyze", "spectrum", *arguments, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize(
    ("isomer", "vertical", "samples"), [("cis", 4.58, 250), ("trans", 4.42, 200)]
)
def test_stilbene_absorbs_near_its_vertical_excitation(
    capsys: pytest.CaptureFixture[str], isomer: str, vertical: float, samples: int
) -> None:
    """Vertical at the minimum (this level); the band lies somewhat lower, as always."""
    result = found(capsys, STILBENE, "--group", f"wigner-{isomer}-*")
    assert result["samples"] == samples
    assert result["left_out"] == 0
    (band,) = result["bands"]
    assert vertical - 0.25 < band["energy_ev"] < vertical
    assert vertical - 0.4 < result["maximum_ev"] < vertical + 0.1
    assert result["integral_ev_angstrom2"] == pytest.approx(SUM_RULE * band["strength"], rel=2e-3)
    sigma, lower, upper = (
        np.array(result[key]) for key in ("cross_section_angstrom2", "lower", "upper")
    )
    assert (lower <= sigma).all()
    assert (sigma <= upper).all()
    # A strong ππ* band: 10 to 50 thousand L/(mol cm).
    assert 1e4 < max(result["molar_absorptivity"]) < 5e4


def test_trans_absorbs_to_the_red_of_cis_and_twice_as_strongly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cis, trans = (found(capsys, STILBENE, "--group", f"wigner-{k}-*") for k in ("cis", "trans"))
    assert trans["maximum_ev"] < cis["maximum_ev"]
    assert 1.7 < trans["bands"][0]["strength"] / cis["bands"][0]["strength"] < 2.6


def test_without_a_group_all_wigner_samples_are_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = found(capsys, STILBENE, "--line", "lorentzian", "--width", "0.2")
    assert (result["samples"], result["taken"]) == (450, "source wigner")
    assert (result["line"], result["width_ev"]) == ("lorentzian", 0.2)


def test_table_and_figure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    figure = tmp_path / "spectrum.png"
    arguments = [STILBENE, "--group", "wigner-cis-*", "--unit", "molar", "--figure", str(figure)]
    assert run(["analyze", "spectrum", *arguments]) == 0
    captured = capsys.readouterr()
    assert figure.stat().st_size > 10_000
    assert "S0 → S1" in captured.out
    assert "L/(mol cm)" in captured.out
    assert "250 geometries" in captured.out
    assert "Warning" not in captured.err


def test_three_states_and_missing_labels_are_told(
    capsys: pytest.CaptureFixture[str], make_labelled: Callable[..., Any], tmp_path: Path
) -> None:
    dipoles = np.random.default_rng(1).normal(size=(48, 3, 3))
    dipoles[7, 1, 2] = np.nan
    dataset = make_labelled(states=3, arrays={"transition_dipoles": dipoles})
    write_dataset(dataset, tmp_path / "labels.h5")
    assert run(["analyze", "spectrum", str(tmp_path / "labels.h5")]) == 0
    captured = capsys.readouterr()
    assert "left out: 1" in captured.err
    assert "all frames are taken" in captured.err
    assert "S0 → S2" in captured.out
    result = found(capsys, str(tmp_path / "labels.h5"), "--from", "1")
    assert result["initial"] == "S1"
    assert [band["state"] for band in result["bands"]] == ["S2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--group", "wigner-dhp-*"], "no frame fits"),
        (["--from", "1"], "no state lies above"),
        (["--range", "5", "4"], "no range of photon energies"),
        (["--width", "0"], "has no shape"),
    ],
)
def test_what_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["analyze", "spectrum", STILBENE, *arguments]) == 3
    assert message in capsys.readouterr().err


def test_labels_without_dipoles_make_no_spectrum(
    capsys: pytest.CaptureFixture[str], make_labelled: Callable[..., Any], tmp_path: Path
) -> None:
    write_dataset(make_labelled(), tmp_path / "labels.h5")
    assert run(["analyze", "spectrum", str(tmp_path / "labels.h5")]) == 3
    assert "holds no transition dipoles" in capsys.readouterr().err


def test_no_torch_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys; from namd.cli.main import run; code = run(sys.argv[1:]); "
        "sys.exit('imported torch' if {'torch', 'e3nn', 'numba'} & set(sys.modules) else code)"
    )
    arguments = ["analyze", "spectrum", STILBENE, "--figure", str(tmp_path / "s.pdf")]
    done = subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
