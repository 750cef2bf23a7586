"""The binary trees that fusion diagrams are made of, and their text form.

    tree   = leg | "(" tree tree ")" irreps
    leg    = name ":" irreps
    irreps = irrep { "+" irrep },   irrep = l parity, e.g. 1o

``((i:1o j:1o)2e Y:2e)0e`` couples legs i and j to spin 2e, and that with Y to a scalar. An edge may
carry several irreps: ``(Y:0e+1o h:0e+1o)0e+1o`` stands for every tree with one of each.
Reading a tree checks its grammar only; :class:`~namd.nn.fusion.diagram.FusionDiagram` checks what
it says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

from namd.errors import ConfigError
from namd.nn.fusion.irreps import Irreps, canonical, format_irreps, parse_irreps

_NAME = re.compile(r"[^\W\d]\w*")
_TOKEN = re.compile(r"\s*(?:(?P<bracket>[()])|(?P<word>[^\s()]+))")


@dataclass(frozen=True, slots=True)
class Leg:
    """An incoming edge; legs of equal name carry the same feature."""

    name: str
    irreps: Irreps

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} is no name",
                where="leg of a fusion diagram",
                hint="use a letter or _, then letters, digits and _",
            )
        _make_canonical(self, f"leg {self.name}")

    def __str__(self) -> str:
        return f"{self.name}:{format_irreps(self.irreps)}"


@dataclass(frozen=True, slots=True)
class Vertex:
    """A Clebsch–Gordan vertex; ``irreps`` are those of its outgoing edge."""

    left: Union[Leg, "Vertex"]
    right: Union[Leg, "Vertex"]
    irreps: Irreps

    def __post_init__(self) -> None:
        _make_canonical(self, f"vertex joining {self.left} and {self.right}")

    def __str__(self) -> str:
        return f"({self.left} {self.right}){format_irreps(self.irreps)}"


Tree = Leg | Vertex


def _make_canonical(edge: Tree, where: str) -> None:
    """Sort the irreps of an edge, so that equal diagrams are equal however they were made."""
    if not edge.irreps:
        raise ConfigError("the edge carries no irrep", where=where, hint="give one, e.g. 1o")
    object.__setattr__(edge, "irreps", canonical(edge.irreps))


def legs_of(tree: Tree) -> tuple[Leg, ...]:
    """All legs, from left to right."""
    return (tree,) if isinstance(tree, Leg) else (*legs_of(tree.left), *legs_of(tree.right))


def vertices_of(tree: Tree) -> tuple[Vertex, ...]:
    """All vertices, children before parents."""
    if isinstance(tree, Leg):
        return ()
    return (*vertices_of(tree.left), *vertices_of(tree.right), tree)


def parse_tree(text: str) -> Tree:
    """Read the text form.

    Raises
    ------
    ConfigError
        Naming the place where the text stops making sense.
    """
    tokens = list(_tokens(text))
    tree, rest = _tree(tokens, text)
    if rest:
        raise _error(text, rest[0][1], "the diagram has ended before this")
    return tree


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    for match in _TOKEN.finditer(text.rstrip()):
        group = match.lastgroup or "word"
        yield match[group], match.start(group)


def _tree(tokens: list[tuple[str, int]], text: str) -> tuple[Tree, list[tuple[str, int]]]:
    if not tokens:
        raise _error(text, len(text), "a leg or a bracket is missing")
    (word, place), rest = tokens[0], tokens[1:]
    if word == ")":
        raise _error(text, place, "a vertex joins exactly two edges")
    if word == "(":
        left, rest = _tree(rest, text)
        right, rest = _tree(rest, text)
        if not rest or rest[0][0] != ")":
            raise _error(text, rest[0][1] if rest else len(text), "expected a closing bracket")
        if len(rest) < 2 or rest[1][0] in "()":
            raise _error(text, rest[0][1], "the spin of this vertex is missing")
        return Vertex(left, right, _irreps(rest[1], text)), rest[2:]
    name, colon, irreps = word.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise _error(text, place, f"{word!r} is no leg")
    return Leg(name, _irreps((irreps, place + len(name) + 1), text)), rest


def _irreps(token: tuple[str, int], text: str) -> Irreps:
    try:
        return parse_irreps(token[0])
    except ConfigError as error:
        raise _error(text, token[1], error.message) from None


def _error(text: str, place: int, what: str) -> ConfigError:
    return ConfigError(
        f"{what} (character {place + 1})",
        where=f"diagram {text}",
        hint="legs are written name:irreps, vertices (left right)irreps, e.g. "
        "((i:1o j:1o)2e Y:2e)0e",
    )
