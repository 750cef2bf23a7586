"""The diagram language: reading, printing, checking, taking apart, drawing."""

import pickle
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.errors import ConfigError
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep, natural_irreps, parse_irreps
from namd.nn.fusion.svg import draw_svg
from namd.nn.fusion.text import draw_text
from namd.nn.fusion.tree import Leg, Vertex

MakeDiagram = Callable[..., FusionDiagram]
SEEDS = st.integers(0, 2**32)
LEGS = st.integers(1, 6)


@given(seed=SEEDS, legs=LEGS)
def test_what_is_printed_reads_back_as_the_same_diagram(
    random_diagram: MakeDiagram, seed: int, legs: int
) -> None:
    diagram = random_diagram(seed, legs=legs)
    again = FusionDiagram.parse(str(diagram))
    assert again == diagram
    assert hash(again) == hash(diagram)
    assert str(again) == str(diagram)
    assert pickle.loads(pickle.dumps(diagram)) == diagram  # noqa: S301


def test_spaces_and_the_order_of_irreps_do_not_matter() -> None:
    assert FusionDiagram.parse(" ( (i:1o  j:1o )2e+0e Y:2e)0e ") == FusionDiagram.parse(
        "((i:1o j:1o)0e+2e Y:2e)0e"
    )


def test_parts_of_a_diagram() -> None:
    diagram = FusionDiagram.parse("((i:1o j:1o)1e (a:2e b:0e+1o)2e)2e")
    assert [str(leg) for leg in diagram.legs] == ["i:1o", "j:1o", "a:2e", "b:0e+1o"]
    assert diagram.internal == (parse_irreps("1e"), parse_irreps("2e"))
    assert diagram.output == parse_irreps("2e")
    assert not diagram.elementary
    with pytest.raises(FrozenInstanceError):
        diagram.root = diagram.legs[0]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("((i:1o j:1o)3e Y:2e)0e", "1o × 1o cannot couple to 3e, only to 0e+1e+2e"),
        ("(i:1o j:1o)1o", "1o × 1o cannot couple to 1o, only to 0e+1e+2e"),
        ("(i:0e+1o j:2e)0e+1o", "0e+1o × 2e cannot couple to 0e, only to 1o+2e+2o+3o"),
        ("(i:1o j:1o)", "the spin of this vertex is missing (character 11)"),
        ("(i:1o j:1o", "expected a closing bracket (character 11)"),
        ("(i:1o j:1o k:1o)0e", "expected a closing bracket (character 12)"),
        ("(i:1o)0e", "a vertex joins exactly two edges (character 6)"),
        ("(i j:1o)0e", "'i' is no leg (character 2)"),
        ("(1i:1o j:1o)0e", "'1i:1o' is no leg (character 2)"),
        ("(i:1x j:1o)0e", "'1x' is no irrep (character 4)"),
        ("(i:1o+1o j:1o)0e", "an irrep stands twice on one edge (character 4)"),
        ("(i:1o j:1o)0e 2e", "the diagram has ended before this (character 15)"),
        ("", "a leg or a bracket is missing (character 1)"),
    ],
)
def test_a_wrong_diagram_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FusionDiagram.parse(text)
    assert said in caught.value.message
    assert caught.value.where
    assert caught.value.hint


def test_made_by_hand_it_is_checked_as_well() -> None:
    vector = parse_irreps("1o")
    with pytest.raises(ConfigError, match="carries no irrep"):
        Leg("i", ())
    with pytest.raises(ConfigError, match="is no name"):
        Leg("i j", vector)
    with pytest.raises(ConfigError, match=r"l ≥ 0 and parity"):
        Irrep(-1, 1)
    with pytest.raises(ConfigError, match="cannot couple"):
        FusionDiagram(Vertex(Leg("i", vector), Leg("j", vector), vector))


@given(seed=SEEDS, legs=st.integers(1, 4))
def test_elementary_diagrams_obey_the_vertex_rule_and_are_all_different(
    random_diagram: MakeDiagram, seed: int, legs: int
) -> None:
    diagram = random_diagram(seed, legs=legs, most=2)
    parts = diagram.elementary_diagrams()
    assert len(set(parts)) == len(parts) > 0
    for part in parts:
        assert part.elementary
        for vertex in part.vertices:
            (a,), (b,), (c,) = vertex.left.irreps, vertex.right.irreps, vertex.irreps
            assert abs(a.l - b.l) <= c.l <= a.l + b.l
            assert c.parity == a.parity * b.parity
    single = [d for s in diagram.single_spin_diagrams() for d in s.elementary_diagrams()]
    assert sorted(map(str, single)) == sorted(map(str, parts))


def test_single_spin_diagrams_drop_outputs_that_a_spin_cannot_reach() -> None:
    diagram = FusionDiagram.parse("((i:0e+1o j:0e+1o)0e+2e Y:1o)1o+2o+3o")
    assert [str(part) for part in diagram.single_spin_diagrams()] == [
        "((i:0e+1o j:0e+1o)0e Y:1o)1o",
        "((i:0e+1o j:0e+1o)2e Y:1o)1o+2o+3o",
    ]


def test_text_drawing_of_a_balanced_tree() -> None:
    diagram = FusionDiagram.parse("((a:1o b:1o)1e (c:0e+1o d:1o)1e)0e")
    assert draw_text(diagram).splitlines() == [
        "a:1o ─╮",
        "      ├─ 1e ────╮",
        "b:1o ─╯         ├─ 0e",
        "c:0e+1o ─╮      │",
        "         ├─ 1e ─╯",
        "d:1o ────╯",
    ]


@given(seed=SEEDS, legs=LEGS)
def test_text_drawing_shows_every_leg_and_vertex(
    random_diagram: MakeDiagram, seed: int, legs: int
) -> None:
    diagram = random_diagram(seed, legs=legs)
    lines = draw_text(diagram).splitlines()
    starts = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert starts == [str(leg) for leg in diagram.legs]
    assert sum(line.count("├─") for line in lines) == len(diagram.vertices)
    assert all(sum(line.count(turn) for line in lines) == len(diagram.vertices) for turn in "╮╯")


@given(seed=SEEDS, number=st.integers(1, 4), legs=LEGS)
def test_svg_is_well_formed_and_holds_every_edge_inside_the_page(
    random_diagram: MakeDiagram, seed: int, number: int, legs: int
) -> None:
    diagrams = [random_diagram(seed + n, legs=legs) for n in range(number)]
    root = ET.fromstring(draw_svg([("a < b & c", diagrams[:2]), ("rest", diagrams[2:])]))  # noqa: S314
    name = "{http://www.w3.org/2000/svg}"
    groups = root.findall(f"{name}g")
    assert len(groups) == len(diagrams)
    assert [text.text for text in root.findall(f"{name}text")] == ["a < b & c", "rest"]
    for group, diagram in zip(groups, diagrams, strict=True):
        shown = [text.text for text in group.iter(f"{name}text")]
        assert [leg.name for leg in diagram.legs] == [s for s in shown if s in _names(diagram)]
        vertices = len(diagram.vertices)
        assert len(group.findall(f"{name}circle")) == vertices
        assert len(group.findall(f"{name}path")) == 2 * vertices + 1
        x = float(group.attrib["transform"].split()[0].removeprefix("translate("))
        assert group.findtext(f"{name}title") == str(diagram)
        places = [float(text.attrib["x"]) for text in group.iter(f"{name}text")]
        assert min(places) > 0
        assert x + max(places) < float(root.attrib["width"])


def _names(diagram: FusionDiagram) -> set[str]:
    return {leg.name for leg in diagram.legs}


def test_natural_irreps() -> None:
    assert natural_irreps(2) == parse_irreps("2e+1o+0e")
