"""From the sections of a run configuration to the options of step and loop."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from namd.config.run import DynamicsConfig, RunConfig, UncertaintyConfig
from namd.dynamics.decoherence.protocol import Decoherence
from namd.dynamics.electronic.protocol import ElectronicPropagation
from namd.dynamics.ensemble_loop import LoopOptions
from namd.dynamics.finish import FinishRules
from namd.dynamics.guards.protocol import Guard
from namd.dynamics.options import StepOptions
from namd.dynamics.registry import (
    DECOHERENCE,
    ELECTRONIC,
    FRUSTRATED,
    GUARDS,
    HOPPING,
    RESCALING,
    make,
)
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

_BUCKET_FRACTION = 8
"""On a GPU the first bucket for hopping trajectories has this fraction of the batch's places."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Everything a run needs beside potential and initial conditions."""

    step: StepOptions
    loop: LoopOptions


def run_options(
    config: RunConfig,
    molecule: Molecule,
    *,
    reference: Float[np.ndarray, "atom 3"] | None,
    device: torch.device | str,
) -> RunOptions:
    """Turn names and numbers of a configuration into strategies.

    Parameters
    ----------
    config
        A run.
    molecule
        Of the potential.
    reference
        Geometry whose bonds are guarded, Bohr; none for a model particle.
    device
        Where the batch lives.

    Raises
    ------
    ConfigError
        If the methods do not fit each other or the molecule.
    """
    dynamics = config.dynamics
    if dynamics.rescaling == "projected-coupling" and len(molecule) == 1:
        raise ConfigError(
            "a single particle has no coupling without translation: every hop would be refused",
            where=f'dynamics.rescaling = "{dynamics.rescaling}"',
            hint="use coupling",
        )
    on_cpu = torch.device(device).type == "cpu"
    step_options = StepOptions(
        timestep=dynamics.timestep,
        masses=torch.as_tensor(molecule.masses, dtype=torch.float64, device=device),
        seed=config.seed,
        electronic=_electronic(dynamics),
        hopping=make(HOPPING, dynamics.hopping),
        rescaling=make(RESCALING, dynamics.rescaling),
        frustrated=make(FRUSTRATED, dynamics.frustrated),
        decoherence=_decoherence(dynamics),
        guards=_guards(config, molecule, reference=reference, device=device),
        hop_capacity=None if on_cpu else max(1, config.batch_size // _BUCKET_FRACTION),
    )
    settle = dynamics.stop_after_ground_state_fs
    rules = FinishRules(
        max_steps=dynamics.steps,
        outside=dynamics.stop_outside_bohr,
        ground_state_steps=None if settle is None else dynamics.in_steps(settle),
    )
    loop_options = LoopOptions(
        rules=rules,
        frame_steps=config.frame_steps,
        batch_size=config.batch_size,
        checkpoint_s=config.output.checkpoint_s,
        velocities=config.output.velocities,
    )
    return RunOptions(step=step_options, loop=loop_options)


def _electronic(dynamics: DynamicsConfig) -> ElectronicPropagation | None:
    """Propagation of the amplitudes, where there are any."""
    if dynamics.electronic == "none":
        return None
    own: dict[str, Any] = {}
    if dynamics.electronic == "curvature":
        threshold = dynamics.curvature_gap_threshold_ev
        own = {
            "form": dynamics.curvature_form,
            "gap_threshold": None if threshold is None else threshold / EV_PER_HARTREE,
        }
    return make(ELECTRONIC, dynamics.electronic, substeps=dynamics.substeps, **own)


def _decoherence(dynamics: DynamicsConfig) -> Decoherence:
    """Decoherence correction with the parameters that are its own."""
    own: dict[str, Any] = {}
    if dynamics.decoherence == "edc":
        own = {
            "constant": dynamics.decoherence_constant_hartree,
            "convention": dynamics.decoherence_convention,
        }
    elif dynamics.decoherence == "instantaneous":
        own = {"collapse": dynamics.decoherence_collapse}
    return make(DECOHERENCE, dynamics.decoherence, **own)


def _guards(
    config: RunConfig,
    molecule: Molecule,
    *,
    reference: Float[np.ndarray, "atom 3"] | None,
    device: torch.device | str,
) -> tuple[Guard, ...]:
    """Guards in the order in which they are asked."""
    limits = config.guards
    guards = [make(GUARDS, "not-a-number")]
    if limits.bond_stretch is not None and reference is not None:
        watch = {"stretch": limits.bond_stretch, "closest": limits.closest_bohr, "device": device}
        guards.append(
            make(GUARDS, "broken-molecule", molecule=molecule, positions=reference, **watch)
        )
    if limits.energy_jump_ev is not None or limits.energy_drift_ev is not None:
        jump, drift = (
            float("inf") if limit is None else limit / EV_PER_HARTREE
            for limit in (limits.energy_jump_ev, limits.energy_drift_ev)
        )
        guards.append(make(GUARDS, "total-energy", jump=jump, drift=drift))
    if limits.uncertainty is not None:
        guards.append(make(GUARDS, "trust-region", **_trust(limits.uncertainty)))
    return tuple(guards)


def _trust(limits: UncertaintyConfig) -> dict[str, float]:
    """Limits of the deviations in atomic units; those that are switched off are left out."""
    atomic = {
        "energy": (limits.energy_ev, EV_PER_HARTREE),
        "gap": (limits.gap_ev, EV_PER_HARTREE),
        "force": (limits.force_ev_per_angstrom, EV_PER_ANGSTROM_PER_ATOMIC_FORCE),
        "coupling": (limits.coupling_ev_per_angstrom, EV_PER_ANGSTROM_PER_ATOMIC_FORCE),
    }
    return {name: limit / unit for name, (limit, unit) in atomic.items() if limit is not None}
