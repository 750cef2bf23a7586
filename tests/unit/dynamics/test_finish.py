"""When a trajectory is finished."""

from dataclasses import replace

import torch

from namd.dynamics.batch import start
from namd.dynamics.finish import FinishRules
from namd.dynamics.status import Status
from namd.potentials.tully import tully


def test_finish_rules() -> None:
    positions = torch.zeros(5, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = -3.0
    state = torch.zeros(5, dtype=torch.int64)
    batch = start(tully(1), positions, torch.zeros_like(positions), state)
    still = torch.full_like(batch.status, Status.ACTIVE)
    assert (FinishRules(max_steps=1).apply(batch).status == still).all()
    old = replace(batch, step=torch.arange(5))
    assert FinishRules(max_steps=4).apply(old).status.tolist() == [0, 0, 0, 0, 1]
    outside = FinishRules(max_steps=9, outside=2.9).apply(batch)
    assert (outside.status == Status.FINISHED).all()
    settled = replace(
        old,
        last_hop_step=torch.tensor([-1, 0, 0, 0, 3]),
        active_state=torch.tensor([0, 0, 0, 1, 0]),
    )
    rule = FinishRules(max_steps=99, ground_state_steps=2)
    assert rule.apply(settled).status.tolist() == [0, 0, 1, 0, 0]
    parked = replace(settled, status=torch.full_like(still, Status.PARKED))
    assert (rule.apply(parked).status == Status.PARKED).all()
