"""Classes of geometries: how a run says what counts as a product.

A small language: named internal coordinates, then an ordered list of classes with bounds on them;
the first class whose bounds all hold is the geometry's class::

    coordinates:
      - {kind: dihedral, name: torsion, atoms: [5, 6, 7, 8]}
    classes:
      - {name: cis, bounds: [{coordinate: torsion, below_degrees: 90}]}
      - {name: trans, bounds: [{coordinate: torsion, at_least_degrees: 90}]}

It is the ``analysis`` section of a run configuration, or a file given to ``--classes``.
"""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from namd.config.section import Section
from namd.errors import ConfigError

AtomIndex = NonNegativeInt
Name = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]

RESERVED = frozenset({"undecided", "failed"})
ANGULAR = frozenset({"dihedral", "angle", "pyramidalisation"})
"""Kinds of coordinates that are in degrees; the others are in Å."""


class Dihedral(Section):
    """Unsigned dihedral angle of four atoms, 0° (eclipsed, cis) to 180° (trans)."""

    kind: Literal["dihedral"]
    name: Name = Field(description="how bounds refer to this coordinate")
    atoms: tuple[AtomIndex, AtomIndex, AtomIndex, AtomIndex] = Field(
        description="0-based atom numbers; the angle is around the middle bond"
    )


class Angle(Section):
    """Angle of three atoms at the middle one, 0° to 180°."""

    kind: Literal["angle"]
    name: Name = Field(description="how bounds refer to this coordinate")
    atoms: tuple[AtomIndex, AtomIndex, AtomIndex] = Field(description="0-based atom numbers")


class Distance(Section):
    """Distance of two atoms."""

    kind: Literal["distance"]
    name: Name = Field(description="how bounds refer to this coordinate")
    atoms: tuple[AtomIndex, AtomIndex] = Field(description="0-based atom numbers")


class MinDistance(Section):
    """The shortest among the distances of several pairs of atoms."""

    kind: Literal["min_distance"]
    name: Name = Field(description="how bounds refer to this coordinate")
    pairs: tuple[tuple[AtomIndex, AtomIndex], ...] = Field(
        min_length=1, description="pairs of 0-based atom numbers"
    )


class Pyramidalisation(Section):
    """How far three-coordinate atoms are from flat, 0° to 90°; of several the one that is furthest.

    At each centre it is the angle of the bond to the anchor with the plane of the centre and its
    two other neighbours.
    """

    kind: Literal["pyramidalisation"]
    name: Name = Field(description="how bounds refer to this coordinate")
    centres: tuple[tuple[AtomIndex, AtomIndex, AtomIndex, AtomIndex], ...] = Field(
        min_length=1,
        description="0-based atom numbers of each centre: itself, the anchor, its other neighbours",
    )


class Position(Section):
    """One Cartesian coordinate of one atom, for model particles."""

    kind: Literal["position"]
    name: Name = Field(description="how bounds refer to this coordinate")
    atom: AtomIndex = Field(description="0-based atom number")
    axis: Literal["x", "y", "z"] = Field(description="which coordinate")


Coordinate = Annotated[
    Dihedral | Angle | Distance | MinDistance | Pyramidalisation | Position,
    Field(discriminator="kind"),
]


class Bound(Section):
    """A half-open interval on one coordinate: at_least ≤ value < below."""

    coordinate: Name = Field(description="name of a declared coordinate")
    at_least_degrees: float | None = Field(None, ge=0, le=180, description="of an angle, inclusive")
    below_degrees: float | None = Field(None, ge=0, le=180, description="of an angle, exclusive")
    at_least_angstrom: float | None = Field(None, description="of a length or position, inclusive")
    below_angstrom: float | None = Field(None, description="of a length or position, exclusive")

    @property
    def interval(self) -> tuple[float, float]:
        """Lower (inclusive) and upper (exclusive) end, degrees or Å."""
        lows = (self.at_least_degrees, self.at_least_angstrom)
        highs = (self.below_degrees, self.below_angstrom)
        low = next((x for x in lows if x is not None), float("-inf"))
        high = next((x for x in highs if x is not None), float("inf"))
        return low, high

    @property
    def is_angular(self) -> bool:
        """Whether the bound is in degrees."""
        return self.at_least_degrees is not None or self.below_degrees is not None

    @model_validator(mode="after")
    def _one_unit_and_not_empty(self) -> "Bound":
        lengths = self.at_least_angstrom is not None or self.below_angstrom is not None
        if lengths == self.is_angular:
            raise ValueError("expected bounds in degrees or in angstrom, at least one, not both")
        low, high = self.interval
        if not low < high:
            raise ValueError(f"the interval from {low:g} to below {high:g} is empty")
        return self


class GeometryClass(Section):
    """One class: every bound must hold."""

    name: Name = Field(description="the name shown in tables")
    bounds: tuple[Bound, ...] = Field(min_length=1, description="conditions, all of which hold")


class AnalysisConfig(Section):
    """Coordinates and the ordered classes made from them."""

    coordinates: tuple[Coordinate, ...] = Field(
        min_length=1, description="internal coordinates the classes refer to"
    )
    classes: tuple[GeometryClass, ...] = Field(
        min_length=1, description="tried in order; the first that fits is taken"
    )

    @model_validator(mode="after")
    def _names_fit(self) -> "AnalysisConfig":
        kinds = {c.name: c.kind for c in self.coordinates}
        for what, names in (
            ("coordinate", [c.name for c in self.coordinates]),
            ("class", [c.name for c in self.classes]),
        ):
            repeated = [name for name, count in Counter(names).items() if count > 1]
            if repeated:
                raise ValueError(f"the {what} {repeated[0]!r} is declared twice")
        for declared in self.classes:
            if declared.name in RESERVED:
                raise ValueError(f"{declared.name!r} is a class of its own; choose another name")
            for bound in declared.bounds:
                _check_bound(bound, declared.name, kinds)
        return self


def check_atoms(config: AnalysisConfig, n_atoms: int, *, where: str) -> None:
    """Refuse coordinates of atoms that do not exist or that repeat an atom.

    Raises
    ------
    ConfigError
        Naming the coordinate; ``where`` names the configuration.
    """
    for coordinate in config.coordinates:
        for atoms in _atom_groups(coordinate):
            if max(atoms) >= n_atoms or len(set(atoms)) != len(atoms):
                raise ConfigError(
                    f"expected distinct atom numbers from 0 to {n_atoms - 1}",
                    where=f"{where}  coordinate {coordinate.name} = {list(atoms)}",
                    hint="atoms are counted from 0 in the order of the geometry",
                )


def _atom_groups(coordinate: Coordinate) -> tuple[tuple[int, ...], ...]:
    """Atoms that a coordinate speaks of, in groups within which none may repeat."""
    match coordinate.kind:
        case "min_distance":
            return coordinate.pairs
        case "pyramidalisation":
            return coordinate.centres
        case "position":
            return ((coordinate.atom,),)
        case _:
            return (coordinate.atoms,)


def _check_bound(bound: Bound, class_name: str, kinds: dict[str, Any]) -> None:
    if bound.coordinate not in kinds:
        known = ", ".join(kinds)
        raise ValueError(
            f"class {class_name!r} refers to {bound.coordinate!r}; declared coordinates: {known}"
        )
    if bound.is_angular != (kinds[bound.coordinate] in ANGULAR):
        unit = "angstrom" if bound.is_angular else "degrees"
        raise ValueError(
            f"class {class_name!r}: bounds on the {kinds[bound.coordinate]} "
            f"{bound.coordinate!r} are in {unit}"
        )
