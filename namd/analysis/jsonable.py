"""From dataclasses and NumPy to what JSON can say: numbers that are none become null."""

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def jsonable(value: Any) -> Any:
    """Turn dataclasses, mappings, sequences and arrays into plain JSON types.

    Parameters
    ----------
    value
        Anything made of these and of numbers and strings.

    Returns
    -------
    Any
        Dicts, lists, strings, numbers; infinite numbers and NaN are None.

    Examples
    --------
    >>> jsonable({"x": np.array([0.5, np.nan])})
    {'x': [0.5, None]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
