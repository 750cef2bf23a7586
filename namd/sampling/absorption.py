"""The ``excitation`` section at work: labels of the candidates, the selection, an account of it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from namd.analysis.excitations import vertical_excitations
from namd.config.initial_conditions import ExcitationConfig
from namd.errors import DataError, ModelError
from namd.potentials.dipoles import energies_and_dipoles, has_dipoles
from namd.potentials.protocol import Potential
from namd.sampling.excitation import Accepted, accept_transitions
from namd.units import EV_PER_HARTREE

PER_TRAJECTORY = 10
"""Candidates sampled for every trajectory, unless a number is given."""
_BATCH = 256
_WHERE = "initial_conditions.excitation"


class Labels(NamedTuple):
    """Energies (Hartree) and, if known, transition dipoles (e·Bohr) of the geometries."""

    energies: Float[np.ndarray, "candidate state"]
    transition_dipoles: Float[np.ndarray, "candidate pair 3"] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Absorbed:
    """Where the trajectories start.

    Parameters
    ----------
    candidate
        Row of the geometry of each trajectory.
    state
        0-based state it starts in.
    note
        What was chosen from what, one line.
    record
        The same in numbers, for the file.
    """

    candidate: Int[np.ndarray, " traj"]
    state: Int[np.ndarray, " traj"]
    note: str
    record: dict[str, Any]


def check_excitation(config: ExcitationConfig, potential: Potential) -> None:
    """Refuse states that the potential does not have, before anything is sampled for them.

    Raises
    ------
    ModelError
        Naming the states there are.
    """
    highest = max(config.states or [config.from_state + 1])
    if highest >= len(potential.states):
        raise ModelError(
            f"the model has the states {', '.join(potential.states.labels)}",
            where=f"{_WHERE}: state {highest}",
            hint=f"states are counted from 0: give 0 to {len(potential.states) - 1}",
        )


def absorb(
    config: ExcitationConfig,
    potential: Potential,
    positions: Float[np.ndarray, "candidate atom 3"],
    *,
    labels: Labels | None,
    trajectories: int,
    seed: int,
    device: str,
) -> Absorbed:
    """Choose geometries and states of trajectories by absorption.

    Parameters
    ----------
    config
        Window and rule.
    potential
        Gives what ``labels`` lack.
    positions
        Of the candidates, Bohr.
    labels
        What the file of the geometries says of them; it comes first.
    trajectories
        How many are wanted: the first ones accepted are taken.
    seed, device
        Seed of the run, device of the potential.

    Raises
    ------
    ModelError
        If oscillator strengths are asked for and neither file nor potential has dipoles.
    DataError
        If fewer are accepted than wanted, or the labels are of other states.
    """
    energies, strengths, origin = _labels(config, potential, positions, labels, device=device)
    window = None
    if config.window_ev is not None:
        window = (config.window_ev[0] / EV_PER_HARTREE, config.window_ev[1] / EV_PER_HARTREE)
    higher = config.states or range(config.from_state + 1, len(potential.states))
    accepted = accept_transitions(
        energies,
        strengths,
        initial=config.from_state,
        allowed=np.array(sorted(set(higher)), dtype=np.int64),
        window=window,
        seed=seed,
    )
    if len(accepted) < trajectories:
        needed = -(-trajectories * len(positions) // max(1, len(accepted)))
        raise DataError(
            f"{len(accepted)} transitions of {len(positions)} candidates are accepted, "
            f"{trajectories} trajectories are asked for",
            where=_WHERE,
            hint=f"set candidates to about {round(1.1 * needed)} (a file must hold as many), widen "
            "window_ev, or ask for fewer trajectories",
        )
    candidate, state = accepted.candidate[:trajectories], accepted.state[:trajectories]
    record = _record(config, potential, accepted, candidates=len(positions), started=state)
    return Absorbed(
        candidate=candidate,
        state=state,
        note=_note(config, record, potential, origin=origin),
        record={**record, "labels": origin},
    )


def _labels(
    config: ExcitationConfig,
    potential: Potential,
    positions: Float[np.ndarray, "candidate atom 3"],
    labels: Labels | None,
    *,
    device: str,
) -> tuple[Float[np.ndarray, "candidate state"], Float[np.ndarray, "candidate state"] | None, str]:
    """Energies, oscillator strengths out of the initial state if needed, and whose they are."""
    bright = config.selection == "oscillator-strength"
    if labels is None or (bright and labels.transition_dipoles is None):
        if bright and not has_dipoles(potential):
            raise ModelError(
                "neither the potential nor a file with the geometries has transition dipoles",
                where=f"{_WHERE}.selection = oscillator-strength",
                hint="choose selection: window, or start with method: file from labelled samples",
            )
        labels, origin = compute_labels(potential, positions, device=device), "potential"
    else:
        origin = "file"
    energies, dipoles = labels
    if energies.shape[1] != len(potential.states):
        raise DataError(
            f"the file has energies of {energies.shape[1]} states, the potential has "
            f"{len(potential.states)}",
            where=_WHERE,
            hint="use labels of the same states",
        )
    if not bright or dipoles is None:
        return energies, None, origin
    initial = config.from_state
    strengths = np.zeros_like(energies)
    strengths[:, initial + 1 :] = vertical_excitations(
        energies, dipoles, potential.states, initial=initial
    ).strengths
    return energies, strengths, origin


def compute_labels(
    potential: Potential, positions: Float[np.ndarray, "candidate atom 3"], *, device: str
) -> Labels:
    """Energies and, if the potential has them, transition dipoles of many geometries (Bohr)."""
    chunks = [
        energies_and_dipoles(
            potential,
            torch.as_tensor(positions[k : k + _BATCH], dtype=torch.float64, device=device),
        )
        for k in range(0, len(positions), _BATCH)
    ]
    dipoles = [dipole.cpu().numpy() for _, dipole in chunks if dipole is not None]
    return Labels(
        energies=np.concatenate([energies.cpu().numpy() for energies, _ in chunks]),
        transition_dipoles=np.concatenate(dipoles) if dipoles else None,
    )


def _record(
    config: ExcitationConfig,
    potential: Potential,
    accepted: Accepted,
    *,
    candidates: int,
    started: Int[np.ndarray, " traj"],
) -> dict[str, Any]:
    def by_state(states: Int[np.ndarray, " any"]) -> dict[str, int]:
        return {potential.states.labels[k]: n for k, n in sorted(Counter(states.tolist()).items())}

    return {
        "selection": config.selection,
        "window_ev": config.window_ev,
        "from_state": potential.states.labels[config.from_state],
        "candidates": candidates,
        "unknown": accepted.unknown,
        "in_window": accepted.in_window,
        "accepted": by_state(accepted.state),
        "started": by_state(started),
    }


def _note(
    config: ExcitationConfig, record: dict[str, Any], potential: Potential, *, origin: str
) -> str:
    window = config.window_ev
    where = "" if window is None else f" within {window[0]:g}–{window[1]:g} eV"
    bright = config.selection == "oscillator-strength"
    rule = f"f/E² of the {origin}" if bright else f"energies of the {origin} alone"

    def counted(counts: dict[str, int]) -> str:
        return ", ".join(f"{label} {number}" for label, number in counts.items())

    unknown = f" ({record['unknown']} without labels)" if record["unknown"] else ""
    return (
        f"excitation from {potential.states.labels[config.from_state]}{where}, by {rule}: "
        f"{record['candidates']} candidates{unknown}, {record['in_window']} transitions "
        f"possible; accepted {counted(record['accepted'])}; started {counted(record['started'])}"
    )
