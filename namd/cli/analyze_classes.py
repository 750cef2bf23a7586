"""The classes of geometries that a command works with: the run's own, or a file's."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from namd.config.classes import AnalysisConfig
    from namd.io.ensemble import Ensemble


def read_classes(ensemble: "Ensemble", file: Path | None) -> "AnalysisConfig":
    """Take the classes from the file given, else from the run's own configuration.

    Raises
    ------
    ConfigError
        If there are none, or they are not valid.
    """
    from namd.config.classes import AnalysisConfig
    from namd.config.loading import read_yaml, validate
    from namd.errors import ConfigError
    from namd.io.library import in_library

    file = None if file is None else in_library(file)
    source = ensemble.config if file is None else read_yaml(file)
    data, where = source.get("analysis"), f"{file or ensemble.path}  analysis"
    if file is not None and "analysis" not in source:
        data, where = source, str(file)
    if not isinstance(data, dict):
        raise ConfigError(
            "expected classes of geometries, found none" if data is None else "expected a mapping",
            where=where,
            hint="give --classes FILE.yaml; `namd analyze quantum-yield --help` shows one",
        )
    return validate(data, AnalysisConfig, where=where)
