"""A model on a dataset: predictions in batches, compared in the user's units."""

import numpy as np
import torch

from namd.data.dataset import Dataset
from namd.errors import ModelError
from namd.nn.model import DiabaticModel
from namd.nn.parallel import side_by_side
from namd.train.dipole_loss import joint_pair_signs
from namd.train.loss import align_coupling
from namd.train.metrics import Comparison, in_ev, in_ev_per_angstrom

_SLICE = 32


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
            hint="use data with the model's states, or the lowest of them with --states",
        )


def compare(model: DiabaticModel, dataset: Dataset) -> Comparison:
    """Predict every frame of a dataset and put the result beside its labels."""
    states = len(dataset.states)
    device = model.shift.device
    reference = dataset.interstate_coupling_or_none
    told = dataset.get("transition_dipoles")

    def predict(start: int) -> tuple[np.ndarray, ...]:
        chosen = slice(start, start + _SLICE)
        positions = torch.from_numpy(dataset["positions"][chosen]).to(device)
        made = model.adiabatic(positions)
        fields = [made.energies, made.forces, made.interstate_coupling]
        if reference is not None:
            theirs = torch.from_numpy(reference[chosen]).to(device)
            fields.append(align_coupling(made.interstate_coupling, theirs, states=states))
            if told is not None and made.transition_dipoles is not None:
                dipoles = torch.from_numpy(told[chosen]).to(device)
                signs = joint_pair_signs(made, coupling=theirs, dipoles=dipoles)
                fields += [made.transition_dipoles, dipoles * signs[:, :, None]]
        return tuple(field.cpu().numpy() for field in fields)

    parts = side_by_side(predict, range(0, len(dataset), _SLICE))
    energies, forces, coupling, *others = map(np.concatenate, zip(*parts, strict=True))
    aligned, both = others[:1], others[1:]
    return Comparison(
        energies=in_ev(energies),
        reference_energies=in_ev(dataset["energies"]),
        forces=in_ev_per_angstrom(forces),
        reference_forces=in_ev_per_angstrom(dataset["forces"]),
        coupling=in_ev_per_angstrom(coupling) if aligned else None,
        reference_coupling=in_ev_per_angstrom(aligned[0]) if aligned else None,
        dipoles=both[0] if both else None,
        reference_dipoles=both[1] if both else None,
    )
