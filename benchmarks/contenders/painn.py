"""PaiNN of the package schnetpack: energy and forces of one state, graphs made beforehand."""

import copy
import typing
from collections.abc import Callable
from functools import partial

import torch
import worker
from torch.utils.data import dataloader

if not hasattr(dataloader, "T_co"):  # an annotation of schnetpack's data loader needs it
    dataloader.T_co = typing.TypeVar("T_co", covariant=True)

import schnetpack
from schnetpack import properties


class PaiNN:
    """One PaiNN with random weights: three interactions, 20 Gaussians."""

    def __init__(self, channels: int) -> None:
        self.frames = worker.frames()
        torch.manual_seed(0)
        model = schnetpack.model.NeuralNetworkPotential(
            representation=schnetpack.representation.PaiNN(
                n_atom_basis=channels,
                n_interactions=3,
                radial_basis=schnetpack.nn.GaussianRBF(n_rbf=20, cutoff=worker.CUTOFF),
                cutoff_fn=schnetpack.nn.CosineCutoff(worker.CUTOFF),
            ),
            input_modules=[schnetpack.atomistic.PairwiseDistances()],
            output_modules=[
                schnetpack.atomistic.Atomwise(n_in=channels, output_key="energy"),
                schnetpack.atomistic.Forces(energy_key="energy", force_key="forces"),
            ],
            do_postprocessing=False,
        )
        self.parameters = worker.parameter_count(model)
        self.models = {"potential": copy.deepcopy(model).requires_grad_(False), "training": model}

    def action(self, task: str, batch: int) -> Callable[[], object]:
        """Energies and forces, or an update."""
        graph, model = self.graph(batch), self.models[task]

        def evaluate() -> tuple[torch.Tensor, torch.Tensor]:
            found = model({**graph, properties.R: graph[properties.R].detach()})
            return found["energy"], found["forces"]

        if task == "potential":
            model.eval()
            return evaluate
        energies, forces = (
            torch.from_numpy(self.frames[name][:batch]).float() for name in ("energies", "forces")
        )
        return worker.update(
            list(model.train().parameters()),
            evaluate,
            energies=energies,
            forces=forces.flatten(0, 1),
        )

    def graph(self, batch: int) -> dict[str, torch.Tensor]:
        """What the package makes of so many molecules."""
        places = self.frames["positions"][:batch]
        atoms = places.shape[1]
        first, second = worker.neighbours(places)
        return {
            properties.R: torch.from_numpy(places.reshape(-1, 3)).float(),
            properties.Z: torch.from_numpy(self.frames["atomic_numbers"]).repeat(batch),
            properties.idx_i: first,
            properties.idx_j: second,
            properties.offsets: torch.zeros(len(first), 3),
            properties.idx_m: torch.arange(batch).repeat_interleave(atoms),
            properties.n_atoms: torch.full((batch,), atoms),
        }


if __name__ == "__main__":
    worker.serve(
        {f"painn {channels}": partial(PaiNN, channels) for channels in (32, 64)},
        packages=("schnetpack",),
    )
