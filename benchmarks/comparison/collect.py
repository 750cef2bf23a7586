"""From the results of single trainings to means and standard deviations over seeds.

Only trainings of equal budget are put together: a result with another number of presentations or
another batch size than the others of its case is an error, not a footnote.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison.cases import CASES
from comparison.networks import NETWORKS
from namd.errors import DataError

Result = dict[str, Any]

_BUDGET = ("presentations", "epochs")
_EQUAL_IN_CASE = ("batch_size", "frames")
_EQUAL_IN_NETWORK = ("parameters", "learning_rate", "title", *_BUDGET)


def read_results(root: Path) -> list[Result]:
    """Every finished training below a folder; trials of learning rates are left out.

    Raises
    ------
    DataError
        If a result is damaged.
    """
    found = []
    for case in CASES:
        for network in NETWORKS:
            for path in sorted((root / case / network).glob("seed-*.json")):
                if "rate" in path.stem:
                    continue
                try:
                    found.append(json.loads(path.read_text(encoding="utf-8")))
                except json.JSONDecodeError as error:
                    raise DataError(
                        f"the result is no JSON: {error}",
                        where=str(path),
                        hint="remove it and run the training again",
                    ) from error
    return found


def collect(results: Sequence[Result]) -> dict[str, Any]:
    """All cases, and in them all networks that have results.

    Returns
    -------
    dict
        Per case what is equal for all (``batch_size``, ``frames``; where networks have no budgets
        of their own, ``presentations`` and ``epochs``) and ``networks``: see
        :func:`summarise_network`.

    Raises
    ------
    DataError
        If budgets within a case differ.
    """
    cases: dict[str, Any] = {}
    for name, case in CASES.items():
        rows = [result for result in results if result["case"] == name]
        if not rows:
            continue
        equal = _EQUAL_IN_CASE if case.own_epochs else (*_EQUAL_IN_CASE, *_BUDGET)
        common = _common(rows, equal, where=name)
        cases[name] = {
            "title": case.title,
            "states": rows[0]["states"],
            **common,
            "networks": {
                network: summarise_network([row for row in rows if row["network"] == network])
                for network in NETWORKS
                if any(row["network"] == network for row in rows)
            },
        }
    return cases


def keep(earlier: dict[str, Any], cases: dict[str, Any]) -> None:
    """Add to collected cases what an earlier collection knows of other networks and other cases.

    Raises
    ------
    DataError
        If a case had another budget then.
    """
    for name, before in earlier.items():
        now = cases.setdefault(name, {**before, "networks": {}})
        equal = [key for key in before if key not in ("title", "networks")]
        _common([before, now], equal, where=name)
        both = before["networks"] | now["networks"]
        now["networks"] = {network: both[network] for network in NETWORKS if network in both}


def machines(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The different machines and versions that trained, each with its number of trainings."""
    kept = ("namd", "torch", "numba", "numpy", "python", "processor", "cpus")
    found: dict[str, dict[str, Any]] = {}
    for result in results:
        entry = {"device": result["device"]}
        entry |= {name: result["machine"].get(name) for name in kept}
        counted = found.setdefault(json.dumps(entry), {**entry, "trainings": 0})
        counted["trainings"] += 1
    return list(found.values())


def summarise_network(rows: Sequence[Result]) -> dict[str, Any]:
    """Seeds of one network on one case.

    Returns
    -------
    dict
        ``parameters``, ``learning_rate``, ``title``, ``presentations``, ``epochs``;
        ``seeds`` that ended and those that ``diverged``; ``trained_on``: see
        :func:`machines`; ``each_seed``: :func:`quantities` on the test frames; ``test`` and
        ``validation``: statistics of :func:`quantities` and of the same per state, per pair and
        per gap bin.
    """
    ended = [row for row in rows if "failed" not in row]
    where = f"{rows[0]['case']}, {rows[0]['network']}"
    return {
        **_common(rows, _EQUAL_IN_NETWORK, where=where),
        "seeds": [row["seed"] for row in ended],
        "diverged": [row["seed"] for row in rows if "failed" in row],
        "trained_on": machines(rows),
        "each_seed": [quantities(row["errors"]["test"]) for row in ended],
        **{
            part: _statistics([row["errors"][part] for row in ended])
            for part in ("test", "validation")
        },
    }


def quantities(errors: dict[str, Any]) -> dict[str, float | None]:
    """One number per quantity from a table of :func:`comparison.errors.errors`.

    Mean absolute errors, R² and cosine are means over states or pairs, root mean squares are
    those of all of them together.
    """
    found: dict[str, float | None] = {}
    for quantity in ("energy", "force", "gap", "coupling"):
        entries = errors.get(quantity, [])
        found[f"{quantity}_mae"] = _mean([entry["mae"] for entry in entries])
        squares = [None if e["rmse"] is None else e["rmse"] ** 2 for e in entries]
        square = _mean(squares)
        found[f"{quantity}_rmse"] = None if square is None else square**0.5
    for name in ("r2", "cosine"):
        found[f"coupling_{name}"] = _mean([e[name] for e in errors.get("coupling", [])])
    return found


def spread(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean and standard deviation (n − 1) of what is known; None if nothing is.

    Examples
    --------
    >>> spread([1.0, None, 3.0])
    {'mean': 2.0, 'sd': 1.4142135623730951, 'n': 2}
    >>> spread([1.0])
    {'mean': 1.0, 'sd': None, 'n': 1}
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return {"mean": statistics.fmean(known), "sd": deviation, "n": len(known)}


def _statistics(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Statistics over seeds of every number of their tables of errors, which are alike."""
    if not tables:
        return {}
    first = tables[0]
    made: dict[str, Any] = {
        "frames": first["frames"],
        "overall": _spread_each([quantities(table) for table in tables]),
    }
    for quantity in ("energy", "force", "gap", "coupling"):
        columns = zip(*(table[quantity] for table in tables if quantity in table), strict=True)
        made[quantity] = [_spread_each(list(column)) for column in columns]
    if "bins" in first:
        made["bins"] = [
            {
                "gap_ev": same[0]["gap_ev"],
                "frames": same[0]["frames"],
                "overall": _spread_each([quantities(entry) for entry in same]),
            }
            for same in zip(*(table["bins"] for table in tables), strict=True)
        ]
    return made


def _spread_each(rows: Sequence[dict[str, float | None]]) -> dict[str, Any]:
    return {name: spread([row[name] for row in rows]) for name in rows[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _common(rows: Sequence[Result], names: Sequence[str], *, where: str) -> dict[str, Any]:
    for name in names:
        values = {json.dumps(row[name], sort_keys=True) for row in rows}
        if len(values) > 1:
            raise DataError(
                f"{name} differs between trainings: {', '.join(sorted(values))}",
                where=where,
                hint="compare trainings of one budget: use a folder of its own for another one",
            )
    return {name: rows[0][name] for name in names}
