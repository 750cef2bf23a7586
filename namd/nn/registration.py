"""How operators of our own join those of PyTorch, so that its compiler and fake tensors take them.

An operator is defined in a ``torch.library.Library``, then registered here with what computes it,
what tells the shape of its result, and its derivative. ``torch.func`` cannot transform an operator
whose derivative is registered in Python: inside its transforms the same formulas go through an
``autograd.Function`` (:func:`inside_transform`, :func:`apply`).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def inside_transform() -> bool:
    """Whether a transform of ``torch.func`` is at work, outside of a compiler.

    A compiler would lose the derivatives of what a function closes over; the operator is refused.
    """
    active: bool = torch._C._are_functorch_transforms_active()  # noqa: SLF001  (no public way)
    return active and not torch.compiler.is_compiling()


def apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """``function.apply``, whose type PyTorch does not say."""
    result: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return result


def register(
    library: Any,
    name: str,
    *,
    key: str,
    compute: Callable[..., Tensor],
    fake: Callable[..., Tensor],
    remember: Callable[..., None],
    backward: Callable[..., tuple[Tensor | None, ...]],
) -> None:
    """Register a defined operator of the namespace ``namd``.

    Parameters
    ----------
    library
        Where it is defined; to be kept as long as the operator is used.
    name
        Its name.
    key
        Dispatch key of ``compute``: ``CPU``, or ``CompositeExplicitAutograd`` for every device.
    compute
        The operator itself.
    fake
        The same without data: shape and precision of the result.
    remember, backward
        ``setup_context`` and ``backward``, as of an ``autograd.Function``.
    """
    library.impl(name, compute, key)
    torch.library.register_fake(f"namd::{name}", fake, lib=library)
    torch.library.register_autograd(f"namd::{name}", backward, setup_context=remember, lib=library)
