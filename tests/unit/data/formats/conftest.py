"""A dataset with every property of the registry."""

import numpy as np
import pytest

from namd.schema import PROPERTIES


@pytest.fixture
def everything(make_labelled):
    """Five frames of CH2NH2+ in three states with a value for every property, NaN among them."""
    dataset = make_labelled(5, states=3, basis=True)
    rng = np.random.default_rng(3)
    frames, states, atoms, pairs = len(dataset), 3, 6, 3
    lengths = {"state": states, "atom": atoms, "pair": pairs, "diabat": 4, "xyz": 3}
    arrays = dict(dataset.arrays)
    for name, prop in PROPERTIES.items():
        shape = (frames, *(lengths[axis] for axis in prop.axes))
        if name in arrays and name not in {"diabatic_hamiltonian", "group"}:
            continue
        if prop.dtype == "str":
            arrays[name] = np.array(["walk 1", "007", "T", 'a "quoted" \\ one', "Ä=é, 2"])
        elif prop.dtype == "int64":
            arrays[name] = rng.integers(-1, 3, shape)
        elif prop.dtype == "complex128":
            arrays[name] = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        else:
            arrays[name] = rng.standard_normal(shape)
    arrays["interstate_coupling"] = dataset.interstate_coupling.copy()
    arrays["forces"] = arrays["forces"].copy()
    arrays["forces"][2, 1] = np.nan
    return make_labelled(5, states=3, arrays=arrays, title='Springs of "1977"', licence="CC BY 4.0")
