"""What diagrams compute: contraction, enumeration, recoupling, independence."""

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.physics.wigner import wigner_6j

from namd.errors import ConfigError
from namd.nn.fusion.contraction import contract, coupling_tensor
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.enumeration import enumerate_diagrams
from namd.nn.fusion.independence import independent, symmetrised
from namd.nn.fusion.irreps import Irrep, natural_irreps, parse_irreps
from namd.nn.fusion.recoupling import f_matrix, f_move, right_combs
from namd.nn.fusion.tree import Leg

Wigner = Callable[..., np.ndarray]
MakeDiagram = Callable[..., FusionDiagram]
SEEDS = st.integers(0, 2**32)
Features = dict[tuple[str, Irrep], np.ndarray]


def features(diagram: FusionDiagram, seed: int, batch: int = 4) -> Features:
    """Random components for every leg."""
    rng = np.random.default_rng(seed)
    keys = dict.fromkeys((leg.name, irrep) for leg in diagram.legs for irrep in leg.irreps)
    return {key: rng.standard_normal((batch, key[1].dimension)) for key in keys}


def test_two_vectors_give_dot_and_cross_product() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3))
    vector = Irrep(1, -1)
    legs = {("a", vector): a, ("b", vector): b}
    dot = contract(FusionDiagram.parse("(a:1o b:1o)0e"), legs)
    np.testing.assert_allclose(dot, [a @ b / sqrt(3)], atol=1e-14)
    cross = contract(FusionDiagram.parse("(a:1o b:1o)1e"), legs)
    expected = np.cross(a, b) / sqrt(2)  # up to the sign, a convention
    np.testing.assert_allclose(cross * np.sign(cross @ expected), expected, atol=1e-14)
    triple = contract(
        FusionDiagram.parse("((a:1o b:1o)1e c:1o)0o"), legs | {("c", vector): a + 2 * b}
    )
    np.testing.assert_allclose(triple, 0.0, atol=1e-14)


@settings(max_examples=40)
@given(seed=SEEDS, inverted=st.booleans())
def test_contraction_is_equivariant_under_rotation_and_inversion(
    random_diagram: MakeDiagram, wigner: Wigner, seed: int, inverted: bool
) -> None:
    diagram = random_diagram(seed, legs=3, most=1)
    angles = np.random.default_rng(seed).uniform(0, 3, 3)

    def turned(values: np.ndarray, irrep: Irrep) -> np.ndarray:
        return values @ wigner(irrep, angles, inverted=inverted).T

    legs = features(diagram, seed)
    after = contract(diagram, {key: turned(value, key[1]) for key, value in legs.items()})
    expected = turned(contract(diagram, legs), diagram.output[0])
    # The matrix exponentials behind e3nn's rotations are good to 1e-10.
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-8)


@settings(max_examples=40)
@given(seed=SEEDS)
def test_coupling_tensor_is_the_contraction(random_diagram: MakeDiagram, seed: int) -> None:
    diagram = random_diagram(seed, legs=4, most=1)
    legs = features(diagram, seed, batch=1)
    tensor = coupling_tensor(diagram)
    for leg in diagram.legs:
        tensor = np.tensordot(legs[leg.name, leg.irreps[0]][0], tensor, axes=(0, 0))
    np.testing.assert_allclose(tensor, contract(diagram, legs)[0], atol=1e-12)


def test_trees_of_one_shape_are_an_orthonormal_basis_of_all_equivariant_maps() -> None:
    legs = [Leg(name, parse_irreps(i)) for name, i in zip("abc", ("1o", "2e", "1o"), strict=True)]
    for shape in ("left", "right"):
        found = enumerate_diagrams(legs, output=parse_irreps("0e+1e+2e+3e+4e"), shape=shape)
        rows = [coupling_tensor(d).reshape(45, -1).T for d in found]
        whole = np.concatenate(rows)  # every component of every tree: all 3 · 5 · 3 of them
        np.testing.assert_allclose(whole @ whole.T, np.eye(45), atol=1e-13)


def test_what_cannot_be_contracted_is_refused() -> None:
    diagram = FusionDiagram.parse("(a:1o b:1o)0e")
    with pytest.raises(ConfigError, match=r"several irreps stand on one edge"):
        contract(FusionDiagram.parse("(a:1o b:1o)0e+2e"), {})
    with pytest.raises(ConfigError, match="needs 3 components, it was given nothing"):
        contract(diagram, {})
    with pytest.raises(ConfigError, match="given 5 components"):
        contract(diagram, dict.fromkeys([("a", Irrep(1, -1))], np.zeros(5)))
    with pytest.raises(ConfigError, match="F-move needs a root"):
        f_move(diagram)


def test_enumeration_of_all_bracketings_and_chosen_spins() -> None:
    legs = [Leg(name, parse_irreps("0e")) for name in "abcde"]
    for number, catalan in ((1, 1), (2, 1), (3, 2), (4, 5), (5, 14)):
        found = enumerate_diagrams(legs[:number], output=parse_irreps("0e"), shape="all")
        assert len(set(found)) == len(found) == catalan
    vectors = [Leg(name, parse_irreps("1o")) for name in "ijk"]
    found = enumerate_diagrams(vectors, output=parse_irreps("1o"), internal=parse_irreps("0e+1e"))
    assert [str(d) for d in found] == ["((i:1o j:1o)0e k:1o)1o", "((i:1o j:1o)1e k:1o)1o"]


@pytest.mark.parametrize(
    ("l_max", "output", "trees", "kept"),
    [
        (2, "0e", 11, 5),
        (2, "1o", 21, 5),
        (2, "2e", 23, 6),
        (3, "0e", 23, 8),
        (3, "1o", 51, 12),
        (3, "2e", 65, 14),
    ],
)
def test_known_numbers_of_trees_and_of_independent_ones(
    l_max: int, output: str, trees: int, kept: int
) -> None:
    legs = [Leg("A", natural_irreps(l_max))] * 3
    found = enumerate_diagrams(legs, output=parse_irreps(output))
    assert (len(found), len(independent(found))) == (trees, kept)


@pytest.mark.parametrize("output", ["0e", "1o", "2e"])
def test_independent_diagrams_span_what_all_diagrams_compute(output: str) -> None:
    """By values on random features instead of tensors: the rank is that of the kept ones."""
    legs = [Leg("A", natural_irreps(2))] * 3
    found = enumerate_diagrams(legs, output=parse_irreps(output))
    kept = independent(found)
    rng = np.random.default_rng(3)
    values = {("A", i): rng.normal(size=(60, i.dimension)) for i in natural_irreps(2)}
    every = np.stack([contract(d, values).ravel() for d in found])
    some = np.stack([contract(d, values).ravel() for d in kept])
    assert np.linalg.matrix_rank(every, tol=1e-8) == np.linalg.matrix_rank(some, tol=1e-8)
    assert np.linalg.matrix_rank(some, tol=1e-8) == len(kept)


def test_different_legs_are_all_independent_and_annulled_couplings_are_dropped() -> None:
    legs = [Leg(name, natural_irreps(2)) for name in "abc"]
    found = enumerate_diagrams(legs, output=parse_irreps("1o"))
    assert independent(found) == found
    assert independent([FusionDiagram.parse("(A:1o A:1o)1e")]) == ()
    tensor = coupling_tensor(FusionDiagram.parse("(A:1o A:1o)1e"))
    same = (Leg("A", parse_irreps("1o")),) * 2
    assert not symmetrised(tensor, same).any()


@pytest.mark.parametrize("l1", range(4))
def test_f_is_orthogonal_and_has_the_magnitude_of_the_6j_symbol(l1: int) -> None:
    seen = 0
    for l2, l3, total in np.ndindex(3, 4, 4):
        f = f_matrix(l1, l2, l3, total)
        if not f.rows:
            continue
        np.testing.assert_allclose(f.values @ f.values.T, np.eye(len(f.rows)), atol=1e-13)
        for (a, b), value in np.ndenumerate(f.values):
            j12, j23 = f.rows[a], f.columns[b]
            sixj = float(wigner_6j(l1, l2, j12, l3, total, j23))
            assert abs(value) == pytest.approx(
                abs(sixj) * sqrt((2 * j12 + 1) * (2 * j23 + 1)), abs=1e-13
            )
            seen += value != 0
    assert seen > 20


@settings(max_examples=40)
@given(seed=SEEDS, legs=st.integers(2, 4))
def test_any_tree_is_its_sum_of_right_combs(
    random_diagram: MakeDiagram, seed: int, legs: int
) -> None:
    diagram = random_diagram(seed, legs=legs, most=1, l_max=2)
    inputs = features(diagram, seed)
    combs = right_combs(diagram)
    assert sum(value**2 for value in combs.values()) == pytest.approx(1, abs=1e-12)
    for comb in combs:
        assert comb.legs == diagram.legs
        assert all(isinstance(vertex.left, Leg) for vertex in comb.vertices)
    total = sum(value * contract(comb, inputs) for comb, value in combs.items())
    np.testing.assert_allclose(total, contract(diagram, inputs), rtol=0, atol=1e-12)


def test_an_f_move_of_left_combs_written_out() -> None:
    """Of (a·b) c every (b c)k has the share (2k + 1)/9."""
    moved = f_move(FusionDiagram.parse("((a:1o b:1o)0e c:1o)1o"))
    assert {str(tree.internal[0][0]): round(value**2, 12) for tree, value in moved.items()} == {
        "0e": round(1 / 9, 12),
        "1e": round(3 / 9, 12),
        "2e": round(5 / 9, 12),
    }
