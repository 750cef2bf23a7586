"""The members of stilbene-casscf along paths and at intersections, beside the engine.

    python benchmarks/casscf_paths.py --figure docs/stilbene-casscf-paths.png
        --json benchmarks/results/casscf-paths.json
    python benchmarks/casscf_paths.py --labels models/stilbene-casscf/data/on-the-fly.h5
        --timestep 0.5 --figure docs/stilbene-casscf-on-the-fly.png

models/stilbene-casscf/data/paths.h5 has labels of geometries that no member learned. Groups of many
frames are paths: down in S1 from the Franck-Condon point of either isomer (`namd sample descend` on
member-1), and from the minimum there to the intersection at a migrating hydrogen (as straight as
distances go, `namd sample scan --to`). Groups of one frame are intersections where a member has
them (`namd sample meci`), so that the engine's gap is the member's error. Groups of on-the-fly.h5
are trajectories on the engine: their way is drawn against the time.

What the numbers mean: energies above the minimum of trans in S0, that of the engine for all. The
top of S1 on a path to an intersection is an upper bound of the barrier, at the same geometries for
the engine and for all members; what differs is the error.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from namd.analysis.figures import INK, PALETTE, STYLE, save_figure
from namd.cli import console
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.errors import NamdError
from namd.nn.model_folder import load_model
from namd.nn.parallel import use_threads
from namd.potentials.trained import member_folders
from namd.units import ANGSTROM_PER_BOHR, ELECTRON_MASS_PER_AMU, EV_PER_HARTREE

FOLDER = Path(__file__).parents[1] / "models" / "stilbene-casscf"
PATHS = FOLDER / "data" / "paths.h5"
WAY, ENGINE = "way", "engine"
ZERO = "trans, down"  # begins at the minimum of trans


def main() -> int:
    options = _options()
    use_threads()
    about = measuring.machine()
    try:
        labels = read_dataset(options.labels)
        zero = minimum_of_trans()
        found = {folder.name: energies(folder, labels) for folder in member_folders(FOLDER)}
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    engine = labels["energies"] * EV_PER_HARTREE
    groups = labels["group"].astype(str)
    paths, points = {}, {}
    for group in dict.fromkeys(groups):
        rows = groups == group
        here = {name: found[name][rows] - zero for name in found}
        if rows.sum() > 1:
            if options.timestep:
                way = options.timestep * np.arange(rows.sum())
            else:
                way = path_length(labels["positions"][rows], labels.molecule.masses)
            paths[group] = {WAY: way, ENGINE: engine[rows] - zero, **here}
        else:
            points[group] = {ENGINE: engine[rows][0] - zero, **{n: e[0] for n, e in here.items()}}
    show(paths, points)
    if options.figure:
        label = "time / fs" if options.timestep else "path length / Å√amu"
        save_figure(figure(paths, label), options.figure)
    measuring.finish({"paths": paths, "intersections": points}, about=about, path=options.json)
    return 0


def minimum_of_trans() -> float:
    """The engine's S0 there, eV."""
    labels = read_dataset(PATHS)
    first = np.flatnonzero(labels["group"].astype(str) == ZERO)[0]
    return float(labels["energies"][first, 0] * EV_PER_HARTREE)


def energies(folder: Path, labels: Dataset) -> np.ndarray:
    """Of one member at all geometries, eV."""
    model = load_model(folder)
    parts = torch.from_numpy(labels["positions"]).split(32)
    made = torch.cat([model.adiabatic(part).energies.detach().double() for part in parts])
    return np.asarray(made.numpy() * EV_PER_HARTREE)


def path_length(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """From the first frame on, Å·√amu."""
    steps = np.diff(positions, axis=0) * ANGSTROM_PER_BOHR
    amu = masses / ELECTRON_MASS_PER_AMU
    return np.append(0.0, np.sqrt((amu[:, None] * steps**2).sum((1, 2))).cumsum())


def show(paths: dict[str, Any], points: dict[str, Any]) -> None:
    """Errors along paths and tops of S1; gaps at intersections of members."""
    members = [name for name in next(iter(paths.values())) if name not in (WAY, ENGINE)]
    rows = []
    for name, path in paths.items():
        for state in (0, 1):
            wrong = [np.abs(path[m] - path[ENGINE])[:, state].mean() for m in members]
            cells = [f"{1e3 * each:.0f}" for each in wrong]
            rows.append([name, f"mean error of S{state}, meV", "", *cells])
        rises = [path[who][:, 1].max() - path[who][0, 1] for who in (ENGINE, *members)]
        rows.append([name, "rise of S1, eV", *(f"{rise:.2f}" for rise in rises)])
    console.table(["path", "", "engine", *members], rows)
    rows = [
        [name, f"{point[ENGINE].mean():.2f}", f"{np.ptp(point[ENGINE]):.3f}"]
        for name, point in points.items()
    ]
    if rows:
        console.table(["intersection of", "engine, eV", "its gap, eV"], rows)


def figure(paths: dict[str, Any], along: str) -> Figure:
    """A panel for each path: the engine as points, members as lines."""
    columns = 2 if len(paths) > 2 else 1
    rows = -(-len(paths) // columns)
    with rc_context(STYLE):
        made = Figure(figsize=(7.2, 2.6 * rows), layout="constrained")
        panels = made.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, path) in zip(panels, paths.items(), strict=False):
            _panel(axes, name, path)
            axes.set_xlabel(along)
        panels[0].legend(loc="best", fontsize=7)
    return made


def _panel(axes: Axes, name: str, path: dict[str, Any]) -> None:
    members = [who for who in path if who not in (WAY, ENGINE)]
    for colour, who in zip(PALETTE, members, strict=False):
        axes.plot(path[WAY], path[who][:, 0], color=colour, linewidth=1.0, label=who)
        axes.plot(path[WAY], path[who][:, 1], color=colour, linewidth=1.0)
    size = 3.0 if len(path[WAY]) < 50 else 1.5
    dots: dict[str, Any] = {"color": INK, "linestyle": "none", "marker": "o", "markersize": size}
    axes.plot(path[WAY], path[ENGINE][:, 0], label="CASSCF", **dots)
    axes.plot(path[WAY], path[ENGINE][:, 1], **dots)
    axes.set_title(name, loc="left", fontsize=9)
    axes.set_ylabel("energy / eV")


def _options() -> argparse.Namespace:
    made = measuring.parser(__doc__)
    made.add_argument("--labels", type=Path, default=PATHS, metavar="FILE")
    made.add_argument("--timestep", type=float, metavar="FS", help="of frames in time")
    made.add_argument("--figure", type=Path, metavar="FILE")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
