"""What a check tells: which numbers, in which frames, how bad, and what to do."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

Severity = Literal["error", "warning", "note"]
"""error: the data cannot be used as they are. warning: frames that deserve a look. note: harmless,
but good to know."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One thing found in a dataset.

    Parameters
    ----------
    kind
        Word that programs may compare, e.g. ``unit-slip``.
    severity
        See :data:`Severity`.
    name
        The array or attribute it is about.
    message, hint
        What was seen and what it means; what to do.
    frames
        Where, 0-based; empty if the dataset as a whole is meant.
    fixable
        Whether :func:`namd.data.doctor.fixing.fix` repairs it.
    """

    kind: str
    severity: Severity
    name: str
    message: str
    hint: str
    frames: Int[np.ndarray, " found"]
    fixable: bool = False

    def as_json(self) -> dict[str, Any]:
        """Everything in plain JSON types, with all frame numbers."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "name": self.name,
            "frames": self.frames.tolist(),
            "count": int(self.frames.size),
            "message": self.message,
            "hint": self.hint,
            "fixable": self.fixable,
        }


def whole(kind: str, severity: Severity, name: str, *, message: str, hint: str) -> Finding:
    """Make a finding about the dataset as a whole."""
    nowhere = np.zeros(0, dtype=np.int64)
    return Finding(
        kind=kind, severity=severity, name=name, message=message, hint=hint, frames=nowhere
    )


def hits(
    mask: Bool[np.ndarray, "frame ..."],
    *,
    kind: str,
    severity: Severity,
    name: str,
    message: str,
    hint: str,
    fixable: bool = False,
) -> list[Finding]:
    """Make one finding of the frames in which a mask is true anywhere, none if there are none."""
    frames = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))
    if not frames.size:
        return []
    return [
        Finding(
            kind=kind,
            severity=severity,
            name=name,
            message=message,
            hint=hint,
            frames=frames,
            fixable=fixable,
        )
    ]


def describe_frames(frames: Int[np.ndarray, " found"]) -> str:
    """``", frames 3, 7, 9 and 12 more"``; empty for none."""
    if not frames.size:
        return ""
    shown = ", ".join(str(frame) for frame in frames[:_SHOWN].tolist())
    more = f" and {frames.size - _SHOWN} more" if frames.size > _SHOWN else ""
    return f", frame{'s' if frames.size > 1 else ''} {shown}{more}"
