"""From a folder to a potential: one trained model, or several that stand for one."""

from pathlib import Path

from namd.errors import ModelError
from namd.io.committee_file import Member, is_committee, read_committee
from namd.nn.model_folder import read_header
from namd.potentials.committee import CommitteePotential
from namd.potentials.deviation import Scales
from namd.potentials.network import NetworkPotential, load_network_potential


def load_trained(folder: Path, *, device: str = "cpu") -> NetworkPotential | CommitteePotential:
    """Load a model folder, or all members of a committee, as a potential.

    Parameters
    ----------
    folder
        A model folder (:mod:`namd.nn.model_folder`) or that of a committee
        (:mod:`namd.io.committee_file`).
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ModelError
        If the folder cannot be used, or a member is not the one the committee was made of.
    ConfigError
        If there is no such device.
    """
    if not is_committee(folder):
        return load_network_potential(folder, device=device)
    told = read_committee(folder)
    members = [load_network_potential(place, device=device) for place in member_folders(folder)]
    return CommitteePotential(tuple(members), name=told.name, scales=Scales.of(told.scales))


def member_folders(folder: Path) -> list[Path]:
    """Model folders of a committee's members, in their order; of a single model, its own.

    Raises
    ------
    ModelError
        If a member is missing, or holds other weights than when the committee was made.
    """
    if not is_committee(folder):
        return [folder]
    return [_checked(folder / member.folder, member) for member in read_committee(folder).members]


def _checked(folder: Path, member: Member) -> Path:
    found = str(read_header(folder)[0]["sha256"])
    if found != member.sha256:
        raise ModelError(
            f"SHA-256 of the weights is {found[:12]}…, the committee was made of "
            f"{member.sha256[:12]}…",
            where=str(folder),
            hint="bring the member back; a committee whose members change is another one: "
            "its deviations must be calibrated again",
        )
    return folder
