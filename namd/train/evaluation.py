"""A model on a dataset: predictions in batches, compared in the user's units."""

import numpy as np
import torch

from namd.data.dataset import Dataset
from namd.errors import ModelError
from namd.nn.model import DiabaticModel
from namd.train.loss import align_coupling
from namd.train.metrics import Comparison, in_ev, in_ev_per_angstrom

_BATCH = 32


def require_fit(model: DiabaticModel, dataset: Dataset, *, where: str) -> None:
    """Refuse a dataset of another molecule or number of states.

    Raises
    ------
    ModelError
        Naming what differs.
    """
    info = model.information
    ours, theirs = info.molecule, dataset.molecule
    if len(ours) != len(theirs) or (ours.atomic_numbers != theirs.atomic_numbers).any():
        raise ModelError(
            f"model {info.name} is for {ours.formula} in its order of atoms, "
            f"the data hold {theirs.formula}",
            where=where,
            hint="use data of the same molecule with the atoms in the model's order",
        )
    if len(info.states) != len(dataset.states):
        raise ModelError(
            f"model {info.name} has {len(info.states)} states, the data {len(dataset.states)}",
            where=where,
            hint="use data with the model's states",
        )


def compare(model: DiabaticModel, dataset: Dataset) -> Comparison:
    """Predict every frame of a dataset and put the result beside its labels."""
    states = len(dataset.states)
    device = model.shift.device
    rows: dict[str, list[np.ndarray]] = {"energies": [], "forces": [], "coupling": []}
    aligned: list[np.ndarray] = []
    reference = dataset.interstate_coupling_or_none
    for start in range(0, len(dataset), _BATCH):
        chosen = slice(start, start + _BATCH)
        positions = torch.from_numpy(dataset["positions"][chosen]).to(device)
        predicted = model.adiabatic(positions)
        rows["energies"].append(predicted.energies.cpu().numpy())
        rows["forces"].append(predicted.forces.cpu().numpy())
        rows["coupling"].append(predicted.interstate_coupling.cpu().numpy())
        if reference is not None:
            theirs = torch.from_numpy(reference[chosen]).to(device)
            signed = align_coupling(predicted.interstate_coupling, theirs, states=states)
            aligned.append(signed.cpu().numpy())
    stacked = {name: np.concatenate(parts) for name, parts in rows.items()}
    return Comparison(
        energies=in_ev(stacked["energies"]),
        reference_energies=in_ev(dataset["energies"]),
        forces=in_ev_per_angstrom(stacked["forces"]),
        reference_forces=in_ev_per_angstrom(dataset["forces"]),
        coupling=in_ev_per_angstrom(stacked["coupling"]) if aligned else None,
        reference_coupling=in_ev_per_angstrom(np.concatenate(aligned)) if aligned else None,
    )
