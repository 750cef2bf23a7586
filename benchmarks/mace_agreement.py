"""Our MACE beside an independent one: same weights, same geometries, same numbers.

Two steps in two environments, because ``mace-torch`` needs an older e3nn than we do:

    python -m venv OTHER
    OTHER/bin/pip install torch==2.13.0 mace-torch==0.3.16
    OTHER/bin/python benchmarks/mace_agreement.py write reference.npz
    python benchmarks/mace_agreement.py compare reference.npz --json mace-agreement.json

``write`` draws a random model of the published configuration (two elements, two interactions,
l ≤ 3, correlation 3, 8 Bessel waves, radial perceptron 64, 64, 64) with ``mace-torch`` in float64,
evaluates energies and forces of distorted geometries of a small molecule, and keeps weights,
geometries and results. ``compare`` copies the weights into our network and prints the largest
deviations; it fails above 1e-6 eV and 1e-6 eV/Å. Our result is in ``benchmarks/results``;
``--channels 3 --radial-hidden 8 8`` makes the small file that the test suite keeps.
"""

# ruff: noqa: PLC0415  (each step runs in an environment that lacks the other's packages)

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

SYMBOLS = (6, 1, 6, 1, 1, 1, 1, 1)  # not sorted by element, on purpose
PLACES = np.array(  # ethane, Å
    [
        [0.0, 0.0, 0.76],
        [1.02, 0.0, 1.16],
        [0.0, 0.0, -0.76],
        [-0.51, 0.88, 1.16],
        [-0.51, -0.88, 1.16],
        [-1.02, 0.0, -1.16],
        [0.51, 0.88, -1.16],
        [0.51, -0.88, -1.16],
    ]
)


def write(path: Path, *, channels: int, radial_hidden: list[int], molecules: int) -> None:
    # Reads the Clebsch–Gordan table that travels with the old e3nn.
    os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    import torch
    from e3nn import o3
    from e3nn.math import normalize2mom
    from mace import modules

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    sizes: dict[str, Any] = {
        "channels": channels,
        "radial": 8,
        "radial_hidden": radial_hidden,
        "cutoff_angstrom": 2.6,
        "envelope_order": 5,
        "l_max": 3,
        "hidden_l": 3,
        "correlation": 3,
        "layers": 2,
        "hidden": 16,
    }
    neighbours = 5.25
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = modules.ScaleShiftMACE(
        r_max=sizes["cutoff_angstrom"],
        num_bessel=sizes["radial"],
        num_polynomial_cutoff=sizes["envelope_order"],
        max_ell=sizes["l_max"],
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=sizes["layers"],
        num_elements=2,
        hidden_irreps=o3.Irreps(
            "+".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(sizes["hidden_l"] + 1))
        ),
        MLP_irreps=o3.Irreps(f"{sizes['hidden']}x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(2),
        avg_num_neighbors=neighbours,
        atomic_numbers=[1, 6],
        correlation=sizes["correlation"],
        radial_MLP=radial_hidden,
        use_reduced_cg=False,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    noise = np.random.default_rng(3).normal(0.0, 0.1, (molecules, *PLACES.shape))
    positions = PLACES + noise
    energies, forces = zip(*(_evaluate(model, p, cutoff=2.6) for p in positions), strict=True)
    weights = {f"weights/{n}": p.detach().numpy() for n, p in model.named_parameters()}
    probe = np.cos(np.arange(1.0, (sizes["l_max"] + 1) ** 2 + 1))
    np.savez_compressed(
        path,
        probe=probe,
        sizes=json.dumps(sizes),
        neighbours=neighbours,
        silu_scale=normalize2mom(torch.nn.functional.silu).cst,
        atomic_numbers=np.array(SYMBOLS),
        positions=positions,
        energies=np.array(energies),
        forces=np.array(forces),
        versions=json.dumps(_versions("mace-torch", "e3nn", "torch")),
        parameters=sum(p.numel() for p in model.parameters()),
        **weights,
        **_tree_values(model, probe),
    )


def _tree_values(model: Any, probe: np.ndarray) -> dict[str, np.ndarray]:
    """The coupling tensors of the first contraction with ``probe`` in all legs."""
    values = {}
    for l, contraction in enumerate(model.products[0].symmetric_contractions.contractions):
        for nu in range(1, contraction.correlation + 1):
            tensor = contraction.U_tensors(nu).numpy()
            for _ in range(nu):
                tensor = np.tensordot(probe, tensor, axes=(0, -2))
            values[f"trees/{l}.{nu}"] = tensor.reshape(2 * l + 1, -1)
    return values


def _evaluate(model: Any, places: np.ndarray, *, cutoff: float) -> tuple[float, np.ndarray]:
    import torch

    positions = torch.tensor(places, requires_grad=True)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    sender, receiver = np.nonzero((distance < cutoff) & (distance > 0))
    numbers = np.array(SYMBOLS)
    output = model(
        {
            "positions": positions,
            "node_attrs": torch.tensor(np.stack([numbers == 1, numbers == 6], 1)).double(),
            "edge_index": torch.tensor(np.stack([sender, receiver])),
            "shifts": torch.zeros(len(sender), 3),
            "unit_shifts": torch.zeros(len(sender), 3),
            "cell": torch.zeros(3, 3),
            "batch": torch.zeros(len(numbers), dtype=torch.int64),
            "ptr": torch.tensor([0, len(numbers)]),
        },
        compute_force=True,
    )
    return float(output["energy"].detach()), output["forces"].detach().numpy()


def compare(path: Path) -> dict[str, Any]:
    import torch

    from namd.config.architecture import MaceArchitecture
    from namd.nn.factory import build_network, parameter_count
    from namd.nn.published.mace_weights import MaceConventions, load_mace_weights
    from namd.units import ANGSTROM_PER_BOHR

    with np.load(path) as stored:
        file = dict(stored)
    network = build_network(
        MaceArchitecture(**json.loads(str(file["sizes"]))),
        atomic_numbers=torch.from_numpy(file["atomic_numbers"]),
        diabats=1,
    ).double()
    weights, trees = (
        {name.removeprefix(part): w for name, w in file.items() if name.startswith(part)}
        for part in ("weights/", "trees/")
    )
    conventions = MaceConventions(
        silu_scale=float(file["silu_scale"]), probe=file["probe"], trees=trees
    )
    load_mace_weights(network, weights, conventions)
    network.neighbours.fill_(float(file["neighbours"]))
    places = torch.from_numpy(file["positions"]).requires_grad_()
    energies = network(places / ANGSTROM_PER_BOHR)[:, 0, 0]
    (gradient,) = torch.autograd.grad(energies.sum(), places)
    energy_error = np.abs(energies.detach().numpy() - file["energies"])
    force_error = np.abs(-gradient.numpy() - file["forces"])
    return {
        "sizes": json.loads(str(file["sizes"])),
        "parameters": {"theirs": int(file["parameters"]), "ours": parameter_count(network)},
        "geometries": len(places),
        "largest_energy_deviation_ev": float(energy_error.max()),
        "largest_force_deviation_ev_per_angstrom": float(force_error.max()),
        "spread_of_energies_ev": float(file["energies"].std()),
        "largest_force_ev_per_angstrom": float(np.abs(file["forces"]).max()),
        "versions": {
            "theirs": json.loads(str(file["versions"])),
            "ours": _versions("namd", "e3nn", "torch"),
        },
    }


def _versions(*packages: str) -> dict[str, str]:
    from importlib.metadata import version

    return {package: version(package) for package in packages}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=["write", "compare"])
    parser.add_argument("file", type=Path, help="NumPy archive")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--radial-hidden", type=int, nargs="+", default=[64, 64, 64])
    parser.add_argument("--molecules", type=int, default=8)
    parser.add_argument("--json", type=Path, help="keep the result of compare")
    options = parser.parse_args()
    if options.step == "write":
        write(
            options.file,
            channels=options.channels,
            radial_hidden=options.radial_hidden,
            molecules=options.molecules,
        )
        return
    result = compare(options.file)
    print(json.dumps(result, indent=2))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    deviations = [value for name, value in result.items() if name.startswith("largest_")][:2]
    sys.exit(0 if max(deviations) < 1e-6 else 1)


if __name__ == "__main__":
    main()
