"""What a trajectory is doing, and why it was stopped."""

from enum import IntEnum


class Status(IntEnum):
    """Life of a trajectory; only active ones move."""

    ACTIVE = 0
    FINISHED = 1
    PARKED = 2


class Reason(IntEnum):
    """Why a guard parked a trajectory; the codes go into the ensemble file."""

    NONE = 0
    ENERGY_JUMP = 1
    NOT_A_NUMBER = 2
    BROKEN_MOLECULE = 3
    OUTSIDE_TRUST_REGION = 4
