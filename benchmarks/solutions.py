"""Does a label depend on where one comes from? Every frame from cold, and along the file.

    namd sample scan ethylene.xyz --torsion 2-0-1-4 --angles 0:90:7 \
      --pyramidalise 0-1 --bends=0,60 --output scan.h5
    python benchmarks/solutions.py scan.h5 engine.yaml [--set engine.basis=6-31g …]

labels each frame twice, without a guess and with that of the frame before, and compares energies.
Where they differ by more than 1e-5 hartree, the self-consistent field has several solutions, and a
network can learn neither: choose another active space, basis or number of averaged states, or an
engine that takes the lowest. A lost active space (the neighbour in the file may be none in space)
is no difference; the frame after it begins from cold.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import measuring
import numpy as np

from namd.cli import console
from namd.config.labelling import LabellingConfig
from namd.config.loading import apply_overrides, read_yaml, validate
from namd.data.frames import read_frames
from namd.errors import EngineError, NamdError
from namd.qm.protocol import Answer, Engine, Guess
from namd.qm.registry import make_engine
from namd.units import EV_PER_HARTREE

SAME = 1e-5


def main() -> int:
    parser = measuring.parser(__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args()
    about = measuring.machine()
    try:
        frames = read_frames(options.frames)
        data = apply_overrides(read_yaml(options.config), options.overrides)
        config = validate(data, LabellingConfig, where=str(options.config))
        molecule = frames.molecule
        if config.charge is not None:
            molecule = replace(molecule, charge=config.charge)
        engine = make_engine(config.engine, molecule=molecule, base=options.config.parent)
        rows = compare(engine, frames.positions)
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    level = engine.describe().level_of_theory
    show(rows, level=level)
    result = {"level_of_theory": level, "molecule": molecule.formula, "frames": rows}
    measuring.finish(result, about=about, path=options.json)
    return 0


def compare(engine: Engine, positions: np.ndarray) -> list[dict[str, Any]]:
    """Gap from cold, and the largest difference of an energy when warm, frame by frame."""
    rows: list[dict[str, Any]] = []
    guess: Guess | None = None
    for number, place in enumerate(positions):
        cold, reason = attempt(engine, place, None)
        warm, lost = attempt(engine, place, guess) if guess is not None else (None, "first")
        row: dict[str, Any] = {"frame": number, "gap_ev": None, "difference_hartree": None}
        row["reason"] = reason or lost
        if cold is not None:
            energies = cold.label.energies
            row["gap_ev"] = float(energies[1] - energies[0]) * EV_PER_HARTREE
            if warm is not None:
                row["difference_hartree"] = float(np.abs(warm.label.energies - energies).max())
        rows.append(row)
        guess = warm.guess if warm is not None else None if cold is None else cold.guess
    return rows


def attempt(engine: Engine, place: np.ndarray, guess: Guess | None) -> tuple[Answer | None, str]:
    """An answer, or why there is none."""
    try:
        return engine.label(place, guess=guess), ""
    except EngineError as error:
        return None, error.message


def show(rows: list[dict[str, Any]], *, level: str) -> None:
    console.table(
        ["frame", "gap/eV", "warm − cold/hartree"],
        [
            [
                str(row["frame"]),
                "–" if row["gap_ev"] is None else f"{row['gap_ev']:.2f}",
                row["reason"]
                if row["difference_hartree"] is None
                else f"{row['difference_hartree']:.0e}",
            ]
            for row in rows
        ],
        title=level,
    )
    compared = [row for row in rows if row["difference_hartree"] is not None]
    other = [row["frame"] for row in compared if row["difference_hartree"] > SAME]
    print(f"{level}: another solution in {len(other)} of {len(compared)} compared frames {other}")


if __name__ == "__main__":
    sys.exit(main())
