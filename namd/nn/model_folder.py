"""Model folders: ``model.json`` and ``model.safetensors``, checked before they are used.

No pickles. The JSON names architecture, molecule, states and level of theory and carries the
SHA-256 of the weights; altered, truncated or exchanged weights are refused.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError

from namd.config.architecture import Architecture
from namd.config.head import Head, QuasiDiabaticHead
from namd.errors import ModelError, NamdError
from namd.io.atomic import write_bytes, write_text
from namd.io.model_header import FORMAT, FORMAT_VERSION, HEADER_FILE, read_model_header
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.states import StateSpace

WEIGHTS_FILE = "model.safetensors"


def save_model(model: DiabaticModel, folder: Path) -> str:
    """Write ``model.safetensors``, then ``model.json``; returns the weights' SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    weights = safetensors.torch.save(tensors)
    digest = hashlib.sha256(weights).hexdigest()
    write_bytes(folder / WEIGHTS_FILE, weights)
    info = model.information
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": info.name,
        "molecule": {
            "atomic_numbers": info.molecule.atomic_numbers.tolist(),
            "masses": info.molecule.masses.tolist(),
            "charge": info.molecule.charge,
        },
        "states": list(info.states.labels),
        "level_of_theory": info.level_of_theory,
        "architecture": info.architecture.model_dump(mode="json"),
        "diabats": info.diabats,
        "head": info.head.model_dump(mode="json"),
        "dtype": str(model.dtype).removeprefix("torch."),
        "sha256": digest,
    }
    write_text(folder / HEADER_FILE, json.dumps(header, indent=2) + "\n")
    return digest


def load_model(folder: Path) -> DiabaticModel:
    """Read a model folder, on the CPU, in evaluation mode.

    Raises
    ------
    ModelError
        If a file is missing, cannot be read, has another format version, or the weights are not
        those the header was written for, or not numbers.
    """
    header, information = read_header(folder)
    path = folder / WEIGHTS_FILE
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the weights cannot be read: {error.strerror}",
            where=str(path),
            hint="a model folder holds model.json and model.safetensors; copy it again",
        ) from None
    digest = hashlib.sha256(weights).hexdigest()
    if digest != header["sha256"]:
        raise ModelError(
            f"SHA-256 of the weights is {digest[:12]}…, model.json expects "
            f"{header['sha256'][:12]}…: the file was altered or cut short",
            where=str(path),
            hint="copy the model folder again; weights and header belong together",
        )
    model = DiabaticModel(information)
    if header["dtype"] == "float64":
        model.network.double()
    try:
        tensors = safetensors.torch.load(weights)
        _require_precision(tensors, model)
        model.load_state_dict(tensors)
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"the weights do not fit the architecture: {str(error).splitlines()[-1].strip()}",
            where=str(path),
            hint="was model.json edited? train again or copy the folder again",
        ) from None
    if not all(bool(torch.isfinite(t).all()) for t in model.state_dict().values()):
        raise ModelError(
            "the weights hold values that are not numbers", where=str(folder), hint="train again"
        )
    return model.eval()


def _require_precision(tensors: dict[str, torch.Tensor], model: DiabaticModel) -> None:
    """Refuse what ``load_state_dict`` would round silently."""
    for name, expected in model.state_dict().items():
        if name in tensors and tensors[name].dtype != expected.dtype:
            raise RuntimeError(f"{name} is {tensors[name].dtype}, expected {expected.dtype}")


def read_header(folder: Path) -> tuple[dict[str, Any], ModelInformation]:
    """Read and check ``model.json`` alone."""
    header = read_model_header(folder)
    try:
        # Models made before there was a choice have no entry.
        if "offdiagonal_limit_ev" in header["architecture"]:
            header["architecture"].setdefault("offdiagonal_bound", "tanh")
        architecture: Architecture = _section("architecture", Architecture, header)
        head: Head = _section("head", Head, header) if "head" in header else QuasiDiabaticHead()
        molecule = header["molecule"]
        information = ModelInformation(
            name=str(header["name"]),
            molecule=Molecule(
                atomic_numbers=np.array(molecule["atomic_numbers"], dtype=np.int64),
                masses=np.array(molecule["masses"], dtype=np.float64),
                charge=int(molecule["charge"]),
            ),
            states=StateSpace(tuple(header["states"])),
            level_of_theory=str(header["level_of_theory"]),
            architecture=architecture,
            diabats=int(header["diabats"]),
            head=head,
        )
        _require_sense(header, information)
    except (KeyError, TypeError, ValueError, NamdError) as error:
        raise ModelError(
            f"the header is damaged: {_reason(error)}",
            where=str(folder / HEADER_FILE),
            hint="was it edited? copy the model folder again",
        ) from None
    return header, information


def _section(name: str, kind: Any, header: dict[str, Any]) -> Any:
    """One validated section of the header; what is raised names the entry."""
    try:
        return TypeAdapter(kind).validate_python(header[name])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        entry = ".".join(str(part) for part in (name, *first["loc"][1:]))
        raise ValueError(f"{entry}: {first['msg']}") from None


def _reason(error: Exception) -> str:
    """What is wrong with a header, in one line that names the entry."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error).splitlines()[0]


def _require_sense(header: dict[str, Any], information: ModelInformation) -> None:
    """What building the parts does not tell; what is raised names the entry."""
    if not isinstance(header["sha256"], str):
        raise TypeError("sha256 is not a text")
    if header["dtype"] not in ("float32", "float64"):
        raise ValueError(f"dtype is {header['dtype']!r}, expected float32 or float64")
    molecule = information.molecule
    if not len(molecule.atomic_numbers) == len(molecule.masses) > 0:
        raise ValueError("atomic_numbers and masses are not equally many")
    if information.diabats < len(information.states):
        raise ValueError(f"{information.diabats} diabats cannot hold the states")
