"""Which methods a SHARC input asks for, with SHARC's own defaults."""

from pathlib import Path

import pytest

from namd.errors import DataError
from namd.io.sharc_input import SharcMethods, input_beside, read_sharc_input

GIVEN = """! a trajectory
nstates 3 0 0
coupling nacdr
EKINCORRECT parallel_nac   # along the coupling
decoherence_scheme edc
decoherence_param 0.2d0
damping 1.0
"""


def read(folder: Path, text: str) -> SharcMethods:
    (folder / "input").write_text(text)
    return read_sharc_input(folder / "input")


def test_keywords_and_comments(tmp_path: Path) -> None:
    assert read(tmp_path, GIVEN) == SharcMethods(decoherence_constant=0.2)


def test_what_is_not_given_has_the_defaults_of_sharc(tmp_path: Path) -> None:
    methods = read(tmp_path, "nstates 2\n")
    assert (methods.coupling, methods.rescaling) == ("overlap", "parallel_vel")
    assert (methods.decoherence, methods.frustrated, methods.hopping) == ("none", "none", "sharc")


def test_keywords_that_disturb_are_kept(tmp_path: Path) -> None:
    methods = read(tmp_path, GIVEN.replace("damping 1.0", "damping 0.99\nlaser external"))
    assert methods.other == ("damping", "laser")


def test_the_old_switch_of_decoherence(tmp_path: Path) -> None:
    assert read(tmp_path, "nstates 2\ndecoherence\n").decoherence == "edc"
    assert read(tmp_path, GIVEN + "nodecoherence\n").decoherence == "none"


@pytest.mark.parametrize(
    ("text", "message"),
    [("natom 3\n", "keyword nstates is missing"), (GIVEN.replace("0.2d0", "x"), "found 'x'")],
)
def test_faults(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_sharc_input(tmp_path / "input")
    (tmp_path / "input").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not a SHARC input"):
        read_sharc_input(tmp_path / "input")


def test_the_input_beside_an_output(tmp_path: Path) -> None:
    output = tmp_path / "TRAJ_00001.output.dat"
    assert input_beside(output) is None
    (tmp_path / "input").touch()
    assert input_beside(output) == tmp_path / "input"
    (tmp_path / "TRAJ_00001.input").touch()
    assert input_beside(output) == tmp_path / "TRAJ_00001.input"
