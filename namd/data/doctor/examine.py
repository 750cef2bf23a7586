"""Everything that can be found in a dataset, the worst first."""

import numpy as np

from namd.data.checks import find_faults
from namd.data.dataset import Dataset
from namd.data.doctor.consistency import (
    find_equal_energies,
    find_net_vectors,
    find_unknown,
    find_wrong_eigenvalues,
)
from namd.data.doctor.doubles import find_doubles
from namd.data.doctor.ordering import sort_states
from namd.data.doctor.outliers import find_odd_geometries, find_outliers, find_wide_gaps
from namd.data.doctor.signs import find_flips
from namd.data.doctor.steps import find_jumps, find_wrong_velocities
from namd.data.doctor.units import find_unit_slips, mend_units
from namd.data.finding import Finding

_SEVERITIES = ("error", "warning", "note")


@np.errstate(invalid="ignore", over="ignore")  # NaN and ∞ are told by find_faults
def examine(dataset: Dataset) -> tuple[Finding, ...]:
    """Judge a dataset.

    A slipped unit or a wrong order is told once: all the rest is judged in mended units and in
    mended order.

    Parameters
    ----------
    dataset
        Well-formed frames; their numbers may be anything.

    Returns
    -------
    tuple of Finding
        Errors, warnings, notes. Forces known for some states only are a warning here.
    """
    if not len(dataset):
        return tuple(find_faults(dataset))
    mended = mend_units(dataset)
    found = [*find_unit_slips(dataset), *find_faults(mended, require_forces=False)]
    mended, _ = sort_states(mended)
    for find in (
        find_unknown,
        find_odd_geometries,
        find_wide_gaps,
        find_outliers,
        find_equal_energies,
        find_jumps,
        find_wrong_velocities,
        find_doubles,
        find_net_vectors,
        find_wrong_eigenvalues,
        find_flips,
    ):
        found += find(mended)
    return tuple(sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity)))
