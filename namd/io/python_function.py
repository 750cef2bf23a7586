"""Functions that a configuration names as ``module:function``.

The module is looked for in the folder of the configuration first, then as Python does.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from namd.errors import ConfigError


def import_function(name: str, *, base: Path, where: str) -> Callable[..., Any]:
    """Import what ``module:function`` names.

    Parameters
    ----------
    name
        As in the configuration.
    base
        Folder in which modules are looked for first.
    where
        Key and value, for messages.

    Raises
    ------
    ConfigError
        If there is no such module or function, or the module fails while it is imported.

    Examples
    --------
    >>> import_function("math:sqrt", base=Path(), where="callable")(4.0)
    2.0
    """
    module_name, _, attribute = name.partition(":")
    try:
        with _importable(base):
            importlib.invalidate_caches()
            module = importlib.import_module(module_name)
    except Exception as error:  # a module can fail in any way while it is imported
        missing = isinstance(error, ModuleNotFoundError) and module_name.startswith(
            error.name or " "
        )
        what = "there is no such module" if missing else f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{module_name} cannot be imported: {what}",
            where=where,
            hint=f"put {module_name.split('.')[0]}.py beside the configuration, or install it",
        ) from error
    function: Callable[..., Any] | None = getattr(module, attribute, None)
    if function is not None and callable(function):
        return function
    near = get_close_matches(attribute, [key for key in vars(module) if key[0] != "_"], n=1)
    raise ConfigError(
        f"{module_name} has no function {attribute}",
        where=where,
        hint=f'Did you mean "{near[0]}"?'
        if near
        else f"it is looked for in {getattr(module, '__file__', module_name)}",
    )


def package_version(name: str) -> dict[str, str]:
    """Package and version that ``module:function`` comes from.

    Parameters
    ----------
    name
        As in the configuration.

    Returns
    -------
    dict
        Empty for a module that belongs to no installed package.

    Examples
    --------
    >>> package_version("math:sqrt")
    {}
    """
    module = name.partition(":")[0].partition(".")[0]
    try:
        return {module: version(module)}
    except PackageNotFoundError:
        return {}


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Look for modules in ``folder`` first."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
