"""The SHARC reader on six real steps (tests/data/README.md), against the numbers in the file."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from namd.errors import ConfigError, DataError
from namd.io.sharc import read_sharc_output
from namd.io.sharc_writer import write_sharc_output

FILE = Path(__file__).parents[2] / "data" / "sharc2-ch2nh2-output.dat"


@pytest.fixture(scope="module")
def trajectory():
    return read_sharc_output(FILE)


@pytest.fixture
def altered(tmp_path):
    """Read the file after a change of its text."""

    def alter(old, new, count=-1):
        text = FILE.read_text()
        assert old in text
        path = tmp_path / "output.dat"
        path.write_text(text.replace(old, new, count))
        return read_sharc_output(path)

    return alter


def test_first_step_has_the_numbers_of_the_file(trajectory):
    assert trajectory.atomic_numbers.tolist() == [6, 7, 1, 1, 1, 1]
    assert trajectory.masses[0] == 21874.66181995
    zero = -94.7095344465
    expected = [0.0542297098 + zero, 0.3366693885 + zero, 0.4050092041 + zero]
    np.testing.assert_allclose(trajectory.energies[0], expected, rtol=0, atol=1e-12)
    assert trajectory.positions[0, 5, 0] == -2.04921145
    assert trajectory.velocities[0, 4, 2] == 0.00326492
    assert trajectory.dipoles[0, 0, 2].tolist() == [-0.001148, -0.076038, 1.178916]
    assert trajectory.gradients[0, 2, 0].tolist() == [0.00518386, -0.00509656, 0.318444]
    d = trajectory.nonadiabatic_coupling
    assert d[0, 0, 1, 0].tolist() == [-0.05597622, -0.02158792, -0.00849082]
    assert d[0, 1, 2, 4].tolist() == [0.006727022, 0.3494581, -0.001027904]
    assert trajectory.active_state.tolist() == [2] * 6
    np.testing.assert_array_equal(np.abs(trajectory.amplitudes[0]), [0, 0, 1])


def test_times_are_steps(trajectory):
    np.testing.assert_allclose(trajectory.time, 20.670686894780374 * np.arange(6), rtol=1e-15)


def test_an_adaptive_step_tells_its_time(tmp_path):
    """SHARC 3 and 4 have two settings more, fewer spin states, and may write the time."""
    text = FILE.read_text().replace("SHARC_version   2.0", "SHARC_version   4.0\n method  0")
    text = text.replace(" natom ", " integrator   1\n natom ", 1)
    text = text.replace(" nstates_m           3           0           0", " nstates_m    3")
    numbers = iter(range(6))

    def with_time(match):
        number = next(numbers)
        return f"! 0 Step\n{number:12d}{0.3 * number**2:12.6f}{0.5:12.6f}\n"

    (tmp_path / "output.dat").write_text(re.sub(r"! 0 Step\n +\d+\n", with_time, text))
    trajectory = read_sharc_output(tmp_path / "output.dat")
    assert trajectory.step.tolist() == list(range(6))
    np.testing.assert_allclose(trajectory.time * 0.0241888433, 0.3 * np.arange(6) ** 2, rtol=1e-8)


def test_shapes(trajectory):
    assert trajectory.gradients.shape == (6, 3, 6, 3)
    assert trajectory.nonadiabatic_coupling.shape == (6, 3, 3, 6, 3)
    assert trajectory.dipoles.shape == (6, 3, 3, 3)


def test_couplings_are_antisymmetric_and_dipoles_symmetric(trajectory):
    d, mu = trajectory.nonadiabatic_coupling, trajectory.dipoles
    np.testing.assert_array_equal(d, -d.swapaxes(1, 2))
    np.testing.assert_array_equal(mu, mu.swapaxes(1, 2))
    assert np.linalg.norm(d[:, 1, 2]) > 1


def test_kinetic_energy_is_that_of_masses_and_velocities(trajectory):
    squared = (trajectory.velocities**2).sum(-1)
    np.testing.assert_allclose(
        0.5 * squared @ trajectory.masses, trajectory.kinetic_energy, rtol=1e-11
    )


def test_amplitudes_are_normalised(trajectory):
    norm = (np.abs(trajectory.amplitudes) ** 2).sum(1)
    np.testing.assert_allclose(norm, 1.0, atol=1e-10)


def test_amplitudes_are_rotated_to_the_spin_free_basis(altered):
    """U that exchanges the first and third state moves the amplitude there."""
    one, zero = " 0.1000000000000E+001  0.0000000000000E+000", " 0.0000000000000E+000"
    text = FILE.read_text()
    start = text.index("! 2 U matrix")
    old = text[start : text.index("! 3 Dipole", start)]
    row = [f"{zero} {zero}"] * 3
    rows = ["".join([*row[:k], one, *row[k + 1 :]]) for k in (2, 1, 0)]
    changed = altered(old, "! 2 U matrix\n" + "\n".join(rows) + "\n", 1)
    np.testing.assert_array_equal(np.abs(changed.amplitudes[0]), [1, 0, 0])


def test_position_agrees_with_velocity_and_acceleration(trajectory):
    """Velocity Verlet on the active gradient leads from one geometry to the next."""
    dt, x, v = trajectory.time[1], trajectory.positions, trajectory.velocities
    acceleration = -trajectory.gradients[:, 2] / trajectory.masses[:, None]
    predicted = x[:-1] + v[:-1] * dt + 0.5 * acceleration[:-1] * dt**2
    np.testing.assert_allclose(x[1:], predicted, atol=1e-10)


def test_a_last_step_that_was_cut_is_dropped(tmp_path):
    text = FILE.read_text()
    path = tmp_path / "output.dat"
    path.write_text(text[: text.rindex("! 15 Gradients (MCH) State  2") + 300])
    assert len(read_sharc_output(path).time) == 5


def test_missing_gradients_and_couplings_are_none(tmp_path):
    keep, dropping = [], False
    for line in FILE.read_text().splitlines():
        if line.startswith("! "):
            dropping = line.startswith(("! 15", "! 16"))
        if not dropping:
            keep.append(line)
    (tmp_path / "output.dat").write_text("\n".join(keep))
    trajectory = read_sharc_output(tmp_path / "output.dat")
    assert trajectory.gradients is None
    assert trajectory.nonadiabatic_coupling is None
    assert len(trajectory.time) == 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("           1\n! 1 H", " 1 0.5 0.5\n! 1 H", "block 1.*section '0 Step'"),
        ("! 12 Velocities in a.u.", "! 12 Speeds", "block 0.*'12 Velocities' is missing"),
        ("0.2791000000000E-003", "*" * 20, "block 0.*section '12 Velocities'"),
        (" natom           6", " natom           7", "header cannot be read"),
        (" ezero  ", " zero   ", "header cannot be read: 'ezero'"),
        (" nstates_m           3           0", " nstates_m           3           1", "singlets"),
        ("End of header array data", "End", "header is missing or cut short"),
    ],
)
def test_faults_say_where(altered, old, new, message):
    with pytest.raises(DataError, match=message) as caught:
        altered(old, new, 1)
    assert "output.dat" in caught.value.where


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a").write_text("something else")
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    for name, message in {"a": "not a SHARC", "b": "not a SHARC", "c": "No such file"}.items():
        with pytest.raises(DataError, match=message):
            read_sharc_output(tmp_path / name)


@pytest.mark.parametrize("file", ["output", "hop-down", "hop-up"])
def test_what_is_written_is_read_again(tmp_path, file):
    """Every number of the real files, with U that exchanges states after a hop."""
    trajectory = read_sharc_output(FILE.with_name(f"sharc2-ch2nh2-{file}.dat"))
    write_sharc_output(trajectory, tmp_path / "output.dat")
    back = read_sharc_output(tmp_path / "output.dat")
    for field in fields(trajectory):
        ours, theirs = getattr(back, field.name), getattr(trajectory, field.name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15, err_msg=field.name)
    with pytest.raises(ConfigError, match="exists"):
        write_sharc_output(trajectory, tmp_path / "output.dat")


def test_the_sections_written_are_those_of_the_real_file_in_their_order(trajectory, tmp_path):
    """SHARC's data_extractor reads them line by line."""

    def skeleton(path):
        lines = path.read_text().splitlines()
        return [
            (" ".join(line.split()), number) for number, line in enumerate(lines) if "!" in line
        ]

    write_sharc_output(trajectory, tmp_path / "output.dat")
    ours, real = skeleton(tmp_path / "output.dat"), skeleton(FILE)
    assert ours == real[: len(ours)]
    assert len(ours) == len(real)
