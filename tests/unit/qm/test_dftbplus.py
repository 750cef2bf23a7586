"""DFTB+: its input and output, the choice among solutions, and every way in which it can fail.

The output is that of a real run; in the process tests a stand-in program prints it, with energies
that depend on level shift and restart as they do at small gaps.
"""

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.config.engine import DftbplusConfig
from namd.data.reading import read_dataset
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.dftbplus.engine import DftbplusEngine, make_dftbplus
from namd.qm.dftbplus.hsd import geometry_text, input_text
from namd.qm.dftbplus.output import (
    NotConvergedError,
    check_convergence,
    error_message,
    read_solution,
    release_of,
)
from namd.qm.protocol import Engine, check_arrays

SAMPLE = Path("tests/data/dftbplus-ssr22")
LOG = (SAMPLE / "stdout.log").read_text()
DIPOLE = (SAMPLE / "tdp.dat").read_text()
STILBENE = Molecule.from_numbers(np.array([6] * 14 + [1] * 12))

STAND_IN = """#!{python}
import json, os, pathlib, re, sys, time
here = pathlib.Path.cwd()
log = pathlib.Path({log!r}).read_text()
if not (here / "dftb_in.hsd").exists():
    print({banner!r}); print("ERROR!\\n-> No input file 'dftb_in.hsd' not found."); sys.exit(1)
text = (here / "dftb_in.hsd").read_text()
restart = "ReadEigenvectors = Yes" in text
shift = re.search(r"shift = (\\S+)", text).group(1) + ("r" if restart else "")
do = json.loads({plan!r}).get(shift, "converge")
with open({calls!r}, "a") as stream:
    stream.write(shift + " " + (here / "eigenvec.bin").read_text() if restart else shift)
    stream.write("\\n")
if do == "hang": time.sleep(60)
if do == "crash": os.kill(os.getpid(), 11)
if do == "error": print("ERROR!\\n-> Something is amiss"); sys.exit(1)
if do == "no convergence":
    print("ERROR!\\n-> SCC is NOT converged, maximal SCC iterations exceeded"); sys.exit(1)
if do == "cut": log = log[: len(log) // 2]
if isinstance(do, list):
    log = log.replace("-34.60911409", "%.8f" % do[0]).replace("-34.42690333", "%.8f" % do[1])
(here / "eigenvec.bin").write_text("orbitals of " + shift)
(here / "tdp.dat").write_text(pathlib.Path({dipole!r}).read_text())
print(log)
"""


class StandIn:
    """A program that behaves as told, and the engine around it."""

    def __init__(self, folder: Path, *, banner: str = "|  DFTB+ release 24.1", **plan: Any) -> None:
        self.calls = folder / "calls"
        self.scratch = folder / "scratch"
        self.program = folder / "dftb+"
        self.program.write_text(
            STAND_IN.format(
                python=sys.executable,
                log=str((SAMPLE / "stdout.log").resolve()),
                dipole=str((SAMPLE / "tdp.dat").resolve()),
                banner=banner,
                plan=json.dumps({key.replace("_", "."): value for key, value in plan.items()}),
                calls=str(self.calls),
            )
        )
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.parameters = folder / "ob2"
        self.parameters.mkdir()
        for pair in ("C-C", "C-H", "H-C", "H-H"):
            (self.parameters / f"{pair}.skf").touch()

    def engine(self, **settings: Any) -> DftbplusEngine:
        section = {"program": str(self.program), "parameters": str(self.parameters), **settings}
        return make_dftbplus(
            DftbplusConfig.model_validate(section),
            molecule=STILBENE,
            base=Path(),
            scratch=self.scratch,
        )

    def starts(self) -> list[str]:
        return self.calls.read_text().splitlines()


def positions() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((26, 3))


def test_real_output_is_read_with_units_and_signs() -> None:
    found = read_solution(LOG, DIPOLE, atoms=26)
    label = found.label
    assert label.energies.tolist() == [-34.60911409, -34.42690333]
    assert found.averaged_energy == pytest.approx(-34.51800871)
    assert found.gap == pytest.approx(0.18221076)
    assert label.diabatic_hamiltonian is not None
    assert np.linalg.eigvalsh(label.diabatic_hamiltonian) == pytest.approx(label.energies, abs=1e-8)
    assert label.forces.shape == (2, 26, 3)
    assert label.forces[0, 0].tolist() == [0.01269890, 0.00924577, -0.00486897]
    assert label.forces[1, -1].tolist() == [0.00026088, 0.00334074, -0.00536051]
    assert label.interstate_coupling is not None
    expected = 0.18221076 * np.array([0.00197710, 0.00473644, -0.00585655])
    assert label.interstate_coupling[0, 0] == pytest.approx(expected, abs=1e-12)
    assert label.transition_dipoles is not None
    assert label.transition_dipoles.tolist() == [[2.201847, 0.120870, -0.113896]]


def test_forces_and_coupling_of_the_sample_are_those_of_one_matrix() -> None:
    """g = (∇E1 − ∇E0)/2 up to its sign, and no force moves the molecule as a whole."""
    label = read_solution(LOG, DIPOLE, atoms=26).label
    lines = LOG.splitlines()
    start = next(k for k, line in enumerate(lines) if "G vector - GDV" in line) + 1
    g = np.array([[float(word) for word in line.split()] for line in lines[start : start + 26]])
    assert np.abs((label.forces[1] - label.forces[0]) / 2 - g).max() < 2e-8
    assert np.abs(label.forces.sum(axis=1)).max() < 1e-6
    assert label.interstate_coupling is not None
    assert np.abs(label.interstate_coupling.sum(axis=1)).max() < 1e-6


@pytest.mark.parametrize(
    "lost", ["Hamiltonian matrix", "2SI-2SA-REKS(2,2) states", "2nd state (SSR)", "H vector - DCV"]
)
def test_a_missing_section_is_named(lost: str) -> None:
    with pytest.raises(EngineError, match=re.escape(f"printed no '{lost}'")):
        read_solution(LOG.replace(lost, "---"), DIPOLE, atoms=26)


def test_output_that_ends_early_or_lacks_the_dipole_is_refused() -> None:
    cut = LOG[: LOG.index("H vector - DCV") + 200]
    with pytest.raises(EngineError, match="ends within 'H vector"):
        read_solution(cut, DIPOLE, atoms=26)
    with pytest.raises(EngineError, match="no transition dipole"):
        read_solution(LOG, "", atoms=26)
    with pytest.raises(EngineError, match="cannot be read"):
        read_solution(LOG, DIPOLE, atoms=27)


def test_complaints_and_releases_are_recognised() -> None:
    assert release_of(LOG) == "25.1"
    assert release_of("|  DFTB+ development version (commit: )") == "development version"
    assert release_of("Hello") is None
    assert error_message("x\nERROR!\n-> SK file is missing\nPath: y") == "SK file is missing"
    assert error_message(LOG) is None
    check_convergence(LOG)
    with pytest.raises(NotConvergedError, match="is exceeded in CG solver"):
        check_convergence("WARNING! Maximum number of iterations (200) is exceeded in CG solver")


def test_the_input_says_what_the_sample_was_made_with(tmp_path: Path) -> None:
    config = DftbplusConfig(parameters="p")
    text = input_text(
        ("C", "H"), config, parameters=tmp_path, charge=0, level_shift=0.3, restart=False
    )
    squeezed = "".join(text.split()).replace('"', "'")
    for part in (
        "SCCTolerance=1e-07",
        "ShellResolvedSpin=YesC={-0.04559-0.0293-0.0293-0.02755}H={-0.07925}",
        "RangeSeparated=LC{Screening=MatrixBased{}}Charge=0",
        "MaxAngularMomentum={C='p'H='s'}",
        f"Prefix='{tmp_path}/'Separator='-'Suffix='.skf'",
        "REKS=SSR22{Energy={Functional={'PPS''OSS'}StateInteractions=Yes",
        "ReadEigenvectors=NoFONmaxIter=50shift=0.3",
        "CGmaxIter=200Tolerance=1e-08",
        "NonAdiabaticCoupling=YesTransitionDipole=Yes",
    ):
        assert part in squeezed
    assert text.count("{") == text.count("}")
    plain = DftbplusConfig(parameters="p", range_separated=False, spin_constants={"O": [-0.03] * 4})
    other = input_text(("O",), plain, parameters=tmp_path, charge=-1, level_shift=1.0, restart=True)
    assert "RangeSeparated" not in other
    assert "Charge = -1" in other
    assert 'O = "p"' in other
    assert "ReadEigenvectors = Yes" in other


def test_the_geometry_is_in_angstrom() -> None:
    text = geometry_text(("H", "C"), np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    assert text.splitlines()[:2] == ["2 C", "C H"]
    assert text.splitlines()[2] == "1 2 0.000000000000 0.000000000000 0.529177210544"
    assert text.splitlines()[3].split()[:2] == ["2", "1"]


def test_at_a_large_gap_one_run_is_enough(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    engine = stand_in.engine()
    assert isinstance(engine, Engine)
    info = engine.describe()
    assert info.level_of_theory == "SSR(2,2)-LC-DFTB2, ob2, DFTB+ 24.1"
    answer = engine.label(positions())
    check_arrays(answer.label.arrays(), info, atoms=26)
    assert answer.guess is None
    assert stand_in.starts() == ["0.3"]
    assert list(stand_in.scratch.iterdir()) == []


def test_of_several_solutions_the_lowest_state_averaged_one_is_taken(tmp_path: Path) -> None:
    stand_in = StandIn(
        tmp_path, **{"0_3": [-34.50, -34.46], "1_0": [-34.52, -34.47], "1_5r": [-34.51, -34.46]}
    )
    label = stand_in.engine().label(positions()).label
    assert label.energies.tolist() == [-34.52, -34.47]
    assert label.notes["start"] == "shift 1"
    assert "shift 0.3 +0.4082 eV" in label.notes["solutions"]
    # The restart begins from the orbitals of the first run, not from those of the second.
    assert stand_in.starts() == ["0.3", "1.0", "1.5r orbitals of 0.3"]


def test_of_one_solution_found_twice_the_first_start_counts(tmp_path: Path) -> None:
    """What differs is the noise of the SCF, 5e-7 hartree in states and 5e-9 in their mean."""
    stand_in = StandIn(tmp_path, **{"0_3": [-34.50, -34.45], "1_0": [-34.50000051, -34.44999950]})
    label = stand_in.engine().label(positions()).label
    assert label.energies.tolist() == [-34.50, -34.45]
    assert label.notes["start"] == "shift 0.3"


def test_between_the_gaps_there_is_no_restart(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path, **{"0_3": [-34.50, -34.45]})
    stand_in.engine().label(positions())
    assert stand_in.starts() == ["0.3", "1.0"]


def test_a_start_that_does_not_converge_is_left_out(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path, **{"0_3": "no convergence"})
    label = stand_in.engine().label(positions()).label
    assert stand_in.starts() == ["0.3", "1.0"]
    assert label.notes["failed starts"] == "shift 0.3"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("no convergence", "shift 0.3: DFTB.* SCC is NOT converged; shift 1: DFTB"),
        ("crash", "killed by SIGSEGV"),
        ("error", "DFTB.* failed: Something is amiss"),
        ("cut", "printed no|ends within"),
        ("hang", "did not end within 0.5 s"),
    ],
)
def test_failures_have_reasons_and_leave_nothing(tmp_path: Path, what: str, reason: str) -> None:
    stand_in = StandIn(tmp_path, **{"0_3": what, "1_0": what})
    engine = stand_in.engine(timeout_s=0.5 if what == "hang" else 60)
    with pytest.raises(EngineError, match=reason):
        engine.label(positions())
    assert list(stand_in.scratch.iterdir()) == []


def test_what_depends_on_chance_fails_the_label_though_another_start_would_do(
    tmp_path: Path,
) -> None:
    stand_in = StandIn(tmp_path, **{"0_3": [-34.50, -34.46], "1_0": "crash"})
    with pytest.raises(EngineError, match="SIGSEGV"):
        stand_in.engine().label(positions())


@pytest.mark.parametrize(
    ("banner", "message"),
    [
        ("|  DFTB+ release 22.2", "DFTB.* 22.2 is too old, expected 24.1"),
        ("hello", "this is not DFTB.*: hello"),
    ],
)
def test_another_program_or_release_is_refused(tmp_path: Path, banner: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StandIn(tmp_path, banner=banner).engine()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    with pytest.raises(ConfigError, match="no such program") as caught:
        stand_in.engine(program="dftb-that-is-nowhere")
    assert "engine.program = dftb-that-is-nowhere" in str(caught.value)
    (stand_in.parameters / "H-C.skf").unlink()
    with pytest.raises(ConfigError, match=r"H-C\.skf not found"):
        stand_in.engine()
    with pytest.raises(ConfigError, match="spin constants of N, O are not known"):
        make_dftbplus(
            DftbplusConfig(program=str(stand_in.program), parameters="."),
            molecule=Molecule.from_numbers(np.array([7, 8, 1])),
            base=tmp_path,
            scratch=None,
        )


@pytest.mark.skipif(
    "NAMD_DFTBPLUS" not in os.environ or "NAMD_OB2" not in os.environ,
    reason="NAMD_DFTBPLUS (the program) and NAMD_OB2 (folder of ob2-1-1/base) are not set",
)
def test_the_real_program_reproduces_stored_labels() -> None:
    """Energies to 1e-7; the stored derivatives come from looser coupled-perturbed equations."""
    stored = read_dataset(Path("tests/data/stilbene-ssr22-mini.h5"))
    config = DftbplusConfig(program=os.environ["NAMD_DFTBPLUS"], parameters=os.environ["NAMD_OB2"])
    engine = make_dftbplus(config, molecule=stored.molecule, base=Path(), scratch=None)
    for frame in range(len(stored)):
        label = engine.label(stored["positions"][frame]).label
        assert np.abs(label.energies - stored["energies"][frame]).max() < 1e-7
        assert np.abs(label.forces - stored["forces"][frame]).max() < 1e-4
        assert label.interstate_coupling is not None
        assert label.transition_dipoles is not None
        coupling = stored.interstate_coupling[frame]
        sign = np.sign(np.sum(label.interstate_coupling * coupling))
        assert np.abs(sign * label.interstate_coupling - coupling).max() < 1e-4
        dipoles = stored["transition_dipoles"][frame]
        assert np.abs(sign * label.transition_dipoles - dipoles).max() < 1e-4
