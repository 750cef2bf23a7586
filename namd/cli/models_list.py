"""``namd models list``: the zoo. Imports no torch."""

from pathlib import Path
from typing import Any

import click

from namd.cli import console


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(*, as_json: bool) -> None:
    """List the models of the zoo.

    \b
    Examples:
      namd models list
      namd models list --json

    Any of them can stand where a command or configuration asks for a model; so can the path of a
    folder made by `namd train`. The SHA-256 of a committee is that of its members'.
    """
    from namd.io.library import zoo

    found = [_facts(folder) for folder in zoo()]
    if as_json:
        console.result_json(found)
        return
    if not found:
        console.note("the zoo is empty; `namd train` makes a model folder, to be used by its path")
        return
    console.table(
        ["name", "molecule", "states", "level of theory"],
        [[f["name"], f["molecule"], " ".join(f["states"]), f["level_of_theory"]] for f in found],
    )


def _facts(folder: Path) -> dict[str, Any]:
    """What ``model.json`` says, in plain JSON types; of a committee, that of its first member."""
    import numpy as np

    from namd.errors import ModelError, NamdError
    from namd.io.committee_file import is_committee, read_committee
    from namd.io.model_header import HEADER_FILE, read_model_header
    from namd.molecule import Molecule

    if is_committee(folder):
        told = read_committee(folder)
        first = _facts(folder / told.members[0].folder)
        return {**first, "name": told.name, "sha256": told.sha256, "folder": str(folder)}
    header = read_model_header(folder)
    try:
        numbers = np.array(header["molecule"]["atomic_numbers"], dtype=np.int64)
        return {
            "name": str(header["name"]),
            "molecule": Molecule.from_numbers(numbers).formula,
            "charge": int(header["molecule"]["charge"]),
            "states": [str(label) for label in header["states"]],
            "level_of_theory": str(header["level_of_theory"]),
            "architecture": dict(header["architecture"]),
            "sha256": str(header["sha256"]),
            "folder": str(folder),
        }
    except (KeyError, TypeError, ValueError, NamdError) as error:
        raise ModelError(
            f"the header is damaged: {error}",
            where=str(folder / HEADER_FILE),
            hint="was it edited? copy the model folder again",
        ) from None
