"""Every error a user can meet, and the exit code it ends with.

::

    NamdError                     1  our bug, if nothing more precise is raised
    ├── ConfigError               2  a wrong key or value, a wrong command line
    ├── DataError                 3  a dataset, ensemble or geometry that cannot be used
    ├── ModelError                3  a model folder that cannot be used or does not fit
    ├── EngineError               3  a geometry that electronic structure could not be computed of
    ├── PhysicsError              4  a guard: a number that cannot be right
    ├── ResumableStop            75  stopped by the outside; ``--resume`` goes on
    └── Interrupted             130  Ctrl-C; ``--resume`` goes on
"""


class NamdError(Exception):
    """Base of all our errors.

    Parameters
    ----------
    message
        What is wrong and what was expected, in one sentence.
    where
        File, key or frame the error belongs to, e.g. ``"run.yaml  dynamics.timestep_fs = -1"``.
    hint
        What the user can do about it.
    """

    exit_code: int = 1
    title: str = "Error"

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head} ({self.hint})" if self.hint else head


class ConfigError(NamdError):
    """A configuration or command line that does not describe a job."""

    exit_code = 2
    title = "Config error"


class DataError(NamdError):
    """A dataset, ensemble or geometry that is damaged, incomplete or implausible."""

    exit_code = 3
    title = "Data error"


class ModelError(NamdError):
    """A model folder that is damaged, altered, or made for another molecule."""

    exit_code = 3
    title = "Model error"


class EngineError(NamdError):
    """One geometry that an electronic-structure program could not label.

    Labelling records it beside the frame and goes on; an engine that cannot be used at all is a
    :class:`ConfigError`.
    """

    exit_code = 3
    title = "Engine error"


class PhysicsError(NamdError):
    """A result that cannot be right, caught before it is used."""

    exit_code = 4
    title = "Physics error"


class ResumableStop(NamdError):  # noqa: N818  (a stop, not an error)
    """A stop asked for from outside (SIGTERM, time limit) that left a checkpoint."""

    exit_code = 75
    title = "Stopped"


class Interrupted(NamdError):  # noqa: N818
    """Ctrl-C: a checkpoint was written."""

    exit_code = 130
    title = "Interrupted"
