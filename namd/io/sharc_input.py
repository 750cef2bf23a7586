"""Read which methods a SHARC 2 trajectory was made with from its ``input`` file.

``output.dat`` does not say how velocities were rescaled or which decoherence correction acted; the
``input`` beside it does: one keyword a line, values after it, ``#`` or ``!`` starting a comment.

Reference: the SHARC 2 manual, chapter "Input file", for keywords and defaults.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from namd.errors import DataError

_COMMENT = re.compile(r"[#!].*")


@dataclass(frozen=True, kw_only=True)
class SharcMethods:
    """How SHARC propagated, by its own keywords.

    Parameters
    ----------
    coupling
        Source of the time-derivative coupling: ``nacdr`` (or ``ddr``), ``overlap``, ``ddt``, ….
    rescaling
        ``ekincorrect``: ``parallel_nac``, ``parallel_vel`` or ``none``.
    frustrated
        ``reflect_frustrated``: ``none`` or a direction.
    decoherence
        ``decoherence_scheme``: ``edc``, ``none``, ``afssh``.
    decoherence_constant
        ``decoherence_param``, Hartree.
    hopping
        ``hopping_procedure``: ``sharc`` or others.
    other
        Further keywords given that change the trajectory in ways of their own.
    """

    coupling: str = "nacdr"
    rescaling: str = "parallel_nac"
    frustrated: str = "none"
    decoherence: str = "edc"
    decoherence_constant: float = 0.1
    hopping: str = "sharc"
    other: tuple[str, ...] = ()


_DISTURBING = ("damping", "thermostat", "rattle", "tethering", "droplet_force", "laser")


def read_sharc_input(path: Path) -> SharcMethods:
    """Read a SHARC ``input``; what it does not say has the default of SHARC, not ours.

    Raises
    ------
    DataError
        If the file cannot be read, is no SHARC input, or has a value that is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("this is not a SHARC input file", where=str(path)) from error
    given: dict[str, str] = {}
    for line in text.splitlines():
        words = _COMMENT.sub("", line).lower().split()
        if words:
            given[words[0]] = " ".join(words[1:])
    if "nstates" not in given:
        raise DataError(
            "this is not a SHARC input file: the keyword nstates is missing",
            where=str(path),
            hint="give the file 'input' of the trajectory",
        )
    scheme = given.get("decoherence_scheme", "edc" if "decoherence" in given else "none")
    constant = given.get("decoherence_param", "0.1")
    try:
        number = float(constant.replace("d", "e"))
    except ValueError as error:
        raise DataError(
            f"expected a number, found {constant!r}", where=f"{path}  decoherence_param"
        ) from error
    harmless = {"damping": "1", "laser": "none"}
    return SharcMethods(
        coupling=given.get("coupling", "overlap"),
        rescaling=given.get("ekincorrect", "parallel_vel"),
        frustrated=given.get("reflect_frustrated", "none"),
        decoherence="none" if "nodecoherence" in given else scheme,
        decoherence_constant=number,
        hopping=given.get("hopping_procedure", "sharc"),
        other=tuple(
            key
            for key in _DISTURBING
            if key in given and given[key].removesuffix(".0") != harmless.get(key)
        ),
    )


def input_beside(output: Path) -> Path | None:
    """Find the ``input`` of an ``output.dat``: of the same name but for the ending, or beside it.

    Examples
    --------
    >>> input_beside(Path("nowhere/output.dat")) is None
    True
    """
    stem = output.name.removesuffix("output.dat")
    places = [output.with_name(f"{stem}input"), output.with_name("input")]
    return next((place for place in places if place.is_file()), None)
