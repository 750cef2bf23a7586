"""What a contender's process does: wait for orders of benchmarks/peers.py and time what they name.

Every contender runs in an interpreter of its own, since their packages exclude each other; this
file needs nothing but PyTorch. Orders are lines of JSON on standard input; answers go to a pipe of
their own, since packages print what they like.

Arguments of a contender: a file of labelled frames, and the number of that pipe.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch

CUTOFF = 5.0  # Å, of all peers


class Contender(Protocol):
    """A network and what can be timed of it."""

    parameters: int

    def action(self, task: str, batch: int) -> Callable[[], object]:
        """One call of a task on so many molecules: ``potential``, ``step`` or ``training``."""


def serve(
    networks: Mapping[str, Callable[[], Contender]],
    *,
    packages: Sequence[str],
    use_threads: Callable[[int], object] = torch.set_num_threads,
) -> None:
    """Answer orders until the input ends.

    Parameters
    ----------
    networks
        What makes each of them, by name.
    packages
        Whose versions are told.
    use_threads
        Sets the number of threads.
    """
    answers = os.fdopen(int(sys.argv[2]), "w", encoding="utf-8")
    made = lru_cache(maxsize=None)(lambda name: networks[name]())
    action = lru_cache(maxsize=None)(lambda name, task, batch: made(name).action(task, batch))
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any] = {}
        if order["do"] == "introduce":
            answer["versions"] = {p: importlib.metadata.version(p) for p in ("torch", *packages)}
            answer["parameters"] = {name: made(name).parameters for name in networks}
        elif order["do"] == "threads":
            use_threads(order["number"])
        else:
            call = action(order["network"], order["task"], order["batch"])
            began = time.perf_counter()
            for _ in range(order["calls"]):
                call()
            answer["seconds"] = time.perf_counter() - began
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def parameter_count(module: torch.nn.Module) -> int:
    """Learned numbers."""
    return sum(p.numel() for p in module.parameters())


def frames() -> dict[str, np.ndarray]:
    """Labelled frames from the file named on the command line: Å, eV, eV/Å."""
    with np.load(sys.argv[1]) as stored:
        return dict(stored)


def neighbours(positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Ordered pairs (i, j) within the cut-off, of many molecules with their atoms in one row."""
    atoms = positions.shape[1]
    distance = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    near = (distance < CUTOFF) & ~np.eye(atoms, dtype=bool)
    molecule, first, second = np.nonzero(near)
    start = molecule * atoms
    return torch.from_numpy(start + first), torch.from_numpy(start + second)


def update(
    parameters: Sequence[torch.nn.Parameter],
    evaluate: Callable[[], tuple[torch.Tensor, torch.Tensor]],
    *,
    energies: torch.Tensor,
    forces: torch.Tensor,
) -> Callable[[], None]:
    """One step of Adam on the mean squares of energies and forces."""
    optimiser = torch.optim.Adam(parameters, lr=1e-4)

    def call() -> None:
        optimiser.zero_grad()
        energy, force = evaluate()
        loss = (energy - energies).square().mean() + (force - forces).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimiser.step()

    return call
