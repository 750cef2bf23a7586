"""Irreducible representations of O(3), written 0e, 1o, 2e: an angular momentum and a parity.

A tuple of them labels an edge of a fusion diagram and the stacked components of a feature. Pure
Python, so that diagrams can be read and enumerated without torch. e3nn's own classes carry
multiplicities, which are channels here and belong to the block, not to the diagram.
"""

import re
from dataclasses import dataclass

from namd.errors import ConfigError

_IRREP = re.compile(r"(\d+)([eo])")


@dataclass(frozen=True, slots=True)
class Irrep:
    """One irreducible representation of O(3).

    Parameters
    ----------
    l
        Angular momentum, 0 or more.
    parity
        +1 (written ``e``) or −1 (``o``): the sign under inversion.
    """

    l: int
    parity: int

    def __post_init__(self) -> None:
        if self.l < 0 or self.parity not in (1, -1):
            raise ConfigError(
                "an irrep has l ≥ 0 and parity +1 or −1",
                where=f"l = {self.l}, parity = {self.parity}",
                hint="1o is a vector, 0e a scalar, 0o a pseudoscalar",
            )

    def __str__(self) -> str:
        return f"{self.l}{'e' if self.parity == 1 else 'o'}"

    @property
    def dimension(self) -> int:
        """Number of components, 2l + 1."""
        return 2 * self.l + 1

    @property
    def natural(self) -> bool:
        """Whether the parity is that of a spherical harmonic, (−1)^l."""
        return self.parity == (1 if self.l % 2 == 0 else -1)

    def __mul__(self, other: "Irrep") -> "Irreps":
        """What two irreps can couple to: |l1 − l2| ≤ l3 ≤ l1 + l2, p3 = p1 p2."""
        parity = self.parity * other.parity
        return tuple(Irrep(l, parity) for l in range(abs(self.l - other.l), self.l + other.l + 1))


Irreps = tuple[Irrep, ...]


def natural_irreps(l_max: int) -> Irreps:
    """0e, 1o, 2e, … up to ``l_max``: what spherical harmonics are made of."""
    return tuple(Irrep(l, (-1) ** l) for l in range(l_max + 1))


def parse_irreps(text: str) -> Irreps:
    """Read ``0e+1o+2e``; the order does not matter and is made canonical.

    Raises
    ------
    ConfigError
        If a part is no irrep or stands there twice.

    Examples
    --------
    >>> format_irreps(parse_irreps("2e + 0e"))
    '0e+2e'
    """
    found = []
    for part in text.split("+"):
        match = _IRREP.fullmatch(part.strip())
        if match is None:
            raise ConfigError(
                f"{part.strip()!r} is no irrep",
                where=text,
                hint="write l and parity, 0e or 1o, and several as 0e+1o+2e",
            )
        found.append(Irrep(int(match[1]), 1 if match[2] == "e" else -1))
    if len(set(found)) < len(found):
        raise ConfigError(
            "an irrep stands twice on one edge",
            where=text,
            hint="leave one out; how many of each there are is the number of channels",
        )
    return canonical(found)


def canonical(irreps: "list[Irrep] | Irreps") -> Irreps:
    """Each irrep once, by ascending l, natural parity first."""
    return tuple(sorted(set(irreps), key=lambda irrep: (irrep.l, not irrep.natural)))


def format_irreps(irreps: Irreps) -> str:
    """Write ``0e+1o+2e``."""
    return "+".join(map(str, irreps))


def with_channels(irreps: Irreps, channels: int) -> str:
    """Write ``32x0e+32x1o``."""
    return "+".join(f"{channels}x{irrep}" for irrep in irreps)


def dimension(irreps: Irreps) -> int:
    """Number of stacked components."""
    return sum(irrep.dimension for irrep in irreps)


def offsets(irreps: Irreps) -> tuple[int, ...]:
    """First component of every irrep in the stack."""
    return tuple(dimension(irreps[:position]) for position in range(len(irreps)))
