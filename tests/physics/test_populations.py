"""Diabatic populations of surface hopping on published models, beside exact quantum dynamics.

Surface hopping is not exact, and two things are asked of it. It must be what fewest-switches
surface hopping is on these models: the populations of 2000 trajectories (``python
benchmarks/populations.py --methods fssh --trajectories 2000 --seed 2``), within four standard
errors. And it must be as close to the exact curves as those 2000 are, plus what few trajectories
add. The exact curves are tested in ``test_exact_dynamics``.
"""

import json
from dataclasses import replace
from pathlib import Path

import exact
import numpy as np
import pytest
import torch
from exact.cases import CASES
from exact.trajectories import run_case

from namd.potentials.morse import MODELS, morse

CURVES = json.loads(
    (Path(exact.__file__).parents[1] / "results" / "exact-populations.json").read_text("utf-8")
)["curves"]

TRAJECTORIES, MANY = 250, 2000

KNOWN = {
    "morse-1": ({10: (0.755, 0.245, 0.0), 35: (0.598, 0.246, 0.156)}, 0.009),
    "morse-2": ({5: (0.308, 0.055, 0.637), 30: (0.087, 0.384, 0.529)}, 0.047),
    "morse-3": ({18: (0.496, 0.505, -0.001), 35: (0.090, 0.636, 0.274)}, 0.006),
    "pyrazine": ({8: (0.354, 0.646), 24: (0.915, 0.085)}, 0.022),
    "spin-boson": ({8: (0.305, 0.695), 20: (0.424, 0.576)}, 0.011),
}
"""Frame → populations of the 2000, and their mean deviation from exact up to the last one."""


@pytest.mark.parametrize("name", list(KNOWN))
def test_surface_hopping_gives_its_known_populations(name):
    known, deviation = KNOWN[name]
    case = replace(CASES[name], frames=max(known))
    found = run_case(name, case, {"preset": "fssh"}, trajectories=TRAJECTORIES, seed=7)
    assert found.parked == 0
    for frame, expected in known.items():
        error = found.standard_errors[frame] * np.sqrt(1 + TRAJECTORIES / MANY)
        assert (np.abs(found.populations[frame] - expected) <= 4 * error + 1e-3).all(), frame
    quantum = np.array(CURVES[name]["populations"])[: max(known) + 1]
    few = 3 * found.standard_errors.mean()
    assert np.abs(found.populations - quantum).mean() < deviation + few
    # It starts in the diabat: exactly in the wave function, up to chance in the active states.
    start = np.abs(found.populations[0] - quantum[0])
    assert (start <= 4 * found.standard_errors[0] + 1e-12).all()


def test_the_gap_of_the_morse_models_hides_their_crossings():
    """With a narrow Gaussian coupling, 8aV² > ΔF², the gap curves downwards where states cross.

    This is why methods that read the coupling off the gap (curvature, Landau-Zener) fail there.
    """
    for number, model in enumerate(MODELS, start=1):
        for pair, (coupling, x) in enumerate(zip(model.coupling, model.crossing, strict=True)):
            if coupling == 0:
                continue
            states = [[0, 1], [0, 2], [1, 2]][pair]
            positions = torch.zeros(3, 1, 3, dtype=torch.float64)
            positions[:, 0, 0] = x + torch.tensor([-0.02, 0.0, 0.02], dtype=torch.float64)
            block = morse(number).hamiltonian(positions)[:, states][:, :, states]
            energies = torch.linalg.eigvalsh(block)
            gap = energies[:, 1] - energies[:, 0]
            assert gap[0] + gap[2] < 2 * gap[1]
