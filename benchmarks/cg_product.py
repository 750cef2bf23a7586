"""The Clebsch–Gordan product beside e3nn's, and beside what it would be without compiled loops.

    python benchmarks/cg_product.py [--threads 1 2] [--repeats 9] [--json FILE]

All 15 paths l₁ ⊗ l₂ → l₃ with l ≤ 2 (0e+1e+2e), channel by channel with a weight per path and
channel, single precision, at nodes = molecules × 26 atoms:

* ``namd``: our operator, components first, through its compiled loops.
* ``e3nn``: ``o3.TensorProduct`` with the same paths as ``uuu`` instructions with weights, in e3nn's
  layout [node, irrep · channel · m], as it comes: code generated, scripted and specialised by e3nn.
* ``einsum``: our reference, one matrix product of the whole table with the outer product.
* ``unrolled``: one line of PyTorch per nonzero coefficient (one molecule only).

``forward`` is without gradients, ``backward`` a forward pass and the gradients with respect to both
inputs and the weights. Everything is warm: called five times first, which is where e3nn's code is
specialised. With several threads PyTorch divides each operation of the others, we run slices of the
nodes side by side (``namd.nn.parallel``), as the dynamics does. Evaluations take turns, and every
turn begins with a call that is not counted: it warms the caches and the memory that others left.

Two clocks: ``seconds`` of the wall, and ``processor`` seconds of the process, which other processes
disturb less; on one thread of a quiet machine they are the same. ``speedup`` is e3nn's
median over ours, ``processor_speedup`` likewise. ``deviation`` is the largest difference to e3nn,
relative to the largest number.
"""

import time
from collections.abc import Callable
from typing import Any

import measuring
import torch
from e3nn import o3
from torch import Tensor

from namd.nn.fusion.backends import einsum
from namd.nn.fusion.columns import columns_of, registered
from namd.nn.fusion.irreps import parse_irreps
from namd.nn.fusion.operators import cg_product
from namd.nn.fusion.paths import CouplingTable, irreps_table
from namd.nn.parallel import side_by_side, use_threads

_ATOMS = 26
_IRREPS = parse_irreps("0e+1e+2e")
_UNROLLED_NODES = _ATOMS  # beyond this the unrolled product only costs patience

Product = Callable[[Tensor, Tensor, Tensor], Tensor]


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 32])
    parser.add_argument("--molecules", type=int, nargs="+", default=[64, 16, 1])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    about = measuring.machine()
    rows = []
    for threads in options.threads:
        for channels in options.channels:
            for molecules in options.molecules:
                row = measure(threads, channels, molecules * _ATOMS, repeats=options.repeats)
                rows.append({"molecules": molecules, **row})
                show(rows[-1])
    measuring.finish({"products": rows}, about=about, path=options.json)


def measure(threads: int, channels: int, nodes: int, *, repeats: int) -> dict[str, Any]:
    """Times of all products at one size."""
    use_threads(threads)
    torch.set_num_threads(threads)
    table = irreps_table(_IRREPS, _IRREPS, _IRREPS)
    torch.manual_seed(0)
    a, b, g = (torch.randn(size, nodes, channels) for size in table.dimensions)
    w = torch.randn(len(table.paths), channels)
    theirs, layout = e3nn_product(table, channels)
    products: dict[str, Product] = {
        "namd": lambda a, b, w: cg_product(a, b, w, registered(table)),
        "einsum": lambda a, b, w: einsum.product(a, b, w, columns_of(registered(table))),
    }
    if nodes <= _UNROLLED_NODES:
        products["unrolled"] = lambda a, b, w: unrolled(a, b, w, table)
    actions: dict[str, dict[str, Callable[[], object]]] = {"forward": {}, "backward": {}}
    ours = [*torch.tensor_split(torch.arange(nodes), threads)]
    slices = [[t[:, part].contiguous() for t in (a, b, g)] for part in ours]
    actions["forward"]["namd"] = lambda: side_by_side(
        lambda part: forward(products["namd"], *part[:2], w), slices
    )
    actions["backward"]["namd"] = lambda: side_by_side(
        lambda part: backward(products["namd"], *part[:2], w, part[2]), slices
    )
    inputs = (layout(a), layout(b), w.flatten())
    actions["forward"]["e3nn"] = lambda: forward(theirs, *inputs)
    actions["backward"]["e3nn"] = lambda: backward(theirs, *inputs, layout(g))
    for name in ("einsum", "unrolled"):
        if name in products:
            actions["forward"][name] = lambda name=name: forward(products[name], a, b, w)
            actions["backward"][name] = lambda name=name: backward(products[name], a, b, w, g)
    wanted, found = layout(forward(products["namd"], a, b, w)), forward(theirs, *inputs)
    row: dict[str, Any] = {
        "threads": threads,
        "channels": channels,
        "nodes": nodes,
        "paths": len(table.paths),
        "nonzeros": len(table.value),
        "deviation": float((wanted - found).abs().max() / found.abs().max()),
    }
    for way, candidates in actions.items():
        row[way] = in_turns(candidates, repeats=repeats)
    return row


def in_turns(actions: dict[str, Callable[[], object]], *, repeats: int) -> dict[str, Any]:
    """Seconds of each on both clocks, warm, one after the other in every round."""
    counts = {}
    for name, action in actions.items():
        taken = min(measuring.repeated(action, repeats=5))
        counts[name] = max(2, min(100, int(0.01 / taken)))
    clocks = {"seconds": time.perf_counter, "processor": time.process_time}
    found: dict[str, Any] = {clock: {name: [] for name in actions} for clock in clocks}
    for _ in range(repeats):
        for name, action in actions.items():
            action()
            began = {clock: read() for clock, read in clocks.items()}
            for _ in range(counts[name]):
                action()
            for clock, read in clocks.items():
                found[clock][name].append((read() - began[clock]) / counts[name])
    result: dict[str, Any] = {
        clock: {name: measuring.summary(values) for name, values in times.items()}
        for clock, times in found.items()
    }
    for clock, ratio in (("seconds", "speedup"), ("processor", "processor_speedup")):
        result[ratio] = result[clock]["e3nn"]["median"] / result[clock]["namd"]["median"]
    return result


def forward(product: Product, a: Tensor, b: Tensor, w: Tensor) -> Tensor:
    with torch.no_grad():
        return product(a, b, w)


def backward(product: Product, a: Tensor, b: Tensor, w: Tensor, g: Tensor) -> object:
    leaves = [t.detach().requires_grad_() for t in (a, b, w)]
    return torch.autograd.grad(product(*leaves), leaves, g)


def e3nn_product(table: CouplingTable, channels: int) -> tuple[Product, Callable[[Tensor], Tensor]]:
    """Their product with our weights, and the way from our layout to theirs."""
    irreps = o3.Irreps([(channels, (irrep.l, 1)) for irrep in _IRREPS])
    product = o3.TensorProduct(
        irreps,
        irreps,
        irreps,
        [(i, j, k, "uuu", True) for i, j, k in table.paths],
        irrep_normalization="component",
        path_normalization="element",
        internal_weights=False,
        shared_weights=True,
    )
    # They divide by the number of paths into an irrep, under a root.
    into = [sum(q[2] == p[2] for q in table.paths) for p in table.paths]
    scale = torch.tensor(into, dtype=torch.float32).sqrt().repeat_interleave(channels)

    def layout(feature: Tensor) -> Tensor:
        parts = [feature[l * l : (l + 1) ** 2] for l in range(3)]
        return torch.cat([part.permute(1, 2, 0).flatten(1) for part in parts], dim=1)

    return lambda x, y, weights: product(x, y, weights * scale), layout


def unrolled(a: Tensor, b: Tensor, w: Tensor, table: CouplingTable) -> Tensor:
    """One operation after the other for each nonzero."""
    out: list[Tensor | None] = [None] * table.dimensions[2]
    columns = (table.first, table.second, table.output, table.path, table.value)
    for i, j, k, p, value in zip(*(column.tolist() for column in columns), strict=True):
        term = (value * w[p]) * a[i] * b[j]
        out[k] = term if out[k] is None else out[k] + term
    return torch.stack([term for term in out if term is not None])


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['threads']} threads, {row['channels']} channels, {row['molecules']} molecules "
        f"(deviation {row['deviation']:.0e})"
    )
    for way in ("forward", "backward"):
        taken = row[way]
        for clock, ratio in (("seconds", "speedup"), ("processor", "processor_speedup")):
            times = ", ".join(f"{n} {1e3 * t['median']:.3f} ms" for n, t in taken[clock].items())
            print(f"  {way:9}{clock:10}{times}; {taken[ratio]:.1f} times e3nn")


if __name__ == "__main__":
    main()
