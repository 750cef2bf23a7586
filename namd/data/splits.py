"""Cut a dataset into training, validation and test frames without cutting a group.

Frames of one trajectory are nearly copies of each other; a split by frame would test on what was
learned. Here a *group* goes to one side as a whole. Groups named by a pattern go where the pattern
says. Each of the rest draws a number u in [0, 1) from a hash of the seed and its own name:

    u < test_fraction                            → test
    u < test_fraction + validation_fraction      → validation
    else                                         → training

A group's side thus depends on nothing but its name and the seed. Adding, removing or reordering
other groups moves none, and every source gives the same share, within the scatter of a draw: with
a dozen trajectories name those to be held out instead of leaving it to chance.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Int, Shaped

from namd.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Frame numbers of the three sides, ascending; together they hold every frame once."""

    training: Int[np.ndarray, " training"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


def split_groups(
    groups: Shaped[np.ndarray, " frame"],
    *,
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    validation_fraction: float = 0.0,
    test_fraction: float = 0.0,
    seed: int = 0,
) -> Split:
    """Split frames by group, reproducibly.

    Parameters
    ----------
    groups
        Group name of every frame.
    validation, test
        Group names or patterns (``*``, ``?``, ``[…]``; case matters) that go to that side.
    validation_fraction, test_fraction
        Expected shares of the groups that no pattern names.
    seed
        Seed of the draw.

    Returns
    -------
    Split
        Frame numbers of each side.

    Raises
    ------
    ConfigError
        If a pattern matches no group (near names are given), a group is claimed by both sides, or
        the fractions are negative or sum to 1 or more.

    Examples
    --------
    >>> groups = np.array(["traj-1", "traj-1", "traj-2", "scan-1"])
    >>> split = split_groups(groups, test=["traj-2"], validation=["scan-*"])
    >>> split.training.tolist(), split.validation.tolist(), split.test.tolist()
    ([0, 1], [3], [2])
    """
    if min(validation_fraction, test_fraction) < 0 or validation_fraction + test_fraction >= 1:
        raise ConfigError(
            f"the fractions for validation ({validation_fraction:g}) and test "
            f"({test_fraction:g}) must not be negative and leave something to train on",
            where="validation_fraction, test_fraction",
        )
    names, member = np.unique(groups.astype(np.str_), return_inverse=True)
    side_of = dict.fromkeys(names.tolist(), "")
    for side, patterns in (("test", test), ("validation", validation)):
        for pattern in patterns:
            for name in _matches(pattern, side_of, side=side):
                if side_of[name] not in ("", side):
                    raise ConfigError(
                        f"the group '{name}' is claimed by test and by validation",
                        where=f'{side} = "{pattern}"',
                        hint="make the patterns exclusive",
                    )
                side_of[name] = side
    for name, side in side_of.items():
        if not side:
            u = draw(name, seed=seed)
            side_of[name] = (
                "test"
                if u < test_fraction
                else "validation"
                if u < test_fraction + validation_fraction
                else "training"
            )
    sides = np.array([side_of[name] for name in names.tolist()], dtype=np.str_)[member]
    return Split(
        training=np.flatnonzero(sides == "training"),
        validation=np.flatnonzero(sides == "validation"),
        test=np.flatnonzero(sides == "test"),
    )


def draw(name: str, *, seed: int) -> float:
    """Uniform number in [0, 1) that depends on a name and a seed alone (BLAKE2b, 53 bits)."""
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / float(1 << 53)


def is_held_out(
    name: str,
    *,
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    test_fraction: float = 0.0,
    seed: int = 0,
) -> bool:
    """Whether :func:`split_groups` puts a group of this name on the test side, or cannot place it.

    Parameters
    ----------
    name
        Of the group.
    validation, test, test_fraction, seed
        As for :func:`split_groups`. A name that both sides claim counts as held out.

    Examples
    --------
    >>> is_held_out("traj-2", test=["traj-*"]), is_held_out("scan-1", test=["traj-*"])
    (True, False)
    """
    if any(fnmatchcase(name, pattern) for pattern in test):
        return True
    if any(fnmatchcase(name, pattern) for pattern in validation):
        return False
    return draw(name, seed=seed) < test_fraction


def _matches(pattern: str, names: dict[str, str], *, side: str) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        near = get_close_matches(pattern, names, n=3, cutoff=0.5) or list(names)[:3]
        raise ConfigError(
            f"no group of the dataset is called '{pattern}'",
            where=f'{side} = "{pattern}"',
            hint=f"near names: {', '.join(near)}; `namd data inspect` shows the groups",
        )
    return found
