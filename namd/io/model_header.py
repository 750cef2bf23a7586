"""``model.json``, the head of a model folder, read without torch."""

import json
from pathlib import Path
from typing import Any

from namd.errors import ModelError
from namd.io.committee_file import is_committee

FORMAT = "namd-model"
FORMAT_VERSION = 1
HEADER_FILE = "model.json"


def read_model_header(folder: Path) -> dict[str, Any]:
    """Read ``model.json``; only its kind and version are checked here.

    Parameters
    ----------
    folder
        A model folder.

    Returns
    -------
    dict
        As stored.

    Raises
    ------
    ModelError
        If the file is absent, no JSON, of another kind or of an unknown version.
    """
    path = folder / HEADER_FILE
    if is_committee(folder):
        raise ModelError(
            "this is a committee, a single model is needed here",
            where=str(folder),
            hint=f"name one of its members, e.g. {folder / 'member-1'}",
        )
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"this is not a model folder: {error.strerror}",
            where=str(path),
            hint="name a folder with model.json, or a model of the zoo (`namd models list`)",
        ) from None
    except ValueError as error:
        raise ModelError(
            f"not valid JSON: {error}", where=str(path), hint="copy the model folder again"
        ) from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelError(
            f"this is not a {FORMAT} header",
            where=str(path),
            hint="name a folder made by namd train",
        )
    if header.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            f"format version {header.get('format_version')!r}; this namd reads {FORMAT_VERSION}",
            where=str(path),
            hint="use the namd that wrote it, or a newer one",
        )
    return header
