"""Labels of PySCF and of OpenMolcas beside each other, down to a conical intersection.

Two programs that share no code compute SA3-CASSCF(2,2)/3-21G of ethylene at its minimum and at
four points of a circle of each radius about the intersection of models/ethylene-casscf, all from
cold: energies, forces and h of S0 and S1 (the sign of h, which is free, taken so that they agree
best). Near the intersection, states mix by an angle that errors of energies and couplings of size
ε turn by ε/gap: differences of forces and couplings grow as 1/gap, at fixed ε, in both programs.

    python benchmarks/casscf_programs.py --json benchmarks/results/casscf-programs.json

takes two minutes of one core; needs PySCF (`pip install pyscf`) and OpenMolcas
(`apt install openmolcas`).
"""

import sys
from dataclasses import replace
from typing import Any

import measuring
import numpy as np
from casscf_derivatives import FOLDER, RADII, TIGHT, gap, plane_of, unit, vector

from namd.cli import console
from namd.config.engine import OpenmolcasConfig
from namd.config.labelling import LabellingConfig
from namd.config.loading import load_config
from namd.data.frames import read_frames
from namd.errors import NamdError
from namd.qm.openmolcas.engine import make_openmolcas
from namd.qm.protocol import Answer
from namd.qm.pyscf_casscf import make_pyscf
from namd.units import EV_PER_HARTREE

ANGLES = (0.3, 1.9, 3.5, 5.1)


def main() -> int:
    options = measuring.parser(__doc__).parse_args()
    about = measuring.machine()
    frames = read_frames(FOLDER / "data" / "meci.h5")
    config = load_config(FOLDER / "engine.yaml", LabellingConfig)
    molecule = replace(frames.molecule, charge=config.charge)
    pyscf_config = config.engine.model_copy(update=TIGHT)
    openmolcas_config = OpenmolcasConfig(
        name="openmolcas",
        basis=config.engine.basis,
        active_electrons=2,
        active_orbitals=2,
        states=config.engine.averaged,
    )
    try:
        first = make_pyscf(pyscf_config, molecule=molecule, base=FOLDER, scratch=None)
        second = make_openmolcas(openmolcas_config, molecule=molecule, base=FOLDER, scratch=None)
        crossing = frames.positions[0]
        plane = plane_of(first.label(crossing))
        places = {"S0 minimum": read_frames(FOLDER / "data" / "minimum.h5").positions[:1]}
        for radius in RADII:
            ways = [np.cos(a) * unit(plane.g) + np.sin(a) * unit(plane.h) for a in ANGLES]
            places[f"{radius} bohr from the intersection"] = crossing + radius * np.array(ways)
        rows = [
            {"place": name} | compare([(first.label(x), second.label(x)) for x in positions])
            for name, positions in places.items()
        ]
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    show(rows)
    versions = first.describe().versions | second.describe().versions
    measuring.finish({"versions": versions, "places": rows}, about=about, path=options.json)
    return 0


def compare(pairs: list[tuple[Answer, Answer]]) -> dict[str, Any]:
    """Largest deviations, atomic units, over all geometries of a place."""
    energies, forces, couplings = [], [], []
    for one, other in pairs:
        energies.append(np.abs(one.label.energies - other.label.energies[:2]).max())
        forces.append(np.abs(one.label.forces - other.label.forces[:2]).max())
        sign = np.sign(np.sum(vector(one) * vector(other)))
        couplings.append(np.abs(vector(one) - sign * vector(other)).max())
    gaps = [gap(one) * EV_PER_HARTREE for one, _ in pairs]
    return {
        "geometries": len(pairs),
        "gaps_ev": [min(gaps), max(gaps)],
        "energy_hartree": max(energies),
        "force_hartree_per_bohr": max(forces),
        "coupling_hartree_per_bohr": max(couplings),
        "largest_coupling_hartree_per_bohr": max(np.abs(vector(one)).max() for one, _ in pairs),
    }


def show(rows: list[dict[str, Any]]) -> None:
    console.table(
        ["geometry", "gaps/eV", "ΔE/hartree", "ΔF/(hartree/bohr)", "Δh", "largest h"],
        [
            [
                row["place"],
                "–".join(f"{value:.3f}" for value in row["gaps_ev"]),
                f"{row['energy_hartree']:.0e}",
                f"{row['force_hartree_per_bohr']:.0e}",
                f"{row['coupling_hartree_per_bohr']:.0e}",
                f"{row['largest_coupling_hartree_per_bohr']:.3f}",
            ]
            for row in rows
        ],
        title="PySCF and OpenMolcas: largest deviations",
    )


if __name__ == "__main__":
    sys.exit(main())
