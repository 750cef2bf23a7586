"""Converting and joining files: SHARC, native, and what they do not say."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from namd.data.checks import unknown_forces
from namd.data.conversion import gather
from namd.data.doctor.steps import unexplained_energy
from namd.data.formats.registry import FORMATS, writer_for
from namd.data.formats.stated import Stated
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.data.walks import trajectory_links
from namd.errors import ConfigError, DataError
from namd.io.sharc import read_sharc_output
from namd.units import EV_PER_HARTREE

DATA = Path(__file__).parents[2] / "data"
SHARC = DATA / "sharc2-ch2nh2-output.dat"
LEVEL = "MR-CISD(6,4)/aug-cc-pVDZ"
STATED = Stated(level_of_theory=LEVEL, charge=1)


def test_sharc_labels_have_the_right_signs_and_pairs():
    dataset = gather([SHARC], stated=STATED)
    raw = read_sharc_output(SHARC)
    assert dataset.states.labels == ("S0", "S1", "S2")
    assert dataset.molecule.charge == 1
    np.testing.assert_array_equal(dataset["forces"][0], -raw.gradients[0])
    for pair, (i, j) in enumerate(dataset.states.pairs):
        d, mu = dataset["nonadiabatic_coupling"][:, pair], dataset["transition_dipoles"][:, pair]
        np.testing.assert_array_equal(d, raw.nonadiabatic_coupling[:, i, j])
        np.testing.assert_array_equal(mu, raw.dipoles[:, i, j])
    np.testing.assert_array_equal(dataset["dipoles"][:, 1], raw.dipoles[:, 1, 1])
    assert set(dataset["group"]) == {"sharc2-ch2nh2"}


def test_gradients_sharc_did_not_compute_are_unknown_not_zero():
    dataset = gather([SHARC], stated=STATED)
    unknown = unknown_forces(dataset)
    assert unknown[0].tolist() == [False, False, False]
    assert unknown[1].tolist() == [True, True, False]


def test_real_energies_are_explained_by_real_forces():
    """Two SHARC trajectories: ΔE of a known state is −F·ΔR up to the third order of the step."""
    dataset = read_dataset(DATA / "ch2nh2-sharc2.h5")
    before, after = trajectory_links(dataset, longest=21.0)
    left_mev = 1e3 * EV_PER_HARTREE * np.abs(unexplained_energy(dataset, before, after))
    assert np.isfinite(left_mev).sum() > 100
    assert np.nanmedian(left_mev) < 3.0
    swing = 1e3 * EV_PER_HARTREE * np.abs(np.diff(dataset["energies"], axis=0))
    assert np.nanmedian(left_mev) < 0.05 * np.median(swing)


def test_a_file_in_a_folder_of_its_own_is_named_after_it(tmp_path):
    for name in ("TRAJ_1", "TRAJ_2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "output.dat").write_bytes(SHARC.read_bytes())
    paths = [tmp_path / name / "output.dat" for name in ("TRAJ_1", "TRAJ_2")]
    dataset = gather(paths, stated=STATED)
    assert dataset["group"].tolist() == ["TRAJ_1"] * 6 + ["TRAJ_2"] * 6
    digest = hashlib.sha256(SHARC.read_bytes()).hexdigest()
    (step,) = dataset.provenance["steps"]
    assert [entry["sha256"] for entry in step["inputs"]] == [digest, digest]


@pytest.mark.parametrize(
    ("stated", "states", "message"),
    [
        (Stated(charge=1), None, "level of theory of the labels is not stated"),
        (Stated(level_of_theory=LEVEL), None, "17 electrons"),
        (STATED, ["S0", "S1"], "2 state labels"),
    ],
)
def test_what_the_file_does_not_say_is_asked_for(stated, states, message):
    with pytest.raises(DataError, match=message) as caught:
        gather([SHARC], stated=stated, states=states)
    assert SHARC.name in caught.value.where


def test_given_metadata_replace_those_of_the_file(make_dataset, tmp_path):
    write_dataset(make_dataset(), tmp_path / "set.h5")
    dataset = gather(
        [tmp_path / "set.h5"],
        stated=Stated(level_of_theory="CASSCF", charge=2),
        states=["X", "A"],
        title="t",
        licence="l",
    )
    assert (dataset.level_of_theory, dataset.molecule.charge) == ("CASSCF", 2)
    assert dataset.states.labels == ("X", "A")
    assert (dataset.title, dataset.licence) == ("t", "l")
    assert dataset.provenance["note"] == "made by a test"


def test_other_kinds_of_files_are_refused(tmp_path):
    (tmp_path / "frames.xyz").write_text("3\n\nO 0 0 0\n")
    with pytest.raises(DataError, match="of no format that namd reads"):
        gather([tmp_path / "frames.xyz"])
    with pytest.raises(DataError, match="No such file"):
        gather([tmp_path / "absent.h5"])


NOT_IN_SHARC = {"level_of_theory": LEVEL, "charge": 1}
"""What an output.dat does not say."""


def assert_same(back, dataset):
    assert set(back) == set(dataset)
    for name in dataset:
        if dataset[name].dtype.kind == "U":
            assert back[name].tolist() == dataset[name].tolist()
        else:
            np.testing.assert_allclose(back[name], dataset[name], rtol=1e-6, atol=1e-12)
    assert (back.molecule.charge, back.level_of_theory) == (1, LEVEL)


@pytest.mark.parametrize("first", FORMATS)
def test_a_sharc_trajectory_goes_from_every_format_to_every_other(tmp_path, first):
    """Real frames with unknown forces, out and in again by name and by content."""
    dataset = gather([SHARC], stated=STATED)
    once = tmp_path / f"sharc2-ch2nh2.output{FORMATS[first].suffixes[0]}"
    writer_for(once)(dataset, once)
    between = gather([once], stated=Stated(**NOT_IN_SHARC if first == "sharc" else {}))
    assert_same(between, dataset)
    for second, entry in FORMATS.items():
        (tmp_path / second).mkdir()
        twice = tmp_path / second / f"sharc2-ch2nh2.output{entry.suffixes[-1]}"
        writer_for(twice)(between, twice)
        stated = Stated(**NOT_IN_SHARC if second == "sharc" else {})
        assert_same(gather([twice], stated=stated), dataset)


def test_frames_are_chosen_before_anything_is_refused(make_dataset, tmp_path):
    dataset = make_dataset()
    dataset["energies"][0] = np.nan
    write_dataset(dataset, tmp_path / "set.h5")
    with pytest.raises(DataError, match="not finite"):
        gather([tmp_path / "set.h5"])
    chosen = gather([tmp_path / "set.h5"], stated=Stated(frames=slice(1, None)))
    assert len(chosen) == len(dataset) - 1


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("set", None, "does not tell a format"),
        ("set.txt", None, "does not tell a format"),
        ("set.nc4", None, "does not tell a format"),
    ],
)
def test_a_name_that_tells_no_writer_is_refused(name, target, message):
    with pytest.raises(ConfigError, match=message):
        writer_for(Path(name), name=target)


def test_the_format_can_be_named():
    assert writer_for(Path("set.txt"), name="xyz") is FORMATS["xyz"].write
    assert writer_for(Path("SET.XYZ")) is FORMATS["xyz"].write
