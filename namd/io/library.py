"""Find a model, a run configuration or a geometry file by path or by its name in the library.

Looked at in this order: the path as given (relative to ``base``, then to the working directory),
the checkout this package lies in (``models/``, ``trajectories/``), and the copy of both folders
that travels inside an installed package.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from namd.errors import ConfigError, DataError, ModelError

_PACKAGE = Path(__file__).resolve().parents[1]


def library_roots() -> list[Path]:
    """Folders that hold ``models/`` and ``trajectories/``: a checkout first, then the package."""
    checkout = _PACKAGE.parent
    roots = [checkout] if (checkout / "pyproject.toml").is_file() else []
    return [*roots, _PACKAGE / "library"]


def find_model(name: str, *, base: Path | None = None) -> Path:
    """Folder of a model given by path or by its name in the zoo.

    Parameters
    ----------
    name
        ``stilbene-ssr``, ``models/stilbene-ssr`` or any path to a model folder.
    base
        Folder that relative paths are tried against first, usually that of the configuration.

    Raises
    ------
    ModelError
        If there is no such folder.
    """
    if find_training_config(name) and not _folders(name, base):
        raise ModelError(
            "this is how a network is made, not a trained model",
            where=f"model {name}",
            hint=f"train it first (namd train {name} …) and give the folder that comes out",
        )
    return _model_folder(name, base, [folder.name for folder in zoo()])


def find_network(name: str) -> Path:
    """What says how a network is made: a training configuration, or the folder of a model.

    Parameters
    ----------
    name
        A training configuration or a model folder by path or by its name in the zoo. A file
        ``.yaml`` that is not there is given back, to be missed as a configuration.

    Raises
    ------
    ModelError
        If there is nothing of that name.
    """
    path = find_training_config(name)
    if path is None and Path(name).suffix in (".yaml", ".yml"):
        path = Path(name)
    if path is not None:
        return path
    planned = {file.stem for file in _training_configs("*")}
    return _model_folder(name, None, [*(folder.name for folder in zoo()), *sorted(planned)])


def zoo() -> list[Path]:
    """Folders of all models that can be given by name; of two of one name, the one that is used."""
    found: dict[str, Path] = {}
    for root in library_roots():
        for header in sorted(root.glob("models/*/*.json")):
            if header.name in ("committee.json", "model.json"):
                found.setdefault(header.parent.name, header.parent)
    return list(found.values())


def find_run_config(name: str) -> Path:
    """File of a run configuration given by path or by its name in the run library.

    Raises
    ------
    ConfigError
        If there is no such file.
    """
    for candidate in _candidates(name, None, "trajectories"):
        for path in (candidate, candidate.parent / f"{candidate.name}.yaml"):
            if path.is_file():
                return path
    known = run_names()
    raise ConfigError(
        "no such configuration, neither as a file nor in the run library",
        where=name,
        hint=_suggest(name, known, "the library holds"),
    )


def find_training_config(name: str) -> Path | None:
    """File of a training configuration given by path or by its name in the zoo; None if none is.

    Examples
    --------
    >>> find_training_config("mace-64").name
    'mace-64.yaml'
    """
    if Path(name).suffix == ".yaml":
        return next((path for path in _candidates(name, None, "models") if path.is_file()), None)
    return next(_training_configs(name), None)


def find_file(name: str, *, base: Path | None = None) -> Path:
    """Any other file a configuration names, e.g. ``models/stilbene-ssr/data/minima.h5``.

    Raises
    ------
    DataError
        If there is no such file.
    """
    for candidate in _candidates(name, base, "."):
        if candidate.is_file():
            return candidate
    raise DataError(
        "no such file",
        where=name,
        hint="paths are looked up beside the configuration, in the working directory "
        "and in the library that came with namd",
    )


def in_library(path: Path) -> Path:
    """Take ``path`` itself or, where nothing is there, the file of that name in the library.

    Examples
    --------
    >>> in_library(Path("models/stilbene-ssr/train.yaml")).name
    'train.yaml'
    """
    if path.exists() or path.is_absolute():
        return path
    shelves = (root / path for root in library_roots())
    return next((file for file in shelves if file.is_file()), path)


def _training_configs(name: str) -> Iterator[Path]:
    for root in library_roots():
        for shelf in ("published", "controls"):
            yield from root.glob(f"models/{shelf}/{name}.yaml")


def _model_folder(name: str, base: Path | None, known: list[str]) -> Path:
    if found := _folders(name, base):
        return found[0]
    raise ModelError(
        "this is a file, and neither a model's folder nor a configuration (.yaml)"
        if Path(name).is_file()
        else "no such model, neither as a folder nor in the zoo",
        where=f"model {name}",
        hint=_suggest(name, known, "the zoo holds"),
    )


def _folders(name: str, base: Path | None) -> list[Path]:
    return [path for path in _candidates(name, base, "models") if path.is_dir()]


def _candidates(name: str, base: Path | None, folder: str) -> Iterator[Path]:
    path = Path(name).expanduser()
    if path.is_absolute():
        yield path
        return
    if base is not None:
        yield base / path
    yield path
    for root in library_roots():
        yield root / path
        yield root / folder / path


def run_names() -> list[str]:
    """Names of all runs of the library, in alphabetic order."""
    files = (path for root in library_roots() for path in root.glob("trajectories/*.yaml"))
    return sorted({path.stem for path in files if not path.name.startswith("classes-")})


def _suggest(name: str, known: list[str], prefix: str) -> str:
    near = get_close_matches(Path(name).name.removesuffix(".yaml"), known, n=1)
    holdings = f"{prefix} {', '.join(known) or 'nothing'}"
    return f'did you mean "{near[0]}"? {holdings[0].upper()}{holdings[1:]}' if near else holdings
