"""Guesses as bytes: arrays, numbers and texts in dicts and lists, without pickle.

A guess goes through these bytes before it is used, also where nothing was interrupted: a chain that
is taken up again in the middle then continues with the same bits. Tuples come back as lists.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from namd.errors import ConfigError, DataError
from namd.qm.protocol import Guess

_ARRAY = "\x00array"


def pack_guess(guess: Guess) -> bytes:
    """Bytes of a guess.

    Raises
    ------
    ConfigError
        If it holds something that is neither plain nor an array, told by its place.
    """
    arrays: dict[str, np.ndarray] = {}
    skeleton = json.dumps(_plain(guess, arrays, place="guess"))
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, skeleton=np.array(skeleton), **arrays)
    return stream.getvalue()


def unpack_guess(data: bytes) -> Guess:
    """Give a guess back from its bytes.

    Raises
    ------
    DataError
        If they are damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return _rebuilt(json.loads(str(archive["skeleton"])), archive)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"a stored guess is damaged: {error}") from error


def _plain(value: Any, arrays: dict[str, np.ndarray], *, place: str) -> Any:
    """Replace every array by its number."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        key = f"a{len(arrays)}"
        arrays[key] = value
        return {_ARRAY: key}
    if isinstance(value, np.generic):
        return _plain(value.item(), arrays, place=place)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(v, arrays, place=f"{place}[{k}]") for k, v in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {k: _plain(v, arrays, place=f"{place}[{k!r}]") for k, v in value.items()}
    raise ConfigError(
        f"{place} is {type(value).__name__}, which cannot be stored",
        where="engine.guess",
        hint="a guess holds arrays, numbers and texts in dicts (with texts as keys) and lists; "
        "return it so, or leave engine.guess out",
    )


def _rebuilt(value: Any, archive: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return archive[value[_ARRAY]]
        return {key: _rebuilt(item, archive) for key, item in value.items()}
    if isinstance(value, list):
        return [_rebuilt(item, archive) for item in value]
    return value
