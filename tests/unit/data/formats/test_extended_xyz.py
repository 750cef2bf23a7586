"""Extended XYZ: everything comes back, and ASE alone can read it."""

import ase.io
import numpy as np
import pytest

from namd.data.formats.extended_xyz import read_extended_xyz, write_extended_xyz
from namd.data.formats.stated import Stated
from namd.errors import ConfigError, DataError
from namd.schema import PROPERTIES


@pytest.fixture
def written(everything, tmp_path):
    path = tmp_path / "frames.xyz"
    write_extended_xyz(everything, path)
    return path


def test_every_property_of_the_registry_comes_back(everything, written):
    back = read_extended_xyz(written, Stated())
    assert set(back) == set(PROPERTIES)
    for name in PROPERTIES:
        if PROPERTIES[name].dtype == "str":
            assert back[name].tolist() == everything[name].tolist()
        else:
            np.testing.assert_allclose(back[name], everything[name], rtol=4e-16, atol=0)
    for field in ("level_of_theory", "states", "multiplicity", "title", "licence"):
        assert getattr(back, field) == getattr(everything, field)
    assert back.molecule.charge == 1
    assert back.molecule.symbols == everything.molecule.symbols


def test_plain_ase_reads_it_in_its_own_units(everything, written):
    images = ase.io.read(written, index=":")
    assert len(images) == 5
    last = images[-1]
    np.testing.assert_allclose(
        last.positions, everything["positions"][-1] * ase.units.Bohr, rtol=1e-7
    )
    gap = everything["energies"][-1, 1] - everything["energies"][-1, 0]
    told = last.info["energies_ev"]
    np.testing.assert_allclose(told[1] - told[0], gap * ase.units.Hartree, rtol=1e-6)
    second_state = last.arrays["forces_ev_per_angstrom"][:, 3:6]
    expected = everything["forces"][-1, 1] * ase.units.Hartree / ase.units.Bohr
    np.testing.assert_allclose(second_state, expected, rtol=1e-6)
    assert last.calc is None, "no name is taken for that of a calculator"


def test_frames_are_chosen(everything, written):
    back = read_extended_xyz(written, Stated(frames=slice(1, 3)))
    assert back["group"].tolist() == everything["group"][1:3].tolist()


def test_an_existing_file_is_kept(everything, written):
    before = written.read_bytes()
    with pytest.raises(ConfigError, match="not overwritten"):
        write_extended_xyz(everything, written)
    assert written.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("energies_ev=", "energy_of_states=", "no energies_ev"),
        (":forces_ev_per_angstrom:R:9", ":x:R:9", "no forces_ev_per_angstrom"),
        ('states="S0 S1 S2"', 'states="S0 S1"', "'energies_ev' has 3 numbers"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(written, old, new, message):
    written.write_text(written.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        read_extended_xyz(written, Stated())


def test_a_frame_that_lacks_a_property_is_named(written):
    head, tail = written.read_text().rsplit("time_fs=", 1)
    written.write_text(f"{head}time_ps={tail}")
    with pytest.raises(DataError, match=r"time_fs.* is missing, which the first frame has") as got:
        read_extended_xyz(written, Stated())
    assert got.value.where.endswith("frame 4")
