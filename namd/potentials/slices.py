"""Several potentials on one batch as one call: all slices of all of them side by side.

A potential that evaluates a batch in slices says what each computes and what is made of all; the
threads then have the slices of every potential to choose from, also where one of them alone has
fewer than there are threads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from namd.nn.parallel import side_by_side
from namd.potentials.protocol import Needs, Potential, Surfaces

Part = tuple[Tensor, ...]
"""What a slice comes to."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A batch in slices.

    Parameters
    ----------
    slices
        What each computes, on any thread.
    join
        From what all came to, in their order, to the surfaces of the batch.
    """

    slices: Sequence[Callable[[], Part]]
    join: Callable[[Sequence[Part]], Surfaces]


@runtime_checkable
class Sliced(Protocol):
    """A potential that can plan a batch instead of evaluating it."""

    def plan(
        self,
        positions: Float[Tensor, "traj atom 3"],
        active_state: Int[Tensor, " traj"],
        *,
        needs: Needs,
    ) -> Plan:
        """Arguments as of :meth:`namd.potentials.protocol.Potential.surfaces`."""
        ...


def surfaces_together(
    potentials: Sequence[Potential],
    positions: Float[Tensor, "traj atom 3"],
    active_state: Int[Tensor, " traj"],
    *,
    needs: Needs,
) -> list[Surfaces]:
    """Surfaces of one batch by each of several potentials.

    Those that are not all :class:`Sliced` are asked one after another.

    Parameters
    ----------
    potentials
        Of the same molecule.
    positions, active_state, needs
        As of :meth:`namd.potentials.protocol.Potential.surfaces`.
    """
    sliced = [each for each in potentials if isinstance(each, Sliced)]
    if len(sliced) < len(potentials):
        return [each.surfaces(positions, active_state, needs=needs) for each in potentials]
    plans = [each.plan(positions, active_state, needs=needs) for each in sliced]
    every = [piece for plan in plans for piece in plan.slices]
    done = iter(side_by_side(_call, every))
    return [plan.join([next(done) for _ in plan.slices]) for plan in plans]


def _call(piece: Callable[[], Part]) -> Part:
    return piece()
