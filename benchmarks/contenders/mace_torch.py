"""MACE of the package mace-torch: energy and forces of one state, graphs made beforehand.

The published configuration (two interactions, l ≤ 3, correlation 3, 8 Bessel waves, radial
perceptron 64, 64, 64) with all hidden irreps up to 3o, and the common one with scalars and vectors.
"""

import copy
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import worker

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # for the tables of the old e3nn

import numpy as np
import torch
from e3nn import o3
from mace import modules

IRREPS = {"0e+1o": 1, "0e+1o+2e+3o": 3}


class Mace:
    """One MACE with random weights."""

    def __init__(self, channels: int, hidden_l: int) -> None:
        self.frames = worker.frames()
        self.elements = sorted(set(self.frames["atomic_numbers"].tolist()))
        block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
        torch.manual_seed(0)
        model = modules.ScaleShiftMACE(
            r_max=worker.CUTOFF,
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=2,
            num_elements=len(self.elements),
            hidden_irreps=o3.Irreps(
                "+".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(hidden_l + 1))
            ),
            MLP_irreps=o3.Irreps("16x0e"),
            gate=torch.nn.functional.silu,
            atomic_energies=np.zeros(len(self.elements)),
            avg_num_neighbors=15.0,
            atomic_numbers=self.elements,
            correlation=3,
            radial_MLP=[64, 64, 64],
            use_reduced_cg=False,  # as mace_run_train has it, and the published sizes
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )
        self.parameters = worker.parameter_count(model)
        self.models = {"potential": copy.deepcopy(model).requires_grad_(False), "training": model}

    def action(self, task: str, batch: int) -> Callable[[], object]:
        """Energies and forces, or an update."""
        graph, model = self.graph(batch), self.models[task]
        if task == "potential":
            return lambda: model(dict(graph), training=False, compute_force=True)

        def evaluate() -> tuple[torch.Tensor, torch.Tensor]:
            found = model(dict(graph), training=True, compute_force=True)
            return found["energy"], found["forces"]

        energies, forces = (
            torch.from_numpy(self.frames[name][:batch]).float() for name in ("energies", "forces")
        )
        return worker.update(
            list(model.parameters()), evaluate, energies=energies, forces=forces.flatten(0, 1)
        )

    def graph(self, batch: int) -> dict[str, Any]:
        """What the package makes of so many molecules."""
        places = self.frames["positions"][:batch]
        atoms = places.shape[1]
        receiver, sender = worker.neighbours(places)
        numbers = np.tile(self.frames["atomic_numbers"], batch)
        one_hot = np.stack([numbers == element for element in self.elements], axis=1)
        return {
            "positions": torch.from_numpy(places.reshape(-1, 3)).float(),
            "node_attrs": torch.from_numpy(one_hot).float(),
            "edge_index": torch.stack([sender, receiver]),
            "shifts": torch.zeros(len(sender), 3),
            "unit_shifts": torch.zeros(len(sender), 3),
            "cell": torch.zeros(3 * batch, 3),
            "batch": torch.arange(batch).repeat_interleave(atoms),
            "ptr": torch.arange(batch + 1) * atoms,
        }


if __name__ == "__main__":
    worker.serve(
        {
            f"mace-torch {channels} {irreps}": partial(Mace, channels, hidden_l)
            for irreps, hidden_l in IRREPS.items()
            for channels in (32, 64)
        },
        packages=("mace-torch", "e3nn"),
    )
