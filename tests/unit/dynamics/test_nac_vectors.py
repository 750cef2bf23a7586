"""Propagation with coupling vectors: the formula read literally, limits, and what is remembered."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from namd.dynamics.batch import select
from namd.dynamics.checkpoint import Checkpoint, resume_checkpoint, save_checkpoint
from namd.dynamics.electronic.coupled import propagate_coupled
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.time_coupling import antisymmetric, time_derivative_coupling
from namd.errors import ConfigError
from namd.io.ensemble_writer import Block, write_part
from namd.io.run_folder import create_run_folder


def random_problem(states, *, substeps, batch=4, coupling=0.02, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    energies = (0.05 * noise(2, batch, states)).sort(-1).values - 1.0
    pairs = states * (states - 1) // 2
    couplings = antisymmetric(coupling * noise(batch, substeps, pairs), states=states)
    return energies[0], energies[1], couplings


@pytest.mark.parametrize("states", [1, 2, 3, 5])
@pytest.mark.parametrize("substeps", [1, 7])
def test_the_propagator_is_the_product_of_exponentials(states, substeps):
    e0, e1, couplings = random_problem(states, substeps=substeps)
    found = propagate_coupled(e0, e1, couplings=couplings, timestep=20.0).propagator
    for row in range(len(e0)):
        expected = np.eye(states)
        for k in range(1, substeps + 1):
            h = np.diag((e0 + k / substeps * (e1 - e0))[row].numpy())
            generator = (-1j * h - couplings[row, k - 1].numpy()) * 20.0 / substeps
            expected = expm(generator) @ expected
        np.testing.assert_allclose(found[row].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("states", [2, 3])
@pytest.mark.parametrize("coupling", [0.0, 1e-12, 0.1, 10.0, 1e9])
def test_it_is_unitary_for_any_size_of_the_coupling(states, coupling):
    e0, e1, couplings = random_problem(states, substeps=25, coupling=coupling)
    r = propagate_coupled(e0, e1, couplings=couplings, timestep=20.0).propagator
    unit = torch.eye(states, dtype=torch.complex128)
    assert (r.mH @ r - unit).abs().max() < 1e-13


def test_rabi_oscillation():
    """Constant gap Δ and coupling T: |c_1|² = T²/Ω² sin²Ωt with Ω² = Δ²/4 + T²."""
    gap, coupling, dt, steps = 0.01, 0.004, 20.0, 200
    energies = torch.tensor([[-3.0, -3.0 + gap]], dtype=torch.float64)
    path = antisymmetric(torch.full((1, 25, 1), coupling, dtype=torch.float64), states=2)
    r = propagate_coupled(energies, energies, couplings=path, timestep=dt).propagator[0]
    c = torch.tensor([1.0, 0.0], dtype=torch.complex128)
    omega = (0.25 * gap**2 + coupling**2) ** 0.5
    for k in range(1, steps + 1):
        c = r @ c
        expected = (coupling / omega * np.sin(omega * dt * k)) ** 2
        assert abs(c[1].abs().item() ** 2 - expected) < 1e-12
        assert abs(c.abs().square().sum() - 1) < 1e-12


def test_it_meets_local_diabatisation_as_the_step_shrinks(amplitudes_after):
    """Three coupled states; the median trajectory, as some come too near an intersection.

    The order is one, from the substeps' right ends; its constant is that of dt/25.
    """
    differences = []
    for dt in (4.0, 2.0, 1.0):
        nac = amplitudes_after(NacVectors(), dt)
        local = amplitudes_after(LocalDiabatization(), dt)
        differences.append((nac - local).abs().amax(1).median().item())
    assert differences[0] > 1.8 * differences[1] > 3.2 * differences[2]
    assert differences[2] < 1e-3


def test_the_coupling_is_the_change_of_the_states(crowd, begin):
    """T_ij = ⟨i|∂_t j⟩ by a central difference of the eigenvectors along the velocity."""
    options = replace(crowd.options, electronic=NacVectors())
    batch = begin(options)
    found = time_derivative_coupling(batch)
    assert torch.equal(found, -found.mT)
    delta = 1e-3
    frames = []
    for sign in (1.0, -1.0):
        positions = batch.positions + sign * delta * batch.velocities
        u = crowd.potential.surfaces(positions, batch.active_state).eigenvectors
        frames.append(u * (u * batch.eigenvectors).sum(1, keepdim=True).sign())
    expected = batch.eigenvectors.mT @ (frames[0] - frames[1]) / (2 * delta)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9)


def test_degenerate_states_have_no_coupling(crowd, begin):
    batch = begin(replace(crowd.options, electronic=NacVectors()))
    met = replace(batch, energies=torch.zeros_like(batch.energies))
    assert (time_derivative_coupling(met) == 0).all()


def test_the_step_after_a_hop_begins_with_the_velocity_asked_for(crowd, begin, evolve):
    """Before any hop both ways are the same; after one they differ."""
    after = replace(crowd.options, electronic=NacVectors())
    before = replace(crowd.options, electronic=NacVectors(velocities_before_hop=True))
    one, records = evolve(begin(after), crowd.potential, after, steps=12)
    two, _ = evolve(begin(before), crowd.potential, before, steps=12)
    changed = torch.stack([r.accepted for r in records[:-1]]).any(0)
    assert 0 < changed.sum() < 64
    same = (one.amplitudes == two.amplitudes).all(1)
    assert same[~changed].all()
    assert not same[changed].all()


@pytest.mark.parametrize("remembering", [False, True])
def test_a_batch_can_be_cut_and_resumed_to_the_same_bits(
    crowd, begin, evolve, tmp_path, remembering
):
    electronic = NacVectors(velocities_before_hop=remembering)
    options = replace(crowd.options, electronic=electronic)
    whole, _ = evolve(begin(options), crowd.potential, options, steps=30)
    half, _ = evolve(begin(options), crowd.potential, options, steps=13)
    folder = create_run_folder(tmp_path / "run")
    final = {name: np.zeros(64) for name in ("status", "reason", "step")}
    digest = write_part(folder, 0, Block(frames={"step": np.array([0])}, hops={}, final=final))
    save_checkpoint(folder, Checkpoint(batch=half, step=13, hops=0, digests=(digest,)))
    resumed = resume_checkpoint(folder, device="cpu").batch
    for rows in (torch.arange(64), torch.arange(5, 12)):
        part, _ = evolve(select(resumed, rows), crowd.potential, options, steps=17)
        assert torch.equal(part.positions, whole.positions[rows])
        assert torch.equal(part.amplitudes.real, whole.amplitudes.real[rows])


def test_no_substeps_is_refused():
    with pytest.raises(ConfigError, match="at least one substep"):
        NacVectors(substeps=0)
