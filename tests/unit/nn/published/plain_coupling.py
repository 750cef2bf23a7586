"""Couplings, radial waves and harmonics of a few l, number by number; nothing of ``namd`` or e3nn.

Coefficients come from those of Condon and Shortley (SymPy) and the textbook's real harmonics

    S_m = ((−1)^m Y_m + Y_−m)/√2,   S_0 = Y_0,   S_−m = ((−1)^m Y_m − Y_−m)/(i√2)    (m > 0),

with y as the polar axis: S of l = 1 are x, y, z. A phase i^(l3 − l1 − l2) makes them real.

A :data:`Number` holds one value for each geometry of a batch. It may be complex: with positions
R + ih, imaginary parts over h are derivatives to rounding (no step is too small for them).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import pi, sqrt

import numpy as np
from sympy.physics.wigner import clebsch_gordan  # type: ignore[import-untyped]

Number = np.ndarray
Components = list[Number]  # of one l: 2l + 1


def _in_complex_harmonics(l: int) -> np.ndarray:
    """S_m as a combination of Y_m', both from −l to l."""
    matrix = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    matrix[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1) ** m
        matrix[l + m, l + m], matrix[l + m, l - m] = sign / sqrt(2), 1 / sqrt(2)
        matrix[l - m, l + m], matrix[l - m, l - m] = sign / (1j * sqrt(2)), -1 / (1j * sqrt(2))
    return matrix


@cache
def coefficients(l1: int, l2: int, l3: int) -> np.ndarray:
    """Real Clebsch–Gordan coefficients [m1, m2, m3]; for every m3 the squares add up to one."""
    one, two, three = (_in_complex_harmonics(l) for l in (l1, l2, l3))
    total = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1), dtype=complex)
    for a in range(-l1, l1 + 1):
        for b in range(-l2, l2 + 1):
            c = a + b
            if abs(c) <= l3:
                number = float(clebsch_gordan(l1, l2, l3, a, b, c))
                vectors = one[:, l1 + a].conj(), two[:, l2 + b].conj(), three[:, l3 + c]
                total += number * np.einsum("i,j,k->ijk", *vectors)
    total *= 1j ** (l3 - l1 - l2)
    if np.abs(total.imag).max() > 1e-14:
        raise ArithmeticError(f"({l1}, {l2}, {l3}) is not real")
    real: np.ndarray = total.real
    return real


def couple(first: Components, second: Components, l3: int) -> Components:
    """Σ_m1m2 C a_m1 b_m2 for every m3."""
    table = coefficients((len(first) - 1) // 2, (len(second) - 1) // 2, l3)
    result = [first[0] * 0.0] * (2 * l3 + 1)
    for m1, m2, m3 in np.ndindex(table.shape):
        if abs(table[m1, m2, m3]) > 1e-14:
            result[m3] = result[m3] + table[m1, m2, m3] * first[m1] * second[m2]
    return result


def added(terms: Sequence[Components]) -> Components:
    """Sum component by component."""
    return [np.sum(numbers, axis=0) for numbers in zip(*terms, strict=True)]


def triangle(l1: int, l2: int, l3: int) -> bool:
    """Whether l1 and l2 couple to l3."""
    return abs(l1 - l2) <= l3 <= l1 + l2


def linear(rows: Sequence[Number], weight: np.ndarray) -> list[Number]:
    """Σ_n x_n W_nc / √(number of rows) for every c."""
    if len(rows) != len(weight):
        raise ValueError(f"{len(rows)} rows for a matrix of {len(weight)}")
    return [
        np.sum([x * w for x, w in zip(rows, column, strict=True)], axis=0) / sqrt(len(rows))
        for column in weight.T
    ]


@dataclass(frozen=True, slots=True)
class Pair:
    """What an edge from neighbour j to centre i carries; ``harmonics`` by l."""

    waves: list[Number]
    window: Number
    harmonics: list[Components]


def _harmonics(x: Number, y: Number, z: Number) -> list[Components]:
    """Of a unit vector, l ≤ 2; squares of one l add up to 2l + 1."""
    return [
        [x * 0.0 + 1.0],
        [sqrt(3) * x, sqrt(3) * y, sqrt(3) * z],
        [
            sqrt(15) * x * z,
            sqrt(15) * x * y,
            sqrt(5) / 2 * (3 * y * y - 1),
            sqrt(15) * y * z,
            sqrt(15) / 2 * (z * z - x * x),
        ],
    ]


def pairs_of(
    places: np.ndarray, *, cutoff: float, radial: int, order: int
) -> dict[tuple[int, int], Pair]:
    """Every ordered pair of atoms at ``places`` [geometry, atom, 3], in the unit of the cut-off."""
    found = {}
    for i, j in np.ndindex(places.shape[1], places.shape[1]):
        if i == j:
            continue
        vector = places[:, i] - places[:, j]
        r = np.sqrt(vector[:, 0] ** 2 + vector[:, 1] ** 2 + vector[:, 2] ** 2)
        s, p = r / cutoff, order
        bracket = (p + 1) * (p + 2) / 2 - p * (p + 2) * s + p * (p + 1) / 2 * s * s
        window = np.where(s.real < 1, 1 - bracket * s**p, 0)
        waves = [
            sqrt(2 / cutoff) * np.sin(n * pi * r / cutoff) / r * window
            for n in range(1, radial + 1)
        ]
        found[i, j] = Pair(waves, window, _harmonics(*(vector / r[:, None]).T))
    return found
