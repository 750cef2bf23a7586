"""The three-leg fusion block edge by edge and node by node: operations and time.

    python benchmarks/fusion_block.py [--atoms 26] [--channels 32] [--molecules 8] [--json FILE]

((root i × neighbour j) → k) × Y_ij → J, summed over j: features and harmonics 0e+1o+2e, in both
modes, with internal spins k of natural parity only (``natural``) or of both (``both``). All atoms
of a molecule are neighbours. Both evaluations share their weights; ``difference`` is the largest
deviation of the results, relative to the largest result, in float64. Operations are of one
molecule, times of one molecule in a batch of ``--molecules``, forward only, one thread, float32.
The evaluations take turns.
"""

import statistics
from typing import Any

import measuring
import torch

from namd.nn.fusion.block import FusionBlock, Mode
from namd.nn.fusion.cost import edgewise_cost, nodewise_cost
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.neighbours import Edges, NodewiseFusion, edgewise

_LEGS = 9  # components of 0e+1o+2e
_DIAGRAMS = {
    "natural": "((i:0e+1o+2e j:0e+1o+2e)0e+1o+2e Y:0e+1o+2e)0e+1o+2e",
    "both": "((i:0e+1o+2e j:0e+1o+2e)0e+1o+1e+2e+2o Y:0e+1o+2e)0e+1o+2e",
}


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--atoms", type=int, default=26)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--molecules", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = measuring.machine(threads=1)
    blocks = {}
    for name, text in _DIAGRAMS.items():
        for mode in ("sparse", "dense"):
            row = measure(FusionDiagram.parse(text), mode, options)
            blocks[f"{name}-{mode}"] = row
            print(
                f"{name}-{mode}: {row['parameters']} parameters, difference {row['difference']:.0e}"
            )
            for form in ("edge", "node"):
                print(
                    f"  {form}-wise {row[f'{form}_mflop']:7.2f} MFLOP "
                    f"{1e3 * row[f'{form}_seconds']['median']:7.2f} ms"
                )
    measuring.finish({"blocks": blocks}, about=about, path=options.json)


def measure(diagram: FusionDiagram, mode: Mode, options: Any) -> dict[str, Any]:
    """Cost and times of one block."""
    atoms, channels = options.atoms, options.channels
    sizes = {"channels": channels, "outputs": channels, "nodes": atoms}
    sizes |= {"edges": atoms * (atoms - 1), "mode": mode}
    by_edge, by_node = (form([diagram], **sizes) for form in (edgewise_cost, nodewise_cost))
    torch.manual_seed(0)
    block = FusionBlock([diagram], channels=channels, outputs=channels, mode=mode)
    nodewise = NodewiseFusion(block)
    legs = inputs(options.molecules, atoms, channels)
    with torch.no_grad():
        block.double()
        double = inputs(1, atoms, channels, dtype=torch.float64)
        one, two = edgewise(block, **double), nodewise(**double)
        block.float()
        forms = {"edge": lambda: edgewise(block, **legs), "node": lambda: nodewise(**legs)}
        for action in forms.values():
            action()  # compiles
        seconds: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(options.repeats):
            for name, action in forms.items():
                taken = statistics.median(measuring.repeated(action, repeats=3))
                seconds[name].append(taken / options.molecules)
    return {
        "parameters": by_edge.parameters,
        "difference": float((one - two).abs().max() / one.abs().max()),
        "edge_mflop": by_edge.flops / 1e6,
        "node_mflop": by_node.flops / 1e6,
        **{f"{name}_seconds": measuring.summary(values) for name, values in seconds.items()},
    }


def inputs(
    molecules: int, atoms: int, channels: int, *, dtype: torch.dtype = torch.float32
) -> dict[str, Any]:
    """Random features of some molecules, and the edges between all atoms of each."""
    pairs = torch.nonzero(~torch.eye(atoms, dtype=torch.bool))
    edges = torch.cat([pairs + atoms * molecule for molecule in range(molecules)])
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    return {
        "root": random(_LEGS, molecules * atoms, channels),
        "neighbour": random(_LEGS, molecules * atoms, channels),
        "edges": Edges(
            centre=edges[:, 0],
            neighbour=edges[:, 1],
            harmonics=random(_LEGS, len(edges)),
            radial=random(len(edges), channels),
        ),
    }


if __name__ == "__main__":
    main()
