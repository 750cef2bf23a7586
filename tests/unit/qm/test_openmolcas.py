"""OpenMolcas: its input, output and orbitals, and every way in which a call of it can fail.

The output is that of a real run, trimmed; in the process tests a stand-in program prints it.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from namd.config.engine import OpenmolcasConfig, PyscfConfig
from namd.config.labelling import LabellingConfig
from namd.config.loading import validate
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.openmolcas import driver
from namd.qm.openmolcas.engine import OpenmolcasEngine, level_of_theory, make_openmolcas
from namd.qm.openmolcas.input_file import input_text
from namd.qm.openmolcas.orbital_file import Orbitals, active_overlap, read_orbitals
from namd.qm.openmolcas.output import complaint, python_error, read_label, release_of
from namd.qm.protocol import Engine, EngineInfo, LostGuessError, check_arrays
from namd.qm.pyscf_casscf import make_pyscf
from namd.states import StateSpace

SAMPLE = Path("tests/data/openmolcas-ethylene")
LOG = (SAMPLE / "stdout.log").read_text()
ORBITALS = (SAMPLE / "label.RasOrb").read_text()
ETHYLENE = Molecule.from_numbers(np.array([6, 6, 1, 1, 1, 1]))
PLACES = np.array(
    [
        [0.02, -0.05, 1.270],
        [-0.03, 0.04, -1.270],
        [1.75, 0.10, 2.33],
        [-1.74, 0.15, 2.36],
        [1.60, -0.75, -2.30],
        [-1.65, 0.80, -2.35],
    ]
)
INFO = EngineInfo(
    name="openmolcas",
    level_of_theory="SA3-CASSCF(2,2)/6-31G",
    states=StateSpace.singlets(3),
    provides=("interstate_coupling", "transition_dipoles"),
)
BOX = """
--- Start Module: gateway at Sat Nov 21 23:00:33 2026 ---
[ process      0]: xquit (rc =    112): _INPUT_ERROR_
 ###############################################################################
 ###                                                                         ###
 ###    ERROR: Basis set file /usr/share/openmolcas/basis_library/6-31GX     ###
 ###    does not exist!                                                      ###
 ###                                                                         ###
 ###    (1) For a valence basis set: check the spelling of                   ###
 ###############################################################################
--- Stop Module: gateway at Sat Nov 21 23:00:34 2026 /rc=_RC_INPUT_ERROR_ ---
"""

STAND_IN = """#!{python}
import json, os, pathlib, sys, time
here = pathlib.Path.cwd()
text = (here / sys.argv[1]).read_text()
probing = "&RASSCF" not in text
do = {plan}.get("probe" if probing else "run", "converge")
with open({calls!r}, "a") as stream:
    start = (here / "INPORB").read_text()[:7] if "LumOrb" in text else "cold"
    places = os.environ["WorkDir"] == os.environ["MOLCAS_OUTPUT"] == str(here)
    stream.write(f"{{'probe' if probing else start}} {{os.environ['MOLCAS_MEM']}} {{places}}\\n")
log = pathlib.Path({log!r}).read_text()
head = log[: log.index("--- Start")]
if do == "hang": time.sleep(60)
if do == "crash": os.kill(os.getpid(), 11)
if do == "other program": print("hello"); sys.exit(0)
if do == "old": print(head.replace("v22.10", "v20.10")); sys.exit(0)
if do == "no pyparsing": import pyparsing_that_is_nowhere
if do == "no basis": print(head + {box!r}); sys.exit(112)
if do == "no convergence":
    print(head + "--- Start Module: rasscf at noon ---")
    print("--- Stop Module: rasscf at noon /rc=_RC_NOT_CONVERGED_ ---"); sys.exit(96)
if do == "killed module":
    print(head + "--- Start Module: mclr at noon ---"); sys.exit(1)
if probing: print(head); sys.exit(0)
if do != "no orbitals": (here / "label.RasOrb").write_text(pathlib.Path({orbitals!r}).read_text())
print(log[: len(log) // 2] if do == "cut" else log)
"""


class StandIn:
    """A program that behaves as told, and the engine around it."""

    def __init__(self, folder: Path, **plan: str) -> None:
        self.calls = folder / "calls"
        self.scratch = folder / "scratch"
        self.program = folder / "pymolcas"
        self.program.write_text(
            STAND_IN.format(
                python=sys.executable,
                plan=json.dumps(plan),
                calls=str(self.calls),
                log=str((SAMPLE / "stdout.log").resolve()),
                orbitals=str((SAMPLE / "label.RasOrb").resolve()),
                box=BOX,
            )
        )
        self.program.chmod(0o755)

    def engine(self, **changes: Any) -> OpenmolcasEngine:
        section = {"program": str(self.program), "basis": "6-31G", "states": 3, **changes}
        return make_openmolcas(
            OpenmolcasConfig.model_validate(section),
            molecule=ETHYLENE,
            base=Path(),
            scratch=self.scratch,
        )


def test_real_output_is_read_with_units_and_signs() -> None:
    label = read_label(LOG, INFO, atoms=6)
    check_arrays(label.arrays(), INFO, atoms=6)
    assert label.energies.tolist() == [-78.00000572, -77.68304388, -77.52422920]
    assert label.forces[0, 0] == pytest.approx([-0.0246567, 0.0225654, 0.0282771], abs=1e-7)
    assert label.transition_dipoles is not None
    rows = re.findall(r"^     1 +\S+ +(\S+) +(\S+) *$", LOG, re.MULTILINE)  # x, y, z of 01 and 02
    assert label.transition_dipoles[:2].T.tolist() == [[float(a), float(b)] for a, b in rows]
    assert np.abs(label.forces.sum(axis=1)).max() < 1e-7
    assert set(label.notes) == {"determinant term"}


def test_the_coupling_is_the_part_without_the_determinant_term() -> None:
    """What is kept sums to zero over atoms for every pair; what is left out does not."""
    label = read_label(LOG, INFO, atoms=6)
    assert label.interstate_coupling is not None
    assert np.linalg.norm(label.interstate_coupling, axis=(1, 2)).min() > 1e-3
    assert np.abs(label.interstate_coupling.sum(axis=1)).max() < 1e-10
    swapped = LOG.replace("CI derivative", "?").replace("CSF derivative", "CI derivative")
    other = read_label(swapped.replace("?", "CSF derivative"), INFO, atoms=6)
    assert other.interstate_coupling is not None
    assert np.abs(other.interstate_coupling[0].sum(axis=0)).max() > 0.1


def test_it_is_the_label_that_pyscf_gives() -> None:
    """Energies, forces, couplings and dipoles of all states, up to one sign per state."""
    pytest.importorskip("pyscf")
    config = PyscfConfig(basis="6-31g", states=3, gradient_tolerance=1e-6)
    reference = make_pyscf(config, molecule=ETHYLENE, base=Path(), scratch=None)
    assert reference.describe().level_of_theory == "SA3-CASSCF(2,2)/6-31g"
    theirs, ours = reference.label(PLACES).label, read_label(LOG, INFO, atoms=6)
    assert np.abs(ours.energies - theirs.energies).max() < 1e-7
    assert np.abs(ours.forces - theirs.forces).max() < 1e-6
    for label in (ours, theirs):
        assert label.interstate_coupling is not None
        assert label.transition_dipoles is not None
    overlap = np.sum(ours.transition_dipoles * theirs.transition_dipoles, axis=1)  # type: ignore[operator]
    signs = np.sign(overlap)[:, None]
    assert np.prod(signs) == 1  # signs of states, not of pairs
    assert np.abs(ours.transition_dipoles - signs * theirs.transition_dipoles).max() < 1e-5  # type: ignore[operator]
    difference = ours.interstate_coupling - signs[..., None] * theirs.interstate_coupling
    assert np.abs(difference).max() < 1e-5


@pytest.mark.parametrize(
    ("lost", "what"),
    [
        ("RASSCF root number  3", "energies of 2 roots, expected 3"),
        ("for state no.   2", "no response equations of root 2"),
        ("for states no.   1/  3", "no response equations of root 1 and 3"),
        ("Molecular gradients", "printed no 'Molecular gradients'"),
        ("CI derivative coupling", "printed no 'CI derivative coupling'"),
        ("CSF derivative coupling", "printed no 'CSF derivative coupling'"),
        ("COMPONENT:*   2", "no whole dipole matrix"),
    ],
)
def test_a_missing_section_is_named(lost: str, what: str) -> None:
    with pytest.raises(EngineError, match=re.escape(what)):
        read_label(LOG.replace(lost, "---"), INFO, atoms=6)


def test_output_that_ends_early_or_is_of_another_molecule_is_refused() -> None:
    cut = LOG[: LOG.rindex("CI derivative coupling") + 300]
    with pytest.raises(EngineError, match="ends within 'CI derivative coupling'"):
        read_label(cut, INFO, atoms=6)
    with pytest.raises(EngineError, match="cannot be read"):
        read_label(LOG, INFO, atoms=7)


def test_complaints_and_releases_are_recognised() -> None:
    assert release_of(LOG) == "22.10"
    assert release_of("some program, version 3.1") is None
    assert complaint(LOG) is None
    missing = "GATEWAY failed: Basis set file .*6-31GX does not exist!$"
    assert re.match(missing, complaint(BOX) or "")
    unboxed = "--- Start Module: mclr at noon ---\n--- Stop Module: mclr at noon /rc={} ---\n"
    assert complaint(unboxed.format("-6")) == "MCLR failed: return code -6"
    assert complaint(unboxed.format("_RC_MEMORY_ERROR_")) == "MCLR failed: return code memory error"
    assert complaint(unboxed.format("_RC_NOT_CONVERGED_")) == "MCLR did not converge"
    assert complaint(LOG.rpartition("--- Stop")[0]) == "ALASKA ended before its time"
    assert python_error(LOG) is None
    trace = "Traceback (most recent call last)\n  File\nModuleNotFoundError: No module named 'x'"
    assert python_error(trace) == "ModuleNotFoundError: No module named 'x'"


def test_the_input_says_what_is_computed() -> None:
    config = OpenmolcasConfig(basis="cc-pVDZ", states=3, active_space=[6, 9], cholesky=True)
    cation = Molecule.from_numbers(np.array([6, 6, 1, 1, 1, 1]), charge=-2)
    text = input_text(cation, PLACES, config, warm=False)
    assert "Coord\n6\nbohr\nC 0.020000000000 -0.050000000000 1.270000000000\n" in text
    for part in (
        "Basis = cc-pVDZ\nGroup = NoSym\nRICD\n",
        "&SCF\nCharge = -2\n",
        "NActEl = 2 0 0\nInactive = 8\nRas2 = 2\nCIRoot = 3 3 1\nThRs = 1e-10 1e-06 1e-06\n",
        "Alter = 1\n1 10 6\n",
        "&MCLR\nSALA = 3\nThreshold = 1e-08\n\n&ALASKA\nROOT = 3\n",
        "&MCLR\nNAC = 2 3\nThreshold = 1e-08\n\n&ALASKA\nNAC = 2 3\n",
    ):
        assert part in text
    warm = input_text(cation, PLACES, config, warm=True)
    assert "LumOrb" in warm
    assert "&SCF" not in warm
    assert "Alter" not in warm
    plain = OpenmolcasConfig(basis="STO-3G", couplings=False)
    assert "NAC" not in input_text(cation, PLACES, plain, warm=True)
    assert "NoCD" in input_text(cation, PLACES, plain, warm=True)
    assert level_of_theory(config) == "SA3-CASSCF(2,2)/cc-pVDZ, acCD integrals"
    assert level_of_theory(plain) == "SA2-CASSCF(2,2)/STO-3G"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"active_electrons": 3}, "must be even"),
        ({"active_space": [2, 2]}, "active_orbitals different orbitals"),
        ({"states": 1}, "greater than or equal to 2"),
        ({"ras1_orbitals": 1}, "unknown key"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], what: str) -> None:
    engine = {"name": "openmolcas", "basis": "STO-3G", **change}
    with pytest.raises(ConfigError, match=what):
        validate({"engine": engine}, LabellingConfig, where="x.yaml")


def test_real_orbitals_are_read() -> None:
    found = read_orbitals(ORBITALS)
    assert found.coefficients.shape == (26, 26)
    assert found.active == [7, 8]
    words = ORBITALS[ORBITALS.index("* ORBITAL    1    2") :].split()
    assert found.coefficients[0, 1] == float(words[4])
    with pytest.raises(EngineError, match="orbital file cannot be read"):
        read_orbitals(ORBITALS.replace("#INDEX", "#OTHER"))
    with pytest.raises(EngineError, match="expected 4 and 2"):
        active_overlap(found, Orbitals(coefficients=np.eye(4), active=[0, 1]))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31 - 1))
def test_the_overlap_of_active_spaces_depends_on_the_spaces_alone(seed: int) -> None:
    """Rotations within the active orbitals change nothing; a mixture with others is its cosine."""
    rng = np.random.default_rng(seed)
    found = read_orbitals(ORBITALS)
    turned = found.coefficients.copy()
    turned[:, 7:9] = turned[:, 7:9] @ ortho_group.rvs(2, random_state=rng)
    assert active_overlap(found, Orbitals(coefficients=turned, active=[7, 8])) > 1 - 1e-9
    angle = rng.uniform(0, np.pi / 2)
    one, other = turned[:, 8].copy(), turned[:, 20].copy()
    turned[:, 8] = np.cos(angle) * one + np.sin(angle) * other
    turned[:, 20] = np.cos(angle) * other - np.sin(angle) * one
    mixed = Orbitals(coefficients=turned, active=[7, 8])
    assert active_overlap(found, mixed) == pytest.approx(np.cos(angle), abs=1e-6)


def test_orbitals_go_from_one_geometry_to_the_next(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    engine = stand_in.engine(memory_mb=500, python=sys.executable)
    assert isinstance(engine, Engine)
    info = engine.describe()
    assert info.level_of_theory == INFO.level_of_theory
    assert info.versions == {"OpenMolcas": "22.10"}
    cold = engine.label(PLACES)
    check_arrays(cold.label.arrays(), info, atoms=6)
    warm = engine.label(PLACES, guess=cold.guess)
    assert stand_in.calls.read_text().splitlines() == [
        "probe 500 True",
        "cold 500 True",
        "#INPORB 500 True",
    ]
    assert "active overlap" not in cold.label.notes
    assert warm.label.notes["active overlap"] == "1.0000"
    assert list(stand_in.scratch.iterdir()) == []


def test_the_driver_of_the_system_is_run_by_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn(tmp_path)
    own = tmp_path / "venv-python"
    own.symlink_to(sys.executable)
    assert stand_in.engine().driver.command == (str(stand_in.program),)
    named = stand_in.engine(python=str(own)).driver.command
    assert named == (str(own), str(stand_in.program))  # the link, not what it points to
    monkeypatch.setattr(driver, "_SYSTEM_DRIVERS", tmp_path.resolve())
    monkeypatch.setattr(driver, "_SYSTEM_PYTHON", sys.executable)
    assert stand_in.engine().driver.command == (sys.executable, "-I", str(stand_in.program))
    assert stand_in.engine(python=str(own)).driver.command == named


def test_a_lost_active_space_is_no_label(tmp_path: Path) -> None:
    guess = {"orbitals": ORBITALS.replace("iiiiiii22s", "iiiiii2i2s")}
    with pytest.raises(LostGuessError, match=r"active space is lost.* 0\.00 is left"):
        StandIn(tmp_path).engine().label(PLACES, guess=guess)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("no convergence", "OpenMolcas: RASSCF did not converge"),
        ("killed module", "OpenMolcas: MCLR ended before its time"),
        ("crash", "killed by SIGSEGV"),
        ("cut", "ALASKA ended before its time"),
        ("no orbitals", "left no orbital file"),
        ("hang", "OpenMolcas did not end within 0.5 s"),
    ],
)
def test_failures_have_reasons_and_leave_nothing(tmp_path: Path, what: str, reason: str) -> None:
    stand_in = StandIn(tmp_path, run=what)
    engine = stand_in.engine(timeout_s=0.5 if what == "hang" else 60)
    with pytest.raises(EngineError, match=reason):
        engine.label(PLACES)
    assert list(stand_in.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "message", "hint"),
    [
        ("old", "OpenMolcas 20.10 is too old, expected 22.10", "newer"),
        ("other program", "this is not OpenMolcas: hello", "pymolcas"),
        ("crash", "this is not OpenMolcas: it was killed by SIGSEGV", "pymolcas"),
        ("no pyparsing", "fails as a Python script: ModuleNotFoundError", "engine.python"),
        ("no basis", "does not take elements and basis: GATEWAY failed: Basis set", "cc-pVDZ"),
    ],
)
def test_what_cannot_serve_is_refused_at_once(
    tmp_path: Path, what: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        StandIn(tmp_path, probe=what).engine()
    assert hint in str(caught.value.hint)


def test_what_is_missing_or_impossible_is_named(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    with pytest.raises(ConfigError, match=r"engine\.program = molcas-that-is-nowhere: there is no"):
        stand_in.engine(program="molcas-that-is-nowhere")
    with pytest.raises(ConfigError, match=r"engine\.python = python-that-is-nowhere: there is no"):
        stand_in.engine(python="python-that-is-nowhere")
    config = OpenmolcasConfig(basis="STO-3G", active_electrons=4, active_orbitals=4)
    for numbers, what in (([1, 1], "only 2 electrons"), ([3], "3 electrons, expected an even")):
        molecule = Molecule.from_numbers(np.array(numbers))
        with pytest.raises(ConfigError, match=what):
            make_openmolcas(config, molecule=molecule, base=tmp_path, scratch=None)


@pytest.mark.skipif("NAMD_OPENMOLCAS" not in os.environ, reason="NAMD_OPENMOLCAS is not set")
@pytest.mark.parametrize("cholesky", [False, True])
def test_the_real_program_reproduces_the_sample_and_its_own_differences(*, cholesky: bool) -> None:
    config = OpenmolcasConfig(
        program=os.environ["NAMD_OPENMOLCAS"], basis="6-31G", states=3, cholesky=cholesky
    )
    engine = make_openmolcas(config, molecule=ETHYLENE, base=Path(), scratch=None)
    centre = engine.label(PLACES)
    if not cholesky:
        stored = read_label(LOG, INFO, atoms=6)
        assert np.abs(centre.label.energies - stored.energies).max() < 1e-7
        assert np.abs(centre.label.forces - stored.forces).max() < 1e-6
    assert centre.label.interstate_coupling is not None
    assert np.abs(centre.label.interstate_coupling.sum(axis=1)).max() < 1e-9
    direction = np.random.default_rng(0).standard_normal((6, 3))
    direction /= np.linalg.norm(direction)
    step = 0.01
    sides = [engine.label(PLACES + s * step * direction, guess=centre.guess).label for s in (-1, 1)]
    slopes = (sides[1].energies - sides[0].energies) / (2 * step)
    along = -np.sum(centre.label.forces * direction, axis=(1, 2))
    assert np.abs(along - slopes).max() < 2e-5
    assert float(sides[0].notes["active overlap"]) > 0.99
