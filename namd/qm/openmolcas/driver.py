"""The driver ``pymolcas``: which Python runs it, and one call in a folder.

It is a Python script that needs pyparsing. An active virtual environment puts a Python in front
that may lack it, or have another than the script was made for: the driver of a distribution's
package, in /usr/bin, is therefore run by the system's Python with the system's packages alone.
"""

from dataclasses import dataclass
from pathlib import Path

from namd.config.engine import OpenmolcasConfig
from namd.errors import ConfigError, EngineError
from namd.qm.openmolcas.output import complaint, python_error, release_of
from namd.qm.process import Finished, find_program, run_program, scratch_folder

OLDEST_RELEASE = (22, 10)
"""The output of earlier ones was never compared."""

PROJECT = "label"
"""Files that the program leaves begin with it."""

_SYSTEM_DRIVERS = Path("/usr/bin")
_SYSTEM_PYTHON = "/usr/bin/python3"
_PROBE_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Driver:
    """How the program is called.

    Parameters
    ----------
    command
        The driver, after what runs it.
    memory_mb
        Of each process.
    """

    command: tuple[str, ...]
    memory_mb: int

    def run(self, text: str, *, folder: Path, timeout: float) -> Finished:
        """Run an input in a folder, which takes all files.

        Parameters
        ----------
        text
            The input.
        folder
            Exists.
        timeout
            Seconds.

        Raises
        ------
        EngineError
            If the driver cannot be started or does not end in time.
        """
        (folder / f"{PROJECT}.input").write_text(text, encoding="utf-8")
        return run_program(
            [*self.command, f"{PROJECT}.input"],
            folder=folder,
            timeout=timeout,
            name="OpenMolcas",
            environment={
                "WorkDir": str(folder),
                "MOLCAS_OUTPUT": str(folder),
                "Project": PROJECT,
                "MOLCAS_MEM": str(self.memory_mb),
                "MOLCAS_NPROCS": "1",
                "MOLCAS_PRINT": "NORMAL",
                "MOLCAS_NEW_WORKDIR": "NO",
                "MOLCAS_KEEP_WORKDIR": "YES",
            },
        )


def find_driver(config: OpenmolcasConfig, *, base: Path) -> Driver:
    """Find the driver and the Python that runs it.

    Parameters
    ----------
    config
        Names of both.
    base
        Folder that paths are relative to.

    Raises
    ------
    ConfigError
        If one of them is missing.
    """
    program = find_program(
        config.program,
        base=base,
        where=f"engine.program = {config.program}",
        hint="install OpenMolcas 22.10 or later (Debian and Ubuntu have `openmolcas`), or give the "
        "path of pymolcas",
    )
    if config.python is not None:
        python = find_program(
            config.python,
            base=base,
            where=f"engine.python = {config.python}",
            hint="give the path of a Python that has pyparsing",
        )
        command: tuple[str, ...] = (str(python), str(program))
    elif program.resolve().parent == _SYSTEM_DRIVERS and Path(_SYSTEM_PYTHON).exists():
        command = (_SYSTEM_PYTHON, "-I", str(program))
    else:
        command = (str(program),)
    return Driver(command=command, memory_mb=config.memory_mb)


def probe(driver: Driver, gateway: str, *, where: str, basis: str, scratch: Path | None) -> str:
    """Run GATEWAY alone, and tell the release.

    Parameters
    ----------
    driver
        The program.
    gateway
        Input with the basis and the elements of the molecule.
    where
        Of errors about the program.
    basis
        For errors about the input.
    scratch
        Folder to compute in.

    Raises
    ------
    ConfigError
        If this is not OpenMolcas or a too old one, its Python does not serve, or the basis is
        not known.
    """
    with scratch_folder(scratch) as folder:
        try:
            ended = driver.run(gateway, folder=folder, timeout=_PROBE_TIMEOUT_S)
        except EngineError as error:
            raise ConfigError(error.message, where=where, hint="is it pymolcas?") from error
    if trace := python_error(ended.output):
        raise ConfigError(
            f"the driver fails as a Python script: {trace}",
            where=where,
            hint="set engine.python to a Python that has pyparsing, e.g. /usr/bin/python3 with "
            "the package python3-pyparsing",
        )
    release = release_of(ended.output)
    if release is None:
        said = ended.output.strip().splitlines()
        raise ConfigError(
            f"this is not OpenMolcas: {said[0] if said else ended.ending}",
            where=where,
            hint="give the path of the driver pymolcas",
        )
    if tuple(int(part) for part in release.split(".")) < OLDEST_RELEASE:
        raise ConfigError(
            f"OpenMolcas {release} is too old, expected 22.10 or later",
            where=where,
            hint="install a newer one (Debian and Ubuntu have `openmolcas`)",
        )
    reason = complaint(ended.output)
    if reason or ended.code != 0:
        raise ConfigError(
            f"OpenMolcas does not take elements and basis: {reason or ended.ending}",
            where=f"engine.basis = {basis}",
            hint="give the name as OpenMolcas writes it, e.g. cc-pVDZ or ANO-RCC-VDZP",
        )
    return release
