"""Momentum change along the momentum, drawing on the energy of one degree of freedom only.

A hop upwards that may use the whole kinetic energy of a large molecule is hardly ever refused,
because most of that energy sits in vibrations that have nothing to do with it. Here the reservoir
is the mean kinetic energy per degree of freedom,

    the hop is refused if E_b − E_a > E_kin / f,    f = 3N − 6 (1 for up to two atoms),

and the velocities are scaled as by :class:`~namd.dynamics.momentum.along_velocity.AlongVelocity`.
Linear molecules of three or more atoms are counted as if they were bent.

Reference: J. M. Toldo, R. S. Mattos, M. Pinheiro Jr, S. Mukherjee, M. Barbatti,
J. Chem. Theory Comput. 20 (2024) 614, DOI 10.1021/acs.jctc.3c01159.
"""

from dataclasses import dataclass

from namd.dynamics.momentum.along_velocity import AlongVelocity


@dataclass(frozen=True)
class AlongVelocityPerFreedom(AlongVelocity):
    """D = M v, and a hop upwards may use E_kin divided by the degrees of freedom."""

    def available(self, atoms: int) -> float:
        """1/f with the f vibrations of a bent molecule."""
        return 1.0 / max(1, 3 * atoms - 6)
