"""Fusion diagrams drawn with characters: legs on the left, the output on the right."""

from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import format_irreps
from namd.nn.fusion.tree import Leg, Tree


def draw_text(diagram: FusionDiagram) -> str:
    """Draw a diagram in lines of text.

    Examples
    --------
    >>> print(draw_text(FusionDiagram.parse("((i:1o j:1o)2e Y:2e)0e")))
    i:1o ─╮
          ├─ 2e ─╮
    j:1o ─╯      ├─ 0e
    Y:2e ────────╯
    """
    lines, _ = _draw(diagram.root)
    return "\n".join(line.rstrip() for line in lines)


def _draw(tree: Tree) -> tuple[list[str], int]:
    """Lines of equal length, and which of them carries the outgoing edge."""
    if isinstance(tree, Leg):
        return [f"{tree} "], 0
    (upper, first), (lower, second) = _draw(tree.left), _draw(tree.right)
    lines = upper + lower
    second += len(upper)
    if second == first + 1:  # room for the branch between two edges that touch
        lines.insert(second, "")
        second += 1
    outgoing = (first + second) // 2
    width = max(map(len, lines))
    joined = []
    for row, line in enumerate(lines):
        edge = row in (first, second)
        padded = line.ljust(width, "─" if edge else " ")
        if row == first:
            padded += "─╮"
        elif row == second:
            padded += "─╯"
        elif row == outgoing:
            padded += f" ├─ {format_irreps(tree.irreps)} "
        else:
            padded += " │" if first < row < second else "  "
        joined.append(padded)
    length = max(map(len, joined))
    return [line.ljust(length) for line in joined], outgoing
