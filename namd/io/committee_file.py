"""``committee.json``: several models that stand for one, read and written without torch.

::

    FOLDER/committee.json   name, members with the digest of their weights, calibration
    FOLDER/member-1         a model folder like any other
    FOLDER/member-2         …

The file is written last, when all members are trained: where it is, the folder can be named
wherever a model can.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from namd.errors import ModelError
from namd.io.atomic import write_text

FORMAT = "namd-committee"
FORMAT_VERSION = 1
COMMITTEE_FILE = "committee.json"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One model of a committee.

    Parameters
    ----------
    folder
        Its model folder, relative to that of the committee.
    sha256
        Of its weights.
    """

    folder: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class CommitteeFile:
    """What ``committee.json`` says.

    Parameters
    ----------
    name
        Of the committee.
    members
        At least two, in their order.
    calibration
        How deviations over the members become expected errors
        (:mod:`namd.train.reliability`); empty if that is not known.

    Raises
    ------
    ModelError
        If there are fewer than two members, or a scale is not a positive number.
    """

    name: str
    members: tuple[Member, ...]
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sound = all(0 < float(scale) < float("inf") for scale in self.scales.values())
        if len(self.members) < 2 or not sound:
            raise ModelError(
                "a committee has two members at least, and scales above zero",
                where=f"committee {self.name}",
                hint="was its file edited? copy the folder again",
            )

    @property
    def sha256(self) -> str:
        """Digest of the members' digests."""
        return hashlib.sha256("\n".join(each.sha256 for each in self.members).encode()).hexdigest()

    @property
    def scales(self) -> Mapping[str, float]:
        """By quantity: the factor of its deviation; empty if not known."""
        scales: Mapping[str, float] = self.calibration.get("scales", {})
        return scales


def is_committee(folder: Path) -> bool:
    """Whether a folder holds a committee."""
    return (folder / COMMITTEE_FILE).is_file()


def write_committee(committee: CommitteeFile, folder: Path) -> None:
    """Write ``committee.json``, atomically.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(committee)}
    write_text(folder / COMMITTEE_FILE, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_committee(folder: Path) -> CommitteeFile:
    """Read ``committee.json``; its members are not looked at.

    Raises
    ------
    ModelError
        If it is missing, damaged, or of an unknown version.
    """
    path = folder / COMMITTEE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or content["format_version"] != FORMAT_VERSION:
            raise ModelError(
                f"{content['format']} version {content['format_version']}; this namd reads "
                f"{FORMAT} {FORMAT_VERSION}",
                where=str(path),
                hint="use the namd that wrote it, or a newer one",
            )
        members = tuple(
            Member(folder=str(each["folder"]), sha256=str(each["sha256"]))
            for each in content["members"]
        )
        calibration = dict(content["calibration"])
        return CommitteeFile(name=str(content["name"]), members=members, calibration=calibration)
    except OSError as error:
        raise ModelError(
            f"it cannot be read: {error.strerror}", where=str(path), hint="copy the folder again"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the file is damaged: {error}",
            where=str(path),
            hint="was it edited? copy the folder again",
        ) from None
