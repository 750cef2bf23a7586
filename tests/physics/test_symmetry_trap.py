"""The symmetry trap at planar trans-stilbene, C2h: h between A_g and B_u.

The coupling of an A_g and a B_u state is odd under inversion. A network that treats equal atoms
alike makes every field at a symmetric geometry totally symmetric (A_g), and that coupling zero.
"""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from namd.config.architecture import FusionArchitecture
from namd.config.head import DirectHead, Head, QuasiDiabaticHead
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import load_model
from namd.nn.readout import set_site_signs
from namd.states import StateSpace

SHIPPED = Path(__file__).parents[2] / "models" / "stilbene-ssr"


def trans_stilbene() -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers and positions [26, 3] of the minimum, made exactly planar (z = 0)."""
    with h5py.File(SHIPPED / "data" / "minima.h5") as file:
        numbers, positions = file["trans/atomic_numbers"][:], file["trans/positions"][:]
    positions = positions - positions.mean(0)
    axes = np.linalg.svd(positions)[2]
    flat = positions @ axes.T
    assert np.abs(flat[:, 2]).max() < 0.05
    return numbers, flat * [1.0, 1.0, 0.0]


def inversion_partners(numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The atom each atom changes places with under inversion."""
    distances = np.linalg.norm(positions[:, None] + positions[None], axis=-1)
    partners = distances.argmin(1)
    assert distances.min(1).max() < 0.05
    assert (numbers[partners] == numbers).all()
    assert (partners[partners] == np.arange(len(numbers))).all()
    return partners


def symmetric_geometry() -> tuple[np.ndarray, torch.Tensor, np.ndarray]:
    numbers, positions = trans_stilbene()
    partners = inversion_partners(numbers, positions)
    return numbers, torch.from_numpy((positions - positions[partners]) / 2)[None], partners


def parts(model: DiabaticModel) -> tuple[float, float, float]:
    """Norms of h_01: even and odd under inversion, and out of the plane."""
    _, positions, partners = symmetric_geometry()
    h = model.adiabatic(positions).interstate_coupling[0, 0]
    # Under inversion a vector at an atom goes to its partner and turns round.
    turned = -h[torch.from_numpy(partners)]
    return float((h + turned).norm() / 2), float((h - turned).norm() / 2), float(h[:, 2].norm())


def network(head: Head, labels: str) -> DiabaticModel:
    numbers, positions, _ = symmetric_geometry()
    information = ModelInformation(
        name="untrained",
        molecule=Molecule.from_numbers(numbers),
        states=StateSpace.singlets(2),
        level_of_theory="none",
        architecture=FusionArchitecture(channels=4, radial=4, hidden=8, site_labels=labels),
        diabats=2,
        head=head,
    )
    model = DiabaticModel(information, seed=1)
    model.network.double()
    model.scale.fill_(0.04)
    model.shift.copy_(torch.tensor([0.0, 0.15]))
    noise = torch.randn(16, *positions.shape[1:], generator=torch.Generator().manual_seed(2))
    model.network.calibrate(positions + 0.1 * noise)
    return model


HEADS = {
    "quasi-diabatic": QuasiDiabaticHead(),
    "with a residual": QuasiDiabaticHead(residual=True),
    "direct": DirectHead(),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_without_labels_the_coupling_of_ag_and_bu_vanishes(head: Head) -> None:
    even, odd, out_of_plane = parts(network(head, "none"))
    assert even > 1e-6
    assert odd < 1e-12 * even
    assert out_of_plane < 1e-12 * even


@pytest.mark.parametrize("labels", ["offdiagonal", "all"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_labels_let_it_be(head: Head, labels: str) -> None:
    even, odd, out_of_plane = parts(network(head, labels))
    assert odd > 0.1 * even
    assert out_of_plane < 1e-12 * even  # planarity is a symmetry of every labelled network


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_signs_leave_nothing_else(head: Head) -> None:
    """With the sign of the exchange of both halves the coupling is odd to the last digit."""
    model = network(head, "signs")
    signs = torch.ones(2, 2, 26)
    first_half = torch.tensor([0, 1, 2, 3, 4, 5, 6, 14, 15, 16, 17, 18, 19])
    signs[0, 1] = signs[1, 0] = -1.0
    signs[0, 1, first_half] = signs[1, 0, first_half] = 1.0
    set_site_signs(model.network, signs)
    even, odd, out_of_plane = parts(model)
    assert odd > 1e-6
    assert even < 1e-12 * odd
    assert out_of_plane < 1e-12 * odd


def test_pseudoscalars_couple_through_motion_out_of_the_plane_alone() -> None:
    """nπ* and ππ*: A'' and A' of any planar molecule."""
    model = network(QuasiDiabaticHead(odd_diabats=(1,)), "offdiagonal")
    even, odd, out_of_plane = parts(model)
    whole = float(np.hypot(even, odd))
    assert out_of_plane > 1e-6
    assert out_of_plane == pytest.approx(whole, rel=1e-10)


def test_the_shipped_model_is_out_of_the_trap() -> None:
    """S0 is A_g and S1 B_u: what it has learned is mostly odd."""
    even, odd, _ = parts(load_model(SHIPPED))
    assert odd > even
