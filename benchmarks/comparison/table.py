"""The comparison as Markdown tables, put between two marks of a page.

Every number is made of the collected results; a training that was not run has no number.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from comparison.cases import CASES
from comparison.networks import NETWORKS
from namd.errors import DataError
from namd.io.atomic import write_text

BEGIN = "<!-- made by benchmarks/accuracy.py table: begin -->"
END = "<!-- made by benchmarks/accuracy.py table: end -->"
NOT_RUN = "not run"

_COLUMNS = (
    ("E / meV", "energy_mae", 0),
    ("gap / meV", "gap_mae", 0),
    ("F / meV/Å", "force_mae", 0),
    ("h / meV/Å", "coupling_mae", 0),
    ("h R²", "coupling_r2", 2),
    ("h cosine", "coupling_cosine", 2),
)
_SMALL_GAP_EV = 0.5
OVERVIEW = ("stilbene-285", "stilbene-950", "stilbene-full", "ch2nh2")


def write_tables(page: Path, cases: dict[str, Any]) -> None:
    """Put the tables between the marks of a page, and leave the rest as it is.

    Raises
    ------
    DataError
        If the page cannot be read or has no such marks.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the page cannot be read: {error.strerror}", where=str(page)) from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(
            "the page has no marks between which the tables go",
            where=str(page),
            hint=f"put {BEGIN} and {END} on lines of their own",
        )
    write_text(page, "\n".join([before + BEGIN, *tables(cases), END + after]))


def tables(cases: dict[str, Any]) -> Iterator[str]:
    """Lines of an overview, and of one table per case, run or not."""
    yield from overview(cases)
    for name, case in CASES.items():
        found = cases.get(name)
        yield ""
        yield f"### {case.title[0].upper()}{case.title[1:]}"
        yield ""
        if found is None:
            yield "Not run."
            continue
        frames = found["frames"]
        yield (
            f"{frames['training']} training frames, {budget(found, own=bool(case.own_epochs))}, "
            f"batches of {found['batch_size']}; errors on {frames['test']} test frames; "
            "mean ± standard deviation over seeds."
        )
        yield ""
        yield from table(found["networks"], wanted=case.networks, budgets=bool(case.own_epochs))
        yield ""
        yield from small_gaps(found["networks"])


def overview(cases: dict[str, Any]) -> Iterator[str]:
    """Energies and forces of all networks in the main cases side by side."""
    found = [name for name in OVERVIEW if name in cases]
    if len(found) < len(OVERVIEW):
        return
    titles = [CASES[name].title for name in found]
    yield ""
    yield "### In short"
    yield ""
    yield (
        "Test errors of the tables below (mean ± standard deviation over seeds), and the time of "
        f"training on {titles[0]}, in units of that of ours."
    )
    for heading, key, _ in (
        column for column in _COLUMNS if column[1] in {"energy_mae", "force_mae"}
    ):
        yield ""
        yield _row([heading, *titles, "training, times ours"])
        yield _row(["---", *["---:"] * (len(titles) + 1)])
        for name in CASES[OVERVIEW[0]].networks:
            entries = [cases[case]["networks"].get(name) for case in found]
            values = [
                NOT_RUN if entry is None else cell(entry["test"].get("overall", {}).get(key), 0)
                for entry in entries
            ]
            yield _row(
                [NETWORKS[name].title, *values, _relative(cases[found[0]]["networks"], name)]
            )


def _relative(networks: dict[str, Any], name: str) -> str:
    """Time of training over that of ours."""
    times = [networks.get(each, {}).get("training_s") for each in (name, "ours")]
    return "–" if None in times else f"{times[0] / times[1]:.1f}"


def budget(found: dict[str, Any], *, own: bool) -> str:
    """How long a case trains, in words; ``own``: not every network equally often."""
    if own:
        return "as many epochs as take equally long"
    return f"{found['presentations']} presentations ({found['epochs']} epochs)"


def table(
    networks: dict[str, Any], *, wanted: Sequence[str], budgets: bool = False
) -> Iterator[str]:
    """One row per wanted network, those without results included.

    ``budgets`` adds the epochs of each.
    """
    headings = ["network", "parameters", "MFLOP", *(["epochs"] if budgets else [])]
    headings += [title for title, _, _ in _COLUMNS]
    headings += ["training / s", "step / ms", "seeds"]
    yield _row(headings)
    yield _row(["---", *["---:"] * (len(headings) - 1)])
    for name in wanted:
        found, competitor = networks.get(name), NETWORKS[name]
        if found is None:
            yield _row([competitor.title, *[NOT_RUN] * (len(headings) - 1)])
            continue
        overall = found["test"].get("overall", {})
        seeds = str(len(found["seeds"]))
        if found["diverged"]:
            seeds += f", {len(found['diverged'])} diverged"
        yield _row(
            [
                competitor.title,
                thousands(found["parameters"]),
                f"{found['flops'] / 1e6:.0f}",
                *([str(found["epochs"])] if budgets else []),
                *(cell(overall.get(key), digits) for _, key, digits in _COLUMNS),
                number(found["training_s"], 0),
                number(found["step_ms"], 2),
                seeds,
            ]
        )


def small_gaps(networks: dict[str, Any]) -> Iterator[str]:
    """The errors of the frames near an intersection, which decide over hops."""
    rows = []
    for name, found in networks.items():
        bins = found["test"].get("bins", [])
        near = [entry for entry in bins if (entry["gap_ev"][1] or 99.0) <= _SMALL_GAP_EV]
        for entry in near:
            low, high = entry["gap_ev"]
            keys = ("energy_mae", "gap_mae", "force_mae", "coupling_r2")
            cells = [cell(entry["overall"][key], 2 if key.endswith("r2") else 0) for key in keys]
            title = NETWORKS[name].title
            rows.append(((low, title), [f"{low:g}–{high:g}", str(entry["frames"]), title, *cells]))
    if not rows:
        return
    yield "<details><summary>Frames with small gaps</summary>"
    yield ""
    headings = ["gap / eV", "frames", "network", "E / meV", "gap / meV", "F / meV/Å", "h R²"]
    yield _row(headings)
    yield _row(["---", "---:", "---", *["---:"] * 4])
    for _, cells in sorted(rows, key=lambda row: row[0][0]):
        yield _row(cells)
    yield ""
    yield "</details>"


def cell(value: dict[str, Any] | None, digits: int) -> str:
    """``mean ± sd``; the mean alone of one seed, a dash where nothing is known.

    Examples
    --------
    >>> cell({"mean": 12.345, "sd": 0.5, "n": 3}, 1), cell(None, 1)
    ('12.3 ± 0.5', '–')
    """
    if value is None:
        return "–"
    mean = f"{value['mean']:.{digits}f}".replace("-", "−")
    return mean if value["sd"] is None else f"{mean} ± {value['sd']:.{digits}f}"


def number(value: float | None, digits: int) -> str:
    """A number without a spread; a dash where it is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


def thousands(count: int) -> str:
    """``62 384``."""
    return f"{count:,}".replace(",", " ")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
