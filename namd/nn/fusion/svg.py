"""Fusion diagrams drawn as SVG: legs above, vertices as dots, the output below.

One self-contained file without scripts, fonts or background. Its greys are legible on light and
dark pages, and sharper where the viewer tells which of both it shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from namd.errors import ConfigError
from namd.io.atomic import write_text
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irreps, format_irreps
from namd.nn.fusion.tree import Leg, Tree, legs_of

_LETTER = 7.0  # width of a letter of 12 px, generously
_GAP = 26.0
_TOP = 44.0  # name and irreps of a leg
_HEADING = 26.0
_LEVEL = 54.0
_BOTTOM = 56.0
_MARGIN = 18.0
_PAGE = 980.0

_STYLE = """
text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #767d86; }
.name { font-weight: 600; }
.heading { font-size: 14px; font-weight: 600; }
path { fill: none; stroke: #767d86; stroke-width: 1.6; stroke-linecap: round; }
circle { fill: #1f8ac0; }
@media (prefers-color-scheme: light) { text { fill: #24292f; } path { stroke: #57606a; } }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } path { stroke: #9aa4af; } }
"""


@dataclass(frozen=True)
class _Placed:
    """Where the outgoing edge of a tree starts, and everything drawn above it."""

    x: float
    y: float
    shapes: tuple[str, ...]


def draw_svg(groups: Sequence[tuple[str, Sequence[FusionDiagram]]]) -> str:
    """Draw groups of diagrams below each other, each in as many rows as a page asks for.

    Parameters
    ----------
    groups
        Heading and diagrams of each.

    Returns
    -------
    str
        A complete SVG document.
    """
    body, y, width = [], 0.0, 0.0
    for heading, diagrams in groups:
        body.append(_text(_MARGIN, y + 18.0, heading, kind="heading", anchor="start"))
        width = max(width, 2 * _MARGIN + _LETTER * len(heading))
        x, y, row = 0.0, y + _HEADING, 0.0
        for diagram in diagrams:
            shapes, wide, high = _panel(diagram)
            if x > 0 and x + wide > _PAGE:
                x, y, row = 0.0, y + row, 0.0
            body.append(f'<g transform="translate({x:g} {y:g})">{shapes}</g>')
            x, row, width = x + wide, max(row, high), max(width, x + wide)
        y += row
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{y:g}" '
        f'viewBox="0 0 {width:g} {y:g}" role="img">\n<title>Fusion diagrams</title>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def check_svg_path(path: Path) -> None:
    """Refuse a file name that cannot be written, before any work is done for it.

    Raises
    ------
    ConfigError
        If it does not end in ``.svg`` or the folder does not exist.
    """
    if path.suffix.lower() != ".svg":
        raise ConfigError(
            "diagrams are drawn as SVG only",
            where=f"--figure {path}",
            hint=f"for example {path.with_suffix('.svg')}",
        )
    if not path.parent.is_dir():
        raise ConfigError(
            f"the folder {path.parent} does not exist", where=f"--figure {path}", hint="create it"
        )


def write_svg(path: Path, document: str) -> None:
    """Write a document of :func:`draw_svg`, atomically.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    check_svg_path(path)
    try:
        write_text(path, document)
    except OSError as error:
        raise ConfigError(
            f"the figure could not be written: {error.strerror}",
            where=f"--figure {path}",
            hint="is the folder writable and the disk not full?",
        ) from error


def _panel(diagram: FusionDiagram) -> tuple[str, float, float]:
    """Shapes, width and height of one diagram."""
    legs = legs_of(diagram.root)
    labels = [len(leg.name) for leg in legs]
    labels += [len(format_irreps(irreps)) for irreps in _edges(diagram)]
    step = _LETTER * max(labels) + _GAP
    columns = iter(_MARGIN + step * (n + 0.5) for n in range(len(legs)))
    placed = _place(diagram.root, columns)
    height = _TOP + _LEVEL * _levels(diagram.root) + _BOTTOM
    end = height - 34
    shapes = [
        *placed.shapes,
        f'<path d="M{placed.x:g} {placed.y:g}V{end:g}"/>',
        _text(placed.x, end + 16, format_irreps(diagram.output), kind="name"),
    ]
    shapes.sort(key=lambda shape: not shape.startswith("<path"))  # dots lie on the lines
    body = f"<title>{escape(str(diagram))}</title>" + "".join(shapes)
    return body, step * len(legs) + 2 * _MARGIN, height


def _edges(diagram: FusionDiagram) -> tuple[Irreps, ...]:
    return (*(leg.irreps for leg in diagram.legs), *diagram.internal, diagram.output)


def _levels(tree: Tree) -> int:
    """Vertices on the longest way from a leg to the output."""
    return 0 if isinstance(tree, Leg) else 1 + max(_levels(tree.left), _levels(tree.right))


def _place(tree: Tree, columns: Iterator[float]) -> _Placed:
    if isinstance(tree, Leg):
        x = next(columns)
        name = _text(x, _TOP - 24, tree.name, kind="name")
        return _Placed(x, _TOP, (name, _text(x, _TOP - 8, format_irreps(tree.irreps))))
    left, right = _place(tree.left, columns), _place(tree.right, columns)
    x, y = (left.x + right.x) / 2, _TOP + _LEVEL * _levels(tree)
    shapes = [*left.shapes, *right.shapes]
    for child, placed, side in ((tree.left, left, -1), (tree.right, right, 1)):
        shapes.append(
            f'<path d="M{placed.x:g} {placed.y:g}V{y - 22:g}Q{placed.x:g} {y:g} {x:g} {y:g}"/>'
        )
        if not isinstance(child, Leg):
            anchor = "end" if side < 0 else "start"
            spin = format_irreps(child.irreps)
            shapes.append(_text(placed.x + 7 * side, placed.y + 20, spin, anchor=anchor))
    dot = f'<circle cx="{x:g}" cy="{y:g}" r="4.5"/>'
    return _Placed(x, y, (*shapes, dot))


def _text(x: float, y: float, text: str, *, kind: str = "", anchor: str = "middle") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{mark}>{escape(text)}</text>'
