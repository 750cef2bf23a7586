"""Vector outputs of heads: symmetries, and what they add to couplings, never to forces."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from namd.config.architecture import FusionArchitecture, PerceptronArchitecture
from namd.config.head import DirectHead, Head, QuasiDiabaticHead
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.states import StateSpace
from tests.unit.nn.conftest import geometries

HEADS: dict[str, Head] = {
    "residual": QuasiDiabaticHead(residual=True, dipoles=True),
    "direct": DirectHead(dipoles=True),
    "odd": QuasiDiabaticHead(odd_diabats=(1,)),
}
STATES = 3


def make_model(
    head: Head, *, diabats: int = STATES, layers: int = 1, labels: str = "offdiagonal"
) -> DiabaticModel:
    information = ModelInformation(
        name="test",
        molecule=Molecule.from_numbers(np.array([6, 7, 1, 1, 1, 1])),
        states=StateSpace.singlets(STATES),
        level_of_theory="none",
        architecture=FusionArchitecture(
            channels=4,
            radial=4,
            hidden=8,
            cutoff_angstrom=3.0,
            message_layers=layers,
            site_labels=labels,
        ),
        diabats=diabats,
        head=head,
    )
    model = DiabaticModel(information, seed=1)
    model.network.double()
    model.scale.fill_(0.3)
    model.shift.copy_(torch.linspace(-1.0, -0.9, diabats))
    model.network.calibrate(geometries(16))
    return model


@pytest.fixture(params=list(HEADS))
def model(request: pytest.FixtureRequest) -> DiabaticModel:
    return make_model(HEADS[request.param])


def absolute(h: torch.Tensor) -> torch.Tensor:
    """Products of all components of a pair: free of the states' signs."""
    flat = h.flatten(2)
    return flat[..., :, None] * flat[..., None, :]


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("kind", list(HEADS))
def test_rotation_turns_every_vector(kind: str, layers: int) -> None:
    model, positions = make_model(HEADS[kind], layers=layers), geometries(3)
    turn = torch.from_numpy(Rotation.random(random_state=4).as_matrix())
    before, after = model.adiabatic(positions), model.adiabatic(positions @ turn.T)
    torch.testing.assert_close(after.energies, before.energies, rtol=0, atol=1e-10)
    torch.testing.assert_close(after.forces, before.forces @ turn.T, rtol=0, atol=1e-10)
    turned = absolute(before.interstate_coupling @ turn.T)
    rounding = 1e-10 * max(1.0, float(turned.abs().max()))
    torch.testing.assert_close(absolute(after.interstate_coupling), turned, rtol=0, atol=rounding)
    if before.transition_dipoles is not None:
        assert after.transition_dipoles is not None
        expected = absolute((before.transition_dipoles @ turn.T)[:, :, None])
        found = absolute(after.transition_dipoles[:, :, None])
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        assert before.transition_dipoles.norm() > 1e-3


def test_translation_changes_nothing_and_no_coupling_pushes_the_molecule(
    model: DiabaticModel,
) -> None:
    here, there = model.adiabatic(geometries(3)), model.adiabatic(geometries(3) + 5.0)
    torch.testing.assert_close(here.energies, there.energies, rtol=0, atol=1e-10)
    torch.testing.assert_close(
        absolute(here.interstate_coupling), absolute(there.interstate_coupling), rtol=0, atol=1e-10
    )
    assert here.interstate_coupling.norm() > 1e-3
    assert here.interstate_coupling.sum(2).abs().max() < 1e-10
    if here.transition_dipoles is not None:
        assert there.transition_dipoles is not None
        torch.testing.assert_close(
            here.transition_dipoles.abs(), there.transition_dipoles.abs(), rtol=0, atol=1e-10
        )


def test_inversion_leaves_energies_and_turns_forces_round(model: DiabaticModel) -> None:
    here, there = model.adiabatic(geometries(3)), model.adiabatic(-geometries(3))
    torch.testing.assert_close(here.energies, there.energies, rtol=0, atol=1e-10)
    torch.testing.assert_close(here.forces, -there.forces, rtol=0, atol=1e-10)
    torch.testing.assert_close(
        absolute(here.interstate_coupling), absolute(there.interstate_coupling), rtol=0, atol=1e-10
    )


def test_forces_are_minus_the_gradient_of_the_energies(model: DiabaticModel) -> None:
    """Whatever a head adds to the couplings, it adds nothing to the forces."""
    positions, step = geometries(2), 1e-5
    direction = torch.randn(positions.shape, dtype=torch.float64, generator=torch.manual_seed(0))
    rise = (
        model.adiabatic(positions + step * direction).energies
        - model.adiabatic(positions - step * direction).energies
    ) / (2 * step)
    projected = -(model.adiabatic(positions).forces * direction[:, None]).sum((-1, -2))
    torch.testing.assert_close(projected, rise, rtol=1e-6, atol=1e-8)


def test_the_residual_adds_to_the_derivative_coupling() -> None:
    """d_ij = u_iᵀ(∇W)u_j / (E_j − E_i) + u_iᵀ τ u_j, element by element."""
    model, positions = make_model(HEADS["residual"], diabats=4), geometries(2)
    found = model.adiabatic(positions)
    prediction = model.network.evaluate(positions)
    assert prediction.fields is not None
    tau = prediction.fields.detach()
    torch.testing.assert_close(tau, -tau.transpose(1, 2), rtol=0, atol=0)
    plain = make_model(QuasiDiabaticHead(dipoles=True), diabats=4)
    plain.network.load_state_dict(model.network.state_dict(), strict=False)
    without = plain.adiabatic(positions)
    torch.testing.assert_close(without.energies, found.energies, rtol=0, atol=1e-12)
    energies, vectors = torch.linalg.eigh(model.hamiltonian(positions).detach())
    added = torch.einsum("bki,bklax,blj->bijax", vectors, tau, vectors)
    for pair, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        gap = (energies[:, j] - energies[:, i])[:, None, None]
        difference = (found.interstate_coupling - without.interstate_coupling)[:, pair] / gap
        torch.testing.assert_close(difference, added[:, i, j], rtol=0, atol=1e-9)
        assert added[:, i, j].norm() > 1e-3


def test_direct_states_do_not_mix_and_come_in_order_of_energy() -> None:
    model, positions = make_model(HEADS["direct"]), geometries(4)
    model.shift.copy_(torch.tensor([-0.9, -2.0, -1.5]))
    matrix = model.hamiltonian(positions).detach()
    assert torch.equal(matrix, torch.diag_embed(matrix.diagonal(dim1=1, dim2=2)))
    found = model.adiabatic(positions)
    order = matrix.diagonal(dim1=1, dim2=2).argsort(dim=1)
    assert order[0].tolist() == [1, 2, 0]
    torch.testing.assert_close(
        found.energies, matrix.diagonal(dim1=1, dim2=2).gather(1, order), rtol=0, atol=1e-14
    )
    fields = model.network.evaluate(positions).fields
    assert fields is not None
    expected = 0.3 * fields.detach()[0, 1, 2]
    torch.testing.assert_close(found.interstate_coupling[0, 0].abs(), expected.abs())


def test_elements_between_parities_are_pseudoscalars() -> None:
    """W(−R) = P W(R) P; zero where the molecule is planar, its gradient out of plane is not."""
    model, positions = make_model(HEADS["odd"]), geometries(4)
    parity = torch.diag(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
    matrix, mirrored = (model.network(x).detach() for x in (positions, -positions))
    torch.testing.assert_close(mirrored, parity @ matrix @ parity, rtol=0, atol=1e-12)
    assert matrix[:, 0, 1].abs().min() > 1e-8
    assert matrix[:, 0, 2].abs().min() > 1e-6
    flat = positions * torch.tensor([1.0, 0.0, 1.0])
    assert model.network(flat)[:, [0, 1], [1, 2]].abs().max() < 1e-12
    flat.requires_grad_()
    (gradient,) = torch.autograd.grad(model.network(flat)[:, 0, 1].sum(), flat)
    assert gradient[..., [0, 2]].abs().max() < 1e-12
    assert gradient[..., 1].abs().max() > 1e-6


def test_heads_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="as many diabats as states"):
        make_model(DirectHead(), diabats=4)
    with pytest.raises(ConfigError, match="counted from 0"):
        make_model(QuasiDiabaticHead(odd_diabats=(3,)))
    with pytest.raises(ValueError, match="axial"):
        QuasiDiabaticHead(odd_diabats=(1,), residual=True)
    for architecture, words in (
        (PerceptronArchitecture(), "no vectors at its atoms"),
        (FusionArchitecture(message_l=0), "scalars only"),
    ):
        information = make_model(DirectHead()).information
        with pytest.raises(ConfigError, match=words):
            DiabaticModel(
                ModelInformation(
                    name="test",
                    molecule=information.molecule,
                    states=information.states,
                    level_of_theory="none",
                    architecture=architecture,
                    diabats=STATES,
                    head=DirectHead(),
                )
            )


@pytest.mark.parametrize(
    ("kind", "told"),
    [("residual", ["6x0e", "9x1o"]), ("direct", ["3x0e", "9x1o"]), ("odd", ["4x0e+2x0o"])],
)
def test_a_network_describes_what_is_read_from_it(kind: str, told: list[str]) -> None:
    layers = make_model(HEADS[kind]).network.describe()
    assert [layer.irreps for layer in layers if layer.module in {"readout", "heads"}] == told
