"""Transition dipoles: signs follow the couplings, mixtures and unknown ones are left out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.config.architecture import FusionArchitecture
from namd.config.head import DirectHead, QuasiDiabaticHead
from namd.config.training import LossWeights
from namd.nn.adiabatic import Adiabatic
from namd.nn.model import DiabaticModel, ModelInformation
from namd.train.batch_loss import mean_loss, set_gradient
from namd.train.dipole_loss import dipole_loss
from namd.train.evaluation import compare
from namd.train.labels import Labels
from namd.train.metrics import dipole_errors
from namd.train.sampled import sampled_loss
from namd.train.trainer import initialise
from namd.units import EV_PER_HARTREE

MOLECULES, ATOMS = 4, 3
WEIGHTS = LossWeights()
CPU = torch.device("cpu")


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def states_with_dipoles(states: int, *, gap_ev: float = 1.0) -> Adiabatic:
    pairs = states * (states - 1) // 2
    levels = torch.arange(states, dtype=torch.float64) * gap_ev / EV_PER_HARTREE
    return Adiabatic(
        energies=levels.expand(MOLECULES, -1),
        forces=noise(MOLECULES, states, ATOMS, 3, seed=1),
        interstate_coupling=noise(MOLECULES, pairs, ATOMS, 3, seed=2),
        transition_dipoles=noise(MOLECULES, pairs, 3, seed=3),
    )


def loss(truth: Adiabatic, *, energies=None, coupling=None, dipoles=None) -> torch.Tensor:
    return dipole_loss(
        truth,
        energies=truth.energies if energies is None else energies,
        coupling=truth.interstate_coupling if coupling is None else coupling,
        dipoles=truth.transition_dipoles if dipoles is None else dipoles,
        weights=WEIGHTS,
    )


@given(states=st.integers(2, 4), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=30)
def test_signs_of_states_do_not_matter_signs_against_the_coupling_do(states: int, seed: int):
    truth = states_with_dipoles(states)
    signs = torch.from_numpy(np.random.default_rng(seed).choice([-1.0, 1.0], (MOLECULES, states)))
    i, j = torch.triu_indices(states, states, offset=1)
    pair = (signs[:, i] * signs[:, j])[..., None]
    coupling = truth.interstate_coupling * pair[..., None]
    dipoles = truth.transition_dipoles * pair
    assert loss(truth, coupling=coupling, dipoles=dipoles).abs().max() < 1e-14
    assert loss(truth, coupling=coupling, dipoles=-dipoles).min() > 0.1


@pytest.mark.parametrize(("learned", "decides"), [(0.8, True), (0.2, False)])
def test_couplings_decide_once_they_are_half_learned(learned: float, decides: bool):
    """Of a coupling with the cosine ``learned`` and a dipole of the opposite sign."""
    truth = states_with_dipoles(2)
    h = truth.interstate_coupling
    other = noise(MOLECULES, 1, ATOMS, 3, seed=9)
    other = other - h * ((other * h).sum((-1, -2)) / h.square().sum((-1, -2)))[..., None, None]
    size = (h.square().sum((-1, -2)) / other.square().sum((-1, -2))).sqrt()[..., None, None]
    half = learned * h + (1 - learned**2) ** 0.5 * size * other
    found = loss(truth, coupling=half, dipoles=-truth.transition_dipoles)
    assert (found.min() > 0.1) if decides else (found.max() < 1e-12)


def test_unknown_dipoles_and_those_of_degenerate_states_are_left_out():
    truth = states_with_dipoles(3)
    wrong = truth.transition_dipoles + 1.0
    assert loss(truth, dipoles=wrong).min() > 0.5
    unknown = wrong.clone()
    unknown[0] = torch.nan
    assert loss(truth, dipoles=unknown)[0] == 0
    near = truth.energies.clone()
    near[0, 1] = near[0, 0] + 0.5 * WEIGHTS.degenerate_gap_ev / EV_PER_HARTREE
    assert loss(truth, dipoles=wrong, energies=near)[0] == 0
    near[1, 2] = near[1, 1] + 0.5 * WEIGHTS.degenerate_gap_ev / EV_PER_HARTREE
    assert loss(truth, dipoles=wrong, energies=near)[1] == 0
    assert loss(truth, dipoles=wrong, energies=near)[2] > 0.5


def make_model(dataset, head) -> DiabaticModel:
    information = ModelInformation(
        name="test",
        molecule=dataset.molecule,
        states=dataset.states,
        level_of_theory="none",
        architecture=FusionArchitecture(
            channels=4,
            l_max=1,
            correlation=2,
            message_layers=0,
            radial=4,
            hidden=12,
            cutoff_angstrom=4.0,
        ),
        diabats=len(dataset.states),
        head=head,
    )
    model = DiabaticModel(information, seed=1)
    model.network.double()
    initialise(model, dataset)
    return model


def test_the_mean_over_all_draws_is_the_full_term(make_labelled, make_config):
    dataset = make_labelled(6, basis=True)
    model = make_model(dataset, QuasiDiabaticHead(dipoles=True))
    labels = Labels.of(dataset, CPU)
    whole = mean_loss(model, labels, config=make_config())
    parts = [
        sampled_loss(
            model,
            positions=labels.positions,
            energies=labels.energies,
            forces=labels.forces,
            coupling=labels.coupling,
            dipoles=labels.dipoles,
            draw=torch.as_tensor((np.arange(6) + shift) % 3),
            weights=WEIGHTS,
            late=True,
        )
        for shift in range(3)
    ]
    mean = torch.stack([part.dipole for part in parts]).mean().item()
    assert whole["dipole"] > 0.1
    assert mean == pytest.approx(whole["dipole"], rel=1e-10)
    total = torch.stack([part.total for part in parts]).mean().item()
    assert total == pytest.approx(whole["total"], rel=1e-10)


@pytest.mark.parametrize("target", ["adiabatic", "diabatic"])
def test_dipoles_are_learned_beside_the_rest(make_labelled, make_config, target: str):
    dataset = make_labelled(32, basis=True)
    model = make_model(dataset, QuasiDiabaticHead(dipoles=True))
    labels = Labels.of(dataset, CPU)
    config = make_config(loss__dipole=3.0, loss__target=target)
    before = dipole_errors(compare(model, dataset))
    optimiser = torch.optim.Adam(model.network.parameters(), lr=0.01)
    for number in range(40):
        set_gradient(model, labels, config=config, late=False, step=number)
        optimiser.step()
    after = dipole_errors(compare(model, dataset))
    assert before is not None
    assert after is not None
    assert after["frames"] == 32
    assert after["mean_error_e_bohr"] < 0.6 * before["mean_error_e_bohr"]
    assert after["r2"] > 0.5


def test_labels_or_models_without_dipoles_have_no_errors_of_dipoles(make_labelled):
    without, having = make_labelled(4), make_labelled(4, basis=True)
    for dataset, head in ((without, DirectHead(dipoles=True)), (having, DirectHead())):
        assert dipole_errors(compare(make_model(dataset, head), dataset)) is None
