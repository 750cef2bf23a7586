"""Begin a training from the weights of an earlier model."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from namd.data.dataset import Dataset
from namd.errors import ConfigError
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import load_model
from namd.nn.readout import SignedReadout
from namd.units import EV_PER_HARTREE

_MUST_AGREE = ("head", "states")
_OF_THE_READOUT = frozenset({"site_labels", "offdiagonal_limit_ev", "offdiagonal_bound"})

_ANOTHER_METHOD_EV = 1.0
"""No model errs by as much on average; total energies of two methods differ by more."""
_AT_MOST = 256


def take_weights(model: DiabaticModel, folder: Path) -> bool:
    """Copy weights, scale, shift and input normalisation of the model in ``folder``.

    Normalisation and weights belong together, so none of them is fitted to the new frames, but
    for the zero of energy (:func:`meet_energies`).
    The bound of W may be another, and its site labels: a readout with other labels begins anew.
    There may be more diabats: what they add to W begins anew.

    Parameters
    ----------
    model
        What is going to be trained; changed in place, on its own device and in its own precision.
    folder
        A model folder of the same molecule, states, network and head.

    Returns
    -------
    bool
        Whether W has the diabats of that model and equal atoms are told apart as there, so that
        all weights were taken.

    Raises
    ------
    ModelError
        If the folder cannot be read.
    ConfigError
        If it holds another network, head or molecule.
    """
    earlier = load_model(folder)
    here, there = model.information, earlier.information
    differing = [name for name in _MUST_AGREE if getattr(here, name) != getattr(there, name)]
    if _body(here) != _body(there):
        differing.insert(0, "architecture")
    readouts = any(isinstance(module, SignedReadout) for module in model.modules())
    if here.diabats < there.diabats or (here.diabats > there.diabats and not readouts):
        differing.append("diabats")
    if not np.array_equal(here.molecule.atomic_numbers, there.molecule.atomic_numbers):
        differing.append("atomic numbers")
    if differing:
        raise ConfigError(
            f"that model differs from the one to be trained in {', '.join(differing)}",
            where=f"initial_weights: {folder}",
            hint="take network, head and diabats from its train.yaml (bound and site labels may "
            "change, and a network with a readout of elements of W may have more diabats), or "
            "leave initial_weights out",
        )
    weights = model.state_dict()
    fresh = _other_readouts(model, earlier)
    taken = {**earlier.state_dict(), **_grown_readouts(model, earlier)}
    shift = model.shift.clone()
    shift[: there.diabats] = earlier.shift
    shift[there.diabats :] += earlier.shift[-1] - model.shift[there.diabats - 1]
    model.load_state_dict(
        {name: value if name in fresh else taken[name] for name, value in weights.items()}
        | {"shift": shift}
    )
    return not fresh and here.diabats == there.diabats


@torch.no_grad()
def meet_energies(model: DiabaticModel, training: Dataset) -> float:
    """Move W as a whole where the labels are of another method than the model learned.

    Total energies of two methods differ by a constant that may be a thousand eV. It is the mean
    difference over states and (at most 256) frames; a smaller one than 1 eV is left to the
    training.

    Parameters
    ----------
    model
        With the weights of the earlier model; changed in place.
    training
        The new frames.

    Returns
    -------
    float
        How far it was moved, eV; 0 where it was not.
    """
    rows = slice(None, None, -(-len(training) // _AT_MOST))
    labels = torch.from_numpy(training["energies"][rows]).to(model.shift.device)
    positions = torch.from_numpy(training["positions"][rows]).to(model.shift.device)
    energies = torch.linalg.eigvalsh(model.hamiltonian(positions))[:, : labels.shape[1]]
    difference = (labels - energies).mean()
    if abs(moved := float(difference) * EV_PER_HARTREE) < _ANOTHER_METHOD_EV:
        return 0.0
    model.shift += difference
    return moved


def _body(information: ModelInformation) -> dict[str, Any]:
    """Kind and sizes of a network without what its readout may change."""
    return information.architecture.model_dump(exclude=set(_OF_THE_READOUT))


def _grown_readouts(model: DiabaticModel, earlier: DiabaticModel) -> dict[str, torch.Tensor]:
    """Weights of readouts of more elements of W: of those they share, the earlier ones."""
    grown, old_modules = {}, dict(earlier.named_modules())
    for name, module in model.named_modules():
        old = old_modules.get(name)
        if not isinstance(module, SignedReadout) or not isinstance(old, SignedReadout):
            continue
        shared = torch.tensor([module.elements.index(element) for element in old.elements])
        before = old.state_dict()
        for weight, value in module.state_dict().items():
            if weight in before and value.shape != before[weight].shape:
                (axis,) = (
                    k for k, size in enumerate(value.shape) if size != before[weight].shape[k]
                )
                grown[f"{name}.{weight}"] = value.index_copy(axis, shared, before[weight])
    return grown


def _other_readouts(model: DiabaticModel, earlier: DiabaticModel) -> set[str]:
    """Names of the weights of those readouts that tell equal atoms apart in another way."""
    old = dict(earlier.named_modules())
    return {
        f"{name}.{weight}"
        for name, module in model.named_modules()
        if isinstance(module, SignedReadout)
        and module.state_dict().keys() != old[name].state_dict().keys()
        for weight in module.state_dict()
    }
