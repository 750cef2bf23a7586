"""Labelled frames of one molecule in memory.

A :class:`Dataset` is what every reader returns and every writer and trainer takes: NumPy arrays
named as in :data:`namd.schema.PROPERTIES`, in atomic units and double precision, with the level
of theory they were computed at. It is well-formed by construction (names, shapes, lengths);
whether its *numbers* can be right is asked by :func:`namd.data.checks.check_dataset`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.errors import DataError
from namd.molecule import Molecule
from namd.schema import PROPERTIES, Property
from namd.states import StateSpace

REQUIRED = ("positions", "energies", "forces", "group", "source")
"""Arrays every dataset has."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled frames of one molecule, atomic units.

    Parameters
    ----------
    molecule
        The atoms, in the order of every ``atom`` axis.
    states
        The adiabatic states, in the order of every ``state`` axis.
    level_of_theory
        The method the labels were computed with, in words; empty if unknown.
    arrays
        Properties of the registry with a leading ``frame`` axis; always :data:`REQUIRED`.
        Unknown values are NaN (−1 for ``active_state``).
    multiplicity
        Spin multiplicity 2S + 1 of the states.
    title, licence
        For people.
    provenance
        Where the frames come from and what was done to them; anything JSON can hold.

    Raises
    ------
    DataError
        If an array is missing, unknown to the registry, or of the wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> from namd.molecule import Molecule
    >>> frames = Dataset(
    ...     molecule=Molecule.from_numbers(np.array([1, 1])),
    ...     states=StateSpace.singlets(2),
    ...     level_of_theory="FCI",
    ...     arrays={
    ...         "positions": np.array([[[0.0, 0, 0], [0, 0, 1.4]]]),
    ...         "energies": np.array([[-1.17, -0.70]]),
    ...         "forces": np.zeros((1, 2, 2, 3)),
    ...         "group": np.array(["h2"]),
    ...         "source": np.array(["scan"]),
    ...     },
    ... )
    >>> len(frames), frames.gaps.round(2).tolist()
    (1, [[0.47]])
    """

    molecule: Molecule
    states: StateSpace
    level_of_theory: str
    arrays: Mapping[str, np.ndarray]
    multiplicity: int = 1
    title: str = ""
    licence: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in REQUIRED:
            if name not in self.arrays:
                raise DataError(
                    f"'{name}' is missing",
                    where=name,
                    hint=f"a dataset always has {', '.join(REQUIRED)}",
                )
        frames = np.shape(self.arrays["positions"])[:1]
        arrays = {
            name: _well_formed(name, values, frames + self._shape(name))
            for name, values in self.arrays.items()
        }
        object.__setattr__(self, "arrays", MappingProxyType(arrays))

    def _shape(self, name: str) -> tuple[int, ...]:
        return axis_lengths(_property(name), molecule=self.molecule, states=self.states)

    def __len__(self) -> int:
        return len(self.arrays["positions"])

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self.arrays[name]
        except KeyError:
            raise DataError(
                f"the dataset has no '{name}'",
                where=name,
                hint=f"it has {', '.join(sorted(self.arrays))}",
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def get(self, name: str) -> np.ndarray | None:
        """The array of that name, None where the dataset has none."""
        return self.arrays.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def select(self, index: Bool[np.ndarray, " frame"] | Int[np.ndarray, " chosen"]) -> "Dataset":
        """Take the frames of a boolean mask or of a list of frame numbers, in its order.

        Parameters
        ----------
        index
            Boolean mask over the frames, or 0-based frame numbers.

        Returns
        -------
        Dataset
            The chosen frames with the same metadata.
        """
        index = np.asarray(index)
        if index.size == 0:
            index = np.zeros(0, dtype=np.int64)
        return replace(self, arrays={name: values[index] for name, values in self.arrays.items()})

    def lowest_states(self, number: int) -> "Dataset":
        """Keep the lowest ``number`` states and the pairs among them.

        An active state above them becomes unknown (−1).

        Raises
        ------
        DataError
            If there are not so many.
        """
        if not 1 <= number <= len(self.states):
            raise DataError(
                f"the {number} lowest states are wanted, the data have {len(self.states)}",
                where="states",
                hint=f"ask for 1 to {len(self.states)}",
            )
        states = StateSpace(self.states.labels[:number])
        pairs = [self.states.pair_index(i, j) for i, j in states.pairs]
        kept = {"state": np.arange(number), "pair": np.array(pairs, dtype=np.int64)}
        arrays = dict(self.arrays)
        for name, values in arrays.items():
            for axis, word in enumerate(PROPERTIES[name].axes, start=1):
                if word in kept:
                    arrays[name] = np.take(values, kept[word], axis=axis)
        if "active_state" in arrays:
            active = arrays["active_state"]
            arrays["active_state"] = np.where(active < number, active, -1)
        return replace(self, states=states, arrays=arrays)

    @cached_property
    def gaps(self) -> Float[np.ndarray, "frame pair"]:
        """E_j − E_i of every pair i < j, Hartree."""
        first, second = _pair_columns(self.states)
        energies = self.arrays["energies"]
        gaps: np.ndarray = energies[:, second] - energies[:, first]
        return gaps

    @property
    def has_coupling(self) -> bool:
        """Whether couplings are there, as h or as d."""
        return "interstate_coupling" in self or "nonadiabatic_coupling" in self

    @cached_property
    def interstate_coupling(self) -> Float[np.ndarray, "frame pair atom 3"]:
        """h_ij = ⟨i|∇H|j⟩ = d_ij (E_j − E_i), Hartree/Bohr, from whichever of h and d is stored.

        Raises
        ------
        DataError
            If neither is.
        """
        if "interstate_coupling" in self:
            return self.arrays["interstate_coupling"]
        if "nonadiabatic_coupling" in self:
            coupling: np.ndarray = (
                self.arrays["nonadiabatic_coupling"] * self.gaps[:, :, None, None]
            )
            return coupling
        raise DataError(
            "the dataset holds no couplings between its states",
            where="interstate_coupling",
            hint="add 'nonadiabatic_coupling' (d, 1/bohr) or 'interstate_coupling' (h, "
            "hartree/bohr) with the axes [frame, pair, atom, 3]",
        )

    @cached_property
    def nonadiabatic_coupling(self) -> Float[np.ndarray, "frame pair atom 3"]:
        """d_ij = ⟨i|∇j⟩ = h_ij/(E_j − E_i), 1/Bohr, from whichever of d and h is stored.

        NaN where only h is and the gap is zero.

        Raises
        ------
        DataError
            If neither is.
        """
        if "nonadiabatic_coupling" in self:
            return self.arrays["nonadiabatic_coupling"]
        gaps = self.gaps[:, :, None, None]
        coupling: np.ndarray = self.interstate_coupling / np.where(gaps == 0.0, np.nan, gaps)
        return coupling

    @property
    def interstate_coupling_or_none(self) -> Float[np.ndarray, "frame pair atom 3"] | None:
        """:attr:`interstate_coupling`, or None where the dataset has no couplings."""
        return self.interstate_coupling if self.has_coupling else None


def axis_lengths(prop: Property, *, molecule: Molecule, states: StateSpace) -> tuple[int, ...]:
    """Lengths of the axes of a property after the ``frame`` axis; −1 where any length will do.

    Parameters
    ----------
    prop
        Entry of the registry.
    molecule, states
        What gives ``atom``, ``state`` and ``pair`` their lengths. The number of diabats is free.

    Returns
    -------
    tuple of int
        One length per axis of ``prop.axes``.
    """
    lengths = {
        "atom": len(molecule),
        "state": len(states),
        "pair": len(states.pairs),
        "diabat": -1,
        "xyz": 3,
    }
    return tuple(lengths[axis] for axis in prop.axes)


def _property(name: str) -> Property:
    if name not in PROPERTIES:
        raise DataError(
            f"'{name}' is no property namd knows",
            where=name,
            hint=f"known: {', '.join(PROPERTIES)}",
        )
    return PROPERTIES[name]


def _well_formed(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``values`` in the registry's dtype, or say how its shape differs from ``shape``."""
    prop = _property(name)
    values = np.asarray(values)
    fits = len(values.shape) == len(shape) and all(
        wanted in (found, -1) for found, wanted in zip(values.shape, shape, strict=True)
    )
    if not fits:
        axes = ", ".join(
            axis if length == -1 else f"{axis} {length}"
            for axis, length in zip(("frame", *prop.axes), shape, strict=True)
        )
        raise DataError(
            f"'{name}' has the shape {list(values.shape)}, expected [{axes}]",
            where=name,
            hint="check the number of atoms, states and pairs (i < j), and the order of the axes",
        )
    try:
        return values.astype(prop.dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"'{name}' holds {values.dtype}, expected numbers ({prop.dtype})", where=name
        ) from error


def _pair_columns(states: StateSpace) -> tuple[list[int], list[int]]:
    return [i for i, _ in states.pairs], [j for _, j in states.pairs]
