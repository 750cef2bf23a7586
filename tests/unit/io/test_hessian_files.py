"""Hessians of ORCA, Gaussian, and as a matrix alone."""

from pathlib import Path

import numpy as np
import pytest

from namd.errors import DataError
from namd.io.hessian_files import (
    read_gaussian_checkpoint,
    read_hessian_matrix,
    read_orca_hessian,
)
from namd.sampling.geometry import read_geometry

NUMBERS = np.array([8, 1, 1])
POSITIONS = np.array([[0.0, 0.0, 0.1], [1.4, 0.0, -0.9], [-1.4, 0.0, -0.9]])


def symmetric() -> np.ndarray:
    half = np.random.default_rng(0).normal(size=(9, 9))
    return half + half.T


def orca(hessian: np.ndarray) -> str:
    """Blocks of five columns, as ORCA writes them."""
    lines = ["", "$orca_hessian_file", "", "$act_atom", "  2", "", "$hessian", "9"]
    for start in range(0, 9, 5):
        columns = range(start, min(start + 5, 9))
        lines.append("          " + " ".join(f"{k:18d}" for k in columns))
        for row in range(9):
            values = " ".join(f"{hessian[row, k]:18.10E}" for k in columns)
            lines.append(f"{row:5d}     {values}")
    lines += ["", "$vibrational_frequencies", "9", "    0        0.000000", "", "$atoms", "3"]
    for symbol, mass, place in zip("OHH", (15.999, 1.008, 1.008), POSITIONS, strict=True):
        lines.append(f" {symbol}  {mass:10.5f}  " + " ".join(f"{x:18.12f}" for x in place))
    return "\n".join([*lines, "", "$end", ""])


def gaussian(hessian: np.ndarray) -> str:
    def block(title: str, kind: str, values: np.ndarray, width: int, shown: str) -> list[str]:
        rows = [values[k : k + width] for k in range(0, len(values), width)]
        head = f"{title:<40s}   {kind}   N={len(values):12d}"
        return [head, *("".join(shown.format(x) for x in row) for row in rows)]

    lines = ["water", "Freq      RHF                 STO-3G"]
    lines += ["Number of atoms                            I                3"]
    lines += block("Atomic numbers", "I", NUMBERS, 6, "{:12d}")
    lines += block("Current cartesian coordinates", "R", POSITIONS.ravel(), 5, "{:16.8E}")
    lines += block("Cartesian Force Constants", "R", hessian[np.tril_indices(9)], 5, "{:16.8E}")
    return "\n".join([*lines, "Dipole Moment          R   N=           3", " 0.0 0.0 0.8", ""])


@pytest.mark.parametrize(
    ("name", "text"), [("water.hess", orca), ("water.fchk", gaussian)], ids=["orca", "gaussian"]
)
def test_geometry_and_hessian_of_a_program(tmp_path: Path, name: str, text: object) -> None:
    hessian = symmetric()
    (tmp_path / name).write_text(text(hessian))
    found = read_geometry(tmp_path / name)
    assert found.atomic_numbers.tolist() == [8, 1, 1]
    np.testing.assert_allclose(found.positions, POSITIONS, atol=1e-8)
    assert found.hessian is not None
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-7)


@pytest.mark.parametrize("name", ["hessian.npy", "hessian.out", "hessian.csv", "hessian"])
def test_a_matrix_alone_in_any_line_length(tmp_path: Path, name: str) -> None:
    hessian, path = symmetric(), tmp_path / name
    if name.endswith("npy"):
        np.save(path, hessian)
    else:
        flat = [f"{x:.12e}" for x in hessian.ravel()]
        joint = ", " if name.endswith("csv") else "  "
        rows = [joint.join(flat[k : k + 4]) for k in range(0, 81, 4)]
        path.write_text("\n".join(["$hessian" if name == "hessian" else "# comment", *rows]))
    np.testing.assert_allclose(read_hessian_matrix(path), hessian, rtol=1e-11)
    (tmp_path / "water.xyz").write_text("3\n\nO 0 0 0\nH 0 0.7 0.6\nH 0 -0.7 0.6\n")
    found = read_geometry(tmp_path / "water.xyz", hessian_file=path)
    assert found.hessian is not None
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-11)


def test_what_is_no_hessian_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("1.0 2.0 3.0")
    with pytest.raises(DataError, match="3 numbers are no Hessian"):
        read_hessian_matrix(path)
    path.write_text("1.0 two 3.0")
    with pytest.raises(DataError, match="cannot be read as a matrix"):
        read_hessian_matrix(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_hessian_matrix(tmp_path / "absent.npy")
    path.write_text(orca(symmetric()).replace("$atoms", "$bonds"))
    with pytest.raises(DataError, match="Hessian file of ORCA"):
        read_orca_hessian(path)
    cut = gaussian(symmetric())
    path.write_text(cut[: cut.index("Cartesian Force") + 300])
    with pytest.raises(DataError, match="45 numbers expected"):
        read_gaussian_checkpoint(path)
    path.write_text(cut[: cut.index("Cartesian Force")])
    with pytest.raises(DataError, match="no section 'Cartesian Force Constants'"):
        read_gaussian_checkpoint(path)
