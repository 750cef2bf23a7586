"""The SHARC text format of linear vibronic models: what is read, passed over and refused."""

import numpy as np
import pytest

from namd.errors import ConfigError, DataError
from namd.io.vibronic_template import read_vibronic_template
from namd.units import ELECTRON_MASS_PER_AMU

TEMPLATE = """V0.txt  # beside this file
2 0 1
epsilon
3
  1   1  0.0
  1   2  0.25
  3   1  0.1
kappa
3
  1   1   5  -1.5e-03
  1   2   6   2.5e-03
  3   1   6   7.0e-03
lambda
1
  1   1   2   4  3.0e-03
gamma
0
SOC R
  0.0  1.0e-04
  1.0e-04  0.0
DMX I
  0.0  1.0
"""


def harmonic(modes):
    rows = "\n".join(" ".join(f"{x:.15f}" for x in row) for row in modes)
    return f"""Geometry
 C   6.0  -1.0  0.0  0.5  12.0
 H   1.0   1.0  0.25  0.0  1.00782500
Frequencies
 0.0 0.0 0.0 0.004 0.005 0.006
Mass-weighted normal modes
{rows}
"""


@pytest.fixture(name="written")
def make_written(tmp_path):
    """Write both files, with a change of text, and read them."""
    modes = np.linalg.qr(np.random.default_rng(3).standard_normal((6, 6)))[0]

    def write(old="", new="", *, file="LVC.template", **options):
        texts = {"LVC.template": TEMPLATE, "V0.txt": harmonic(modes)}
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new, 1)
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        return read_vibronic_template(tmp_path / "LVC.template", **options)

    return write


def test_numbers_of_the_singlets(written):
    model = written(multiplicity=1)
    assert model.atomic_numbers.tolist() == [6, 1]
    np.testing.assert_allclose(model.masses, np.array([12.0, 1.007825]) * ELECTRON_MASS_PER_AMU)
    assert model.positions.tolist() == [[-1.0, 0.0, 0.5], [1.0, 0.25, 0.0]]
    assert model.frequencies.tolist() == [0, 0, 0, 0.004, 0.005, 0.006]
    np.testing.assert_array_equal(model.energies, np.diag([0.0, 0.25]))
    expected = np.zeros((2, 2, 6))
    expected[0, 0, 4], expected[1, 1, 5] = -1.5e-3, 2.5e-3
    expected[0, 1, 3] = expected[1, 0, 3] = 3.0e-3
    np.testing.assert_array_equal(model.slopes, expected)
    assert model.modes.shape == (6, 6)


def test_numbers_of_the_triplet(written):
    model = written(multiplicity=3)
    assert (model.multiplicity, model.energies.tolist()) == (3, [[0.1]])
    assert model.slopes[0, 0].tolist() == [0, 0, 0, 0, 0, 7.0e-3]


@pytest.mark.parametrize(
    ("multiplicity", "message"),
    [(None, r"singlets \(1\), triplets \(3\); choose"), (2, "none of multiplicity 2")],
)
def test_one_kind_of_states_must_be_chosen(written, multiplicity, message):
    with pytest.raises(ConfigError, match=message) as caught:
        written(multiplicity=multiplicity)
    assert "spin-orbit coupling is not supported" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gamma\n0", "gamma\n1\n 1 1 2 4 4 0.1", "gamma: only linear models"),
        ("gamma\n0", "sigma\n0", "line 16: unknown keyword 'sigma'"),
        ("lambda\n1", "lambda\n12", "lambda: the list is cut short"),
        ("kappa\n3", "kappa", "expected the number of entries"),
        ("  1   2   6 ", "  1   3   6 ", "line 11: kappa: no such state or mode"),
        ("  1   2   6 ", "  1   2   0 ", "no such state or mode"),
        ("  1   2   6   2.5e-03", "  1   2   6", "line 11: kappa cannot be read: expected 4"),
        ("2.5e-03", "2.5e-o3", "line 11: kappa cannot be read: could not convert"),
        ("  1   2   6 ", "  1   2   1 ", "no positive frequency has a kappa"),
        ("V0.txt", "V1.txt", "V1.txt: the file cannot be read: No such file"),
        ("V0.txt  # beside this file\n2 0 1", "2\n2 0 1 x", "expected the name of a V0 file"),
    ],
)
def test_faults_of_the_template_say_where(written, old, new, message):
    with pytest.raises(DataError, match=message):
        written(old, new, multiplicity=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.005 0.006", "0.005", "harmonic reference cannot be read"),
        ("Geometry", "Place", "harmonic reference cannot be read"),
        ("0.0 0.0 0.0 0.004", "0.001 0.0 0.0 0.004 #", "harmonic reference cannot be read"),
    ],
)
def test_faults_of_the_harmonic_reference_say_where(written, old, new, message):
    with pytest.raises(DataError, match=message) as caught:
        written(old, new, file="V0.txt", multiplicity=1)
    assert "V0.txt" in caught.value.where


def test_modes_that_are_not_orthonormal_are_refused(written):
    row = written(multiplicity=1).modes[0]
    old = " ".join(f"{x:.15f}" for x in row)
    with pytest.raises(DataError, match="not orthonormal"):
        written(old, old.replace(f"{row[5]:.15f}", "3.0"), file="V0.txt", multiplicity=1)


def test_binary_files_are_refused(tmp_path):
    (tmp_path / "LVC.template").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_vibronic_template(tmp_path / "LVC.template")


MATRIX = """DMX R
 0.1 0.2 0.0 0.0 0.0
 0.2 0.3 0.0 0.0 0.0
 0.0 0.0 7.0 0.0 0.0
 0.0 0.0 0.0 7.0 0.0
 0.0 0.0 0.0 0.0 7.0
"""


def test_dipoles_of_one_multiplicity(written):
    """All states count, a triplet with its three components; DMY and DMZ are zero."""
    old = "DMX I"
    singlets = written(old, MATRIX + old, multiplicity=1).dipoles
    assert singlets[..., 0].tolist() == [[0.1, 0.2], [0.2, 0.3]]
    assert not singlets[..., 1:].any()
    triplets = written(old, MATRIX.replace("DMX", "dmz") + old, multiplicity=3).dipoles
    assert triplets.tolist() == [[[0.0, 0.0, 7.0]]]


def test_without_real_dipoles_there_are_none(written):
    assert written(multiplicity=1).dipoles is None


def test_a_dipole_matrix_of_another_size_is_refused(written):
    short = MATRIX.rsplit("\n", 2)[0] + "\n"
    with pytest.raises(DataError, match="expected a matrix of 5 × 5 numbers"):
        written("DMX I", short + "DMX I", multiplicity=1)
