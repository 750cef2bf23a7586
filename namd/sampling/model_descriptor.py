"""Tell frames apart by what a trained model sees of them."""

from functools import partial

from namd.data.frames import Frames
from namd.nn.descriptors import Standard, descriptors
from namd.nn.model import DiabaticModel
from namd.sampling.geometry import check_molecule
from namd.sampling.thinning import Descriptor, Measured


def model_descriptor(model: DiabaticModel) -> Descriptor:
    """Node features of a model, standardised over the frames that are thinned.

    Parameters
    ----------
    model
        A trained model. Frames of another molecule are a :class:`~namd.errors.ModelError` when
        they are measured.
    """
    return Descriptor(
        name=f"node features of the model {model.information.name}, pooled over each element",
        unit="standard deviations",
        measure=partial(_measure, model),
    )


def _measure(model: DiabaticModel, frames: Frames, known: Frames | None) -> Measured:
    check_molecule(frames.molecule.atomic_numbers, model.information.molecule, where="frames")
    found = descriptors(model, frames.positions)
    standard = Standard.of(found)
    theirs = None if known is None else standard(descriptors(model, known.positions))
    return standard(found), theirs
