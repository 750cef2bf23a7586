"""``namd models diagram``: the fusion diagrams of a network, as text and as SVG."""

from pathlib import Path
from textwrap import indent

import click

from namd.cli import console


@click.command()
@click.argument("model", metavar="NAME_OR_CONFIG")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also draw the diagrams as an SVG file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diagram(model: str, *, figure: Path | None, as_json: bool) -> None:
    """Draw the products of a network as fusion diagrams, layer by layer.

    \b
    Examples:
      namd models diagram stilbene-ssr
      namd models diagram stilbene-ssr --figure diagrams.svg
      namd models diagram models/stilbene-ssr/train.yaml --json

    NAME_OR_CONFIG is a model folder, a name of the zoo, or a training configuration. A diagram is a
    tree of Clebsch–Gordan products: legs are features, ((i:1o j:1o)2e Y:2e)0e couples i and j to 2e
    and that with Y to a scalar. An edge with several irreps stands for every choice of one of each.

    JSON: a list of layers with diagrams: module, irreps, diagrams (text form, which
    namd.nn.fusion.diagram.FusionDiagram.parse reads).
    """
    from namd.nn.fusion.svg import check_svg_path, draw_svg, write_svg
    from namd.nn.fusion.text import draw_text
    from namd.nn.model import DiabaticModel
    from namd.train.planned import planned_model

    if figure is not None:
        check_svg_path(figure)
    information, _ = planned_model(model)
    parts = DiabaticModel(information).network.describe()
    layers = [layer for layer in parts if layer.diagrams]
    if as_json:
        console.result_json(
            [
                {
                    "module": layer.module,
                    "irreps": layer.irreps,
                    "diagrams": [str(drawn) for drawn in layer.diagrams],
                }
                for layer in layers
            ]
        )
    else:
        for layer in layers:
            console.result(f"{layer.module} → {layer.irreps}")
            for drawn in layer.diagrams:
                console.result(f"\n  {drawn}")
                if drawn.vertices:
                    console.result(f"\n{indent(draw_text(drawn), '    ')}")
            console.result()
    if not layers:
        console.note(f"a {information.architecture.kind} network has no fusion diagrams")
    elif figure is not None:
        groups = [(f"{layer.module} → {layer.irreps}", layer.diagrams) for layer in layers]
        write_svg(figure, draw_svg(groups))
        console.note(f"Figure written to {figure}")
