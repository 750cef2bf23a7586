"""What the user says about a file that the file does not say itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from namd.data.dataset import Dataset
from namd.errors import ConfigError


def _be_silent(message: str) -> None:
    """Drop a message."""


@dataclass(frozen=True, kw_only=True)
class Stated:
    """Words of the user that go to every reader.

    Parameters
    ----------
    level_of_theory, charge
        For readers that need them while they read; None where not said.
    units
        Unit by name of a quantity in the file; replaces what its metadata say.
    frames
        Which frames to take, counted from 0 in the order of the file.
    warn
        Called with what a reader took for granted or left out.
    """

    level_of_theory: str | None = None
    charge: int | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    frames: slice = field(default_factory=lambda: slice(None))
    warn: Callable[[str], None] = _be_silent

    def take(self, dataset: Dataset) -> Dataset:
        """Take the chosen frames of a dataset."""
        if self.frames == slice(None):
            return dataset
        return dataset.select(np.arange(len(dataset))[self.frames])


def parse_frames(text: str) -> slice:
    """Read ``START:STOP`` or ``START:STOP:STEP``, each part optional, as Python has it.

    Raises
    ------
    ConfigError
        If it is none of that form, or the step is not positive.
    """
    try:
        parts = [int(part) if part.strip() else None for part in text.split(":")]
    except ValueError:
        parts = []
    if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] is not None and parts[2] < 1):
        raise ConfigError(
            "expected START:STOP or START:STOP:STEP with a positive step",
            where=f"--frames {text}",
            hint="10: leaves out the first ten frames, :100 takes the first hundred",
        )
    return slice(*parts)
