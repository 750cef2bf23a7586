"""The four ways out of a one-dimensional two-state scattering event."""

from dataclasses import astuple, dataclass


@dataclass(frozen=True, kw_only=True)
class Channels:
    """One number per way out: a fraction, or its standard error.

    Parameters
    ----------
    transmission_lower, transmission_upper
        To the right on the lower or upper adiabatic surface.
    reflection_lower, reflection_upper
        Back to the left likewise.
    """

    transmission_lower: float
    transmission_upper: float
    reflection_lower: float
    reflection_upper: float

    @property
    def values(self) -> tuple[float, ...]:
        """The four numbers in the order above."""
        return astuple(self)
