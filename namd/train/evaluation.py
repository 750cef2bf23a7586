"""A model on a dataset: predictions in batches, compared in the user's units."""

import numpy as np
import torch

from namd.data.dataset import Dataset
from namd.errors import ModelError
from namd.nn.model import DiabaticModel
from namd.nn.parallel import side_by_side
from namd.train.dipole_loss import joint_pair_signs
from namd.train.loss import align_coupling
from namd.train.metrics import Comparison, Spread, in_ev, in_ev_per_angstrom
from namd.train.predictors import Predictor, Single

_SLICE = 32


def require_fit(model: DiabaticModel | Predictor, dataset: Dataset, *, where: str) -> None:
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


def compare(model: DiabaticModel | Predictor, dataset: Dataset) -> Comparison:
    """Predict every frame of a dataset and put the result beside its labels.

    Deviations are in it where the model has them, not calibrated.
    """
    predictor = Single(model) if isinstance(model, DiabaticModel) else model
    states = len(dataset.states)
    device = predictor.device
    reference = dataset.interstate_coupling_or_none
    told = dataset.get("transition_dipoles")

    def predict(start: int) -> dict[str, np.ndarray]:
        chosen = slice(start, start + _SLICE)
        positions = torch.from_numpy(dataset["positions"][chosen]).to(device)
        made, deviation = predictor.predict(positions)
        fields = {
            "energies": made.energies,
            "forces": made.forces,
            "coupling": made.interstate_coupling,
        }
        if reference is not None:
            theirs = torch.from_numpy(reference[chosen]).to(device)
            fields["reference"] = align_coupling(made.interstate_coupling, theirs, states=states)
            if told is not None and made.transition_dipoles is not None:
                dipoles = torch.from_numpy(told[chosen]).to(device)
                signs = joint_pair_signs(made, coupling=theirs, dipoles=dipoles)
                fields["dipoles"] = made.transition_dipoles
                fields["told"] = dipoles * signs[:, :, None]
        if deviation is not None:
            fields |= {
                "energy_spread": deviation.energies,
                "gap_spread": deviation.gaps,
                "force_spread": deviation.forces,
                "coupling_spread": deviation.couplings,
            }
        return {name: field.cpu().numpy() for name, field in fields.items()}

    parts = side_by_side(predict, range(0, len(dataset), _SLICE))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    coupled = reference is not None
    spread = None
    if "energy_spread" in found:
        spread = Spread(
            energies=in_ev(found["energy_spread"]),
            gaps=in_ev(found["gap_spread"]),
            forces=in_ev_per_angstrom(found["force_spread"]),
            coupling=in_ev_per_angstrom(found["coupling_spread"]),
            freedom=predictor.freedom,
        )
    return Comparison(
        energies=in_ev(found["energies"]),
        reference_energies=in_ev(dataset["energies"]),
        forces=in_ev_per_angstrom(found["forces"]),
        reference_forces=in_ev_per_angstrom(dataset["forces"]),
        coupling=in_ev_per_angstrom(found["coupling"]) if coupled else None,
        reference_coupling=in_ev_per_angstrom(found["reference"]) if coupled else None,
        dipoles=found.get("dipoles"),
        reference_dipoles=found.get("told"),
        spread=spread,
    )
