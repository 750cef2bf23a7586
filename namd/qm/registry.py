"""The engines there are, by the name that the configuration's ``engine.name`` gives.

A new engine is a section in :mod:`namd.config.engine`, one file (or folder) here, and a line below.
Its maker is imported when it is asked for: nobody needs the packages of engines he does not use.
"""

import importlib
from pathlib import Path
from typing import Any

from namd.config.engine import EngineConfig
from namd.molecule import Molecule
from namd.qm.protocol import Engine

ENGINES: dict[str, str] = {
    "dftbplus": "namd.qm.dftbplus.engine:make_dftbplus",
    "pyscf": "namd.qm.pyscf_casscf:make_pyscf",
    "openmolcas": "namd.qm.openmolcas.engine:make_openmolcas",
    "ase": "namd.qm.ase_ground:make_ase",
    "callable": "namd.qm.function:make_function",
}


def make_engine(
    config: EngineConfig, *, molecule: Molecule, base: Path, scratch: Path | None = None
) -> Engine:
    """Make the engine that a section describes, ready for one molecule.

    Parameters
    ----------
    config
        Section ``engine``.
    molecule
        The atoms, with their charge.
    base
        Folder of the configuration, which its paths are relative to.
    scratch
        Folder for temporary files; that of the system if left out.

    Raises
    ------
    ConfigError
        If the program, its parameters or a package is missing.
    """
    module, _, function = ENGINES[config.name].partition(":")
    maker: Any = getattr(importlib.import_module(module), function)
    engine: Engine = maker(config, molecule=molecule, base=base, scratch=scratch)
    return engine
