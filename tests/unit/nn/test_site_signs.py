"""Signs of sites: elements of W, couplings and dipoles change exactly as the states do."""

import pytest
import torch

from namd.config.head import DirectHead, Head, QuasiDiabaticHead
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import load_model, save_model
from namd.nn.readout import set_site_signs
from tests.unit.nn.conftest import ARCHITECTURES, geometries
from tests.unit.nn.conftest import make_model as other

EXCHANGE = torch.tensor([0, 1, 3, 2, 5, 4])
ODD = torch.tensor([0.0, 0.0, 1.0, -1.0, 1.0, -1.0])
"""Of the hydrogens of both ends at once, where two states differ under their exchange."""
HEADS: dict[str, Head] = {
    "quasi-diabatic": QuasiDiabaticHead(dipoles=True, residual=True),
    "direct": DirectHead(dipoles=True),
    "parity": QuasiDiabaticHead(odd_diabats=(1,)),
}
EXACT = {"rtol": 0, "atol": 1e-12}


def signed(kind: str, head: Head | None = None) -> DiabaticModel:
    """Three states, even, odd and even."""
    like = other(kind).information
    information = ModelInformation(
        name="signed",
        molecule=like.molecule,
        states=like.states,
        level_of_theory="none",
        architecture=ARCHITECTURES[kind].model_copy(update={"site_labels": "signs"}),
        diabats=3,
        head=QuasiDiabaticHead() if head is None else head,
    )
    model = DiabaticModel(information, seed=1)
    model.network.double()
    model.scale.fill_(0.3)
    model.shift.copy_(torch.linspace(-1.0, -0.8, 3))
    model.network.calibrate(geometries(16))
    signs = torch.ones(3, 3, 6)
    signs[0, 1] = signs[1, 0] = signs[1, 2] = signs[2, 1] = ODD
    set_site_signs(model.network, signs)
    return model


CHARACTER = torch.tensor([[1.0, -1, 1], [-1, 1, -1], [1, -1, 1]], dtype=torch.float64)


@pytest.mark.parametrize("kind", ["fusion", "mace", "mofd-dense", "cormorant", "cofd"])
def test_the_matrix_changes_as_the_states_do(kind: str) -> None:
    model, positions = signed(kind), geometries(3)
    here = model.network(positions)
    there = model.network(positions[:, EXCHANGE])
    torch.testing.assert_close(there, here * CHARACTER, **EXACT)
    assert (here[:, 0, 1].abs() > 1e-8).all()


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_fields_and_dipoles_change_with_them(head: Head) -> None:
    model, positions = signed("fusion", head), geometries(3)
    here = model.network.evaluate(positions, dipoles=True)
    there = model.network.evaluate(positions[:, EXCHANGE], dipoles=True)
    torch.testing.assert_close(there.matrix, here.matrix * CHARACTER, **EXACT)
    if here.fields is not None and there.fields is not None:
        expected = here.fields[:, :, :, EXCHANGE] * CHARACTER[:, :, None, None]
        torch.testing.assert_close(there.fields, expected, **EXACT)
    if here.dipoles is not None and there.dipoles is not None:
        torch.testing.assert_close(there.dipoles, here.dipoles * CHARACTER[:, :, None], **EXACT)
        assert (here.dipoles[:, 0, 1].norm(dim=-1) > 1e-8).all()


def test_an_element_between_different_states_vanishes_where_the_molecule_is_symmetric() -> None:
    """C2 about the bond exchanges the hydrogens of both ends; its gradient does not vanish."""
    model = signed("fusion")
    ends = [[1.7, 0.3, -1.1], [-1.7, -0.3, -1.1], [1.6, 0, 3.4], [-1.6, 0, 3.4]]
    positions = torch.tensor([[[0, 0, 0], [0, 0, 2.4], *ends]], dtype=torch.float64)
    positions.requires_grad_()
    element = model.network(positions)[0, 0, 1]
    (gradient,) = torch.autograd.grad(element, positions)
    assert element.abs() < 1e-12
    assert gradient.norm() > 1e-6


def test_signs_are_saved_with_the_weights(tmp_path) -> None:
    model = signed("mace")
    save_model(model, tmp_path / "model")
    positions = geometries(2)
    again = load_model(tmp_path / "model")
    torch.testing.assert_close(again.hamiltonian(positions), model.hamiltonian(positions))


def test_only_signed_readouts_take_signs() -> None:
    model, positions = other("fusion"), geometries(2)
    before = model.network(positions)
    set_site_signs(model.network, torch.zeros(4, 4, 6))
    torch.testing.assert_close(model.network(positions), before, rtol=0, atol=0)
