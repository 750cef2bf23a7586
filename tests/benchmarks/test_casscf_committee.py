"""``benchmarks/casscf_committee.py``: errors of sets of members."""

import numpy as np
import pytest
import torch
from casscf_committee import FOLDER, by_size

from namd.data.reading import read_dataset
from namd.nn.model_folder import load_model
from namd.units import EV_PER_HARTREE


def test_one_member_has_its_own_errors_and_more_have_those_of_the_mean() -> None:
    test = read_dataset(FOLDER / "data" / "control.h5").select(np.arange(0, 80, 20))
    members = [load_model(FOLDER / f"member-{number}") for number in (1, 2)]
    positions = torch.from_numpy(test["positions"])
    energies = torch.stack([each.adiabatic(positions).energies.double() for each in members])
    wrong = (energies.detach().numpy() - test["energies"]) * EV_PER_HARTREE * 1000.0
    alone = np.abs(wrong).mean((1, 2))

    found = by_size(members, test)

    one, both = (found[size]["errors"]["energy_mae_mev"] for size in (1, 2))
    assert [one["least"], one["most"]] == pytest.approx(sorted(alone), rel=1e-3)
    assert both["mean"] == pytest.approx(np.abs(wrong.mean(0)).mean(), rel=1e-3)
    assert [found[size]["sets"] for size in (1, 2)] == [2, 1]
