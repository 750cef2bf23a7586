"""Atoms sorted by element, so that per-element weights act on contiguous blocks."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class SortedAtoms(nn.Module):
    """The order of a molecule's atoms by element, and back.

    Parameters
    ----------
    atomic_numbers
        One per atom, in the molecule's order.

    Attributes
    ----------
    counts
        Number of atoms of each element, in ascending order of atomic number.
    """

    order: Tensor
    inverse: Tensor
    elements: Tensor

    def __init__(self, atomic_numbers: Int[Tensor, " atom"]) -> None:
        super().__init__()
        order = torch.argsort(atomic_numbers, stable=True)
        _, elements, counts = torch.unique(
            atomic_numbers[order], return_inverse=True, return_counts=True
        )
        self.counts: list[int] = counts.tolist()
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse", torch.argsort(order), persistent=False)
        self.register_buffer("elements", elements, persistent=False)

    def sort(self, values: Float[Tensor, "molecule atom _"]) -> Float[Tensor, "molecule atom _"]:
        """From the molecule's order to ours."""
        return values[:, self.order]

    def restore(self, values: Float[Tensor, "molecule atom _"]) -> Float[Tensor, "molecule atom _"]:
        """From our order to the molecule's."""
        return values[:, self.inverse]

    def spread(self, rows: Float[Tensor, "element _"]) -> Float[Tensor, "atom _"]:
        """One row per element to one row per atom, in our order."""
        return rows[self.elements]
