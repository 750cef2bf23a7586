"""The model card: what a stranger must know before using a model."""

from typing import Any

from namd.config.training import TrainingConfig


def error_rows(errors: dict[str, Any], states: list[str]) -> list[list[str]]:
    """Rows of the table of errors: all frames first, then each gap bin that holds frames.

    Columns: frames, then E and F of every state, gap, h R², h cosine; meV and meV/Å.
    """

    def row(title: str, e: dict[str, Any]) -> list[str]:
        cells = [title, str(e["frames"])]
        cells += [number(s["energy_mae_mev"]) for s in e["states"]]
        cells += [number(s["force_mae_mev_per_angstrom"]) for s in e["states"]]
        return [
            *cells,
            number(e["gap_mae_mev"]),
            number(e["coupling_r2"], 3),
            number(e["coupling_cosine"], 3),
        ]

    def number(value: float | None, digits: int = 1) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    rows = [row("all", errors)]
    for entry in errors["bins"]:
        low, high = entry["gap_ev"]
        title = f"gap ≥ {low:g} eV" if high is None else f"{low:g}–{high:g} eV"
        if entry["frames"]:
            rows.append(row(title, entry))
    assert all(len(r) == 5 + 2 * len(states) for r in rows)  # noqa: S101  (our own invariant)
    return rows


def error_headings(states: list[str]) -> list[str]:
    """Headings of :func:`error_rows`."""
    return [
        "",
        "frames",
        *(f"E {s} meV" for s in states),
        *(f"F {s} meV/Å" for s in states),
        "gap meV",
        "h R²",
        "h cos",
    ]


def dipole_lines(errors: dict[str, Any]) -> list[str]:
    """A sentence on transition dipoles, where there are any."""
    dipoles = errors.get("dipoles")
    if dipoles is None:
        return []
    r2 = "–" if dipoles["r2"] is None else f"{dipoles['r2']:.3f}"
    error = f"mean error {dipoles['mean_error_e_bohr']:.3f} e·Bohr, R² {r2}"
    return [f"Transition dipoles of {dipoles['frames']} frames: {error}.", ""]


def model_card(metrics: dict[str, Any], *, config: TrainingConfig) -> str:
    """Markdown card of a model folder."""
    states = metrics["states"]
    lines = [
        f"# {metrics['model']}",
        "",
        f"{metrics['molecule']}, states {', '.join(states)}; labels: {metrics['level_of_theory']}.",
        "",
        f"Network: {metrics['network']}, {metrics['parameters']} parameters,",
        f"{config.head.kind} head.",
        f"Trained on {metrics['training_frames']} frames; kept is the best of",
        f"{metrics['epochs_done']} epochs (number {metrics['best_epoch'] + 1}) by the loss on",
        f"{metrics['validation_frames']} validation frames of other groups.",
        *([f"Began from the weights of {start}."] if (start := config.initial_weights) else []),
        "",
        "Weights: `model.safetensors` (SHA-256 in `model.json`); every setting: `train.yaml`;",
        "all errors: `metrics.json`.",
        "",
    ]
    lines += _error_sections(metrics)
    named = [g for g in metrics["groups"]["test"] if g in config.data.test or "traj" in g]
    if named:
        lines += [f"Held-out trajectories in the test part: {', '.join(named)}.", ""]
    return "\n".join(lines)


def committee_card(metrics: dict[str, Any]) -> str:
    """Markdown card of a committee."""
    states, members = metrics["states"], metrics["members"]
    lines = [
        f"# {metrics['model']}",
        "",
        f"{metrics['molecule']}, states {', '.join(states)}; labels: {metrics['level_of_theory']}.",
        "",
        f"A committee of {members} networks ({metrics['network']}, {metrics['parameters']}",
        f"parameters each), trained on the same {metrics['training_frames']} frames from",
        "different seeds: its prediction is their mean, its uncertainty their standard deviation.",
        "",
        f"Members: `member-1` … `member-{members}`, model folders of their own; digests and",
        "calibration: `committee.json`; every setting: `train.yaml`; all errors: `metrics.json`.",
        "",
        *_error_sections(metrics),
    ]
    return "\n".join(lines)


def _error_sections(metrics: dict[str, Any]) -> list[str]:
    """Tables of errors on every part of the split."""
    lines = []
    for part, errors in metrics["errors"].items():
        lines += [f"## Errors on {part} frames (mean absolute; h: R² and mean cosine)", ""]
        headings = error_headings(metrics["states"])
        lines.append("| " + " | ".join(headings) + " |")
        lines.append("|" + "---|" * len(headings))
        lines += ["| " + " | ".join(r) + " |" for r in error_rows(errors, metrics["states"])]
        lines += ["", *dipole_lines(errors)]
    return lines
