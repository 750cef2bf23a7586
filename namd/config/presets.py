"""Named sets of surface-hopping methods: conventions of other codes, and plain references.

``dynamics.preset: sharc2`` fills in the keys below; every key that is given explicitly wins. A
preset follows a code's *choice of methods and conventions*, as its manual documents them, as far as
they exist here; each says what it leaves out. Time steps and run lengths are never part of one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of values of the ``dynamics`` section.

    Parameters
    ----------
    summary
        One line.
    conventions
        What the code does, and what of it is not followed.
    reference
        Where it is documented.
    settings
        Keys of :class:`namd.config.run.DynamicsConfig` and their values.
    """

    summary: str
    conventions: str
    reference: str
    settings: Mapping[str, str | float | int] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "fssh": Preset(
            summary="Fewest switches without decoherence, rescaling along the coupling.",
            conventions="Tully's method with the finite-step form of his hop probability.",
            reference="J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170",
            settings={
                "electronic": "local-diabatization",
                "hopping": "finite-step",
                "rescaling": "coupling",
                "frustrated": "keep",
                "decoherence": "none",
            },
        ),
        "fssh-edc": Preset(
            summary="Fewest switches with energy-based decoherence: the defaults of namd.",
            conventions="Decay of the population with C = 0.1 hartree.",
            reference="G. Granucci, M. Persico, J. Chem. Phys. 126 (2007) 134114, "
            "DOI 10.1063/1.2715585",
            settings={
                "electronic": "local-diabatization",
                "hopping": "finite-step",
                "rescaling": "coupling",
                "frustrated": "keep",
                "decoherence": "edc",
                "decoherence_convention": "population",
                "decoherence_constant_hartree": 0.1,
            },
        ),
        "unsmash": Preset(
            summary="Uncoupled spheres: deterministic hops; for two states this is MASH.",
            conventions="Spheres by local diabatisation of each pair; momentum along the coupling, "
            "always reversed along it after a refused hop; no decoherence. Populations are "
            "fractions of trajectories by active state, all of weight one.",
            reference="J. E. Lawrence, J. R. Mannouch, J. O. Richardson, J. Chem. Phys. 160 (2024) "
            "244112, DOI 10.1063/5.0208575",
            settings={
                "electronic": "local-diabatization",
                "hopping": "unsmash",
                "rescaling": "coupling",
                "frustrated": "reverse",
                "decoherence": "none",
            },
        ),
        "landau-zener": Preset(
            summary="Landau-Zener hops with the momentum along the coupling.",
            conventions="Belyaev and Lebedev's probability at minima of the gap, without couplings "
            "or amplitudes but for the direction of the momentum change; a refused hop keeps the "
            "momentum.",
            reference="A. K. Belyaev, O. V. Lebedev, Phys. Rev. A 84 (2011) 014701, "
            "DOI 10.1103/PhysRevA.84.014701",
            settings={
                "electronic": "none",
                "hopping": "landau-zener",
                "rescaling": "coupling",
                "frustrated": "keep",
                "decoherence": "none",
            },
        ),
        "sharc2": Preset(
            summary="SHARC 2 with `coupling nacdr`, `ekincorrect parallel_nac` and EDC.",
            conventions="Coupling vectors of all pairs, 25 substeps; decay of the amplitude (twice "
            "as fast as that of the population) with C = 0.1 hartree; a refused hop keeps the "
            "momentum. The code takes the energy of a hop from the step before; this does not.",
            reference="S. Mai, P. Marquetand, L. González, WIREs Comput. Mol. Sci. 8 (2018) e1370, "
            "DOI 10.1002/wcms.1370",
            settings={
                "electronic": "nac-vectors",
                "substeps": 25,
                "hopping": "finite-step",
                "rescaling": "coupling",
                "frustrated": "keep",
                "decoherence": "edc",
                "decoherence_convention": "amplitude",
                "decoherence_constant_hartree": 0.1,
            },
        ),
        "sharc4": Preset(
            summary="SHARC 4 with its defaults and EDC.",
            conventions="`coupling overlap` is local diabatisation with 25 substeps, `ekincorrect "
            "parallel_vel` scales all velocities by one factor; a refused hop keeps the momentum; "
            "decay of the amplitude with C = 0.1 hartree, which the code has off unless "
            "`decoherence_scheme edc` is given.",
            reference="S. Mai, P. Marquetand, L. González, WIREs Comput. Mol. Sci. 8 (2018) e1370, "
            "DOI 10.1002/wcms.1370; SHARC 4.0 manual, section 4.1.3",
            settings={
                "electronic": "local-diabatization",
                "substeps": 25,
                "hopping": "finite-step",
                "rescaling": "velocity",
                "frustrated": "keep",
                "decoherence": "edc",
                "decoherence_convention": "amplitude",
                "decoherence_constant_hartree": 0.1,
            },
        ),
        "mlatom": Preset(
            summary="MLatom's default: Landau-Zener hops, velocities scaled by one factor.",
            conventions="No couplings, amplitudes or decoherence; hops at minima of the gap; the "
            "whole kinetic energy is at a hop's disposal (`reduce_kinetic_energy=True` is "
            "rescaling: velocity-per-freedom); a refused hop keeps the momentum.",
            reference="L. Zhang et al., J. Chem. Theory Comput. 20 (2024) 5043, "
            "DOI 10.1021/acs.jctc.4c00468",
            settings={
                "electronic": "none",
                "hopping": "landau-zener",
                "rescaling": "velocity",
                "frustrated": "keep",
                "decoherence": "none",
            },
        ),
        "pyunixmd": Preset(
            summary="PyUNIxMD's surface hopping (`SH`) with its defaults.",
            conventions="Coupling vectors, 20 substeps, Tully's rate; a refused hop reverses the "
            "momentum along the coupling; no decoherence. The code makes the rate of one coupling "
            "per step, and tries a hop refused along the coupling once more along the velocity "
            "(`augment`); this sums the rate over the substeps, and does not.",
            reference="I. S. Lee et al., J. Comput. Chem. 42 (2021) 1755, DOI 10.1002/jcc.26711",
            settings={
                "electronic": "nac-vectors",
                "substeps": 20,
                "hopping": "tully-rate",
                "rescaling": "coupling",
                "frustrated": "reverse",
                "decoherence": "none",
            },
        ),
        "newton-x": Preset(
            summary="Newton-X with coupling vectors and decoherence.",
            conventions="20 substeps, Tully's rate summed over them; momentum along the coupling, "
            "kept after a refused hop; decay of the amplitude with C = 0.1 hartree. The code "
            "integrates with a fifth-order method and damps in every substep; this does so by "
            "exponentials, and once per step.",
            reference="M. Barbatti et al., J. Chem. Theory Comput. 18 (2022) 6851, "
            "DOI 10.1021/acs.jctc.2c00804",
            settings={
                "electronic": "nac-vectors",
                "substeps": 20,
                "hopping": "tully-rate",
                "rescaling": "coupling",
                "frustrated": "keep",
                "decoherence": "edc",
                "decoherence_convention": "amplitude",
                "decoherence_constant_hartree": 0.1,
            },
        ),
    }
)


def with_preset(section: Mapping[str, object]) -> dict[str, object]:
    """Fill the keys a ``dynamics`` section does not give from the preset it names, if it names one.

    An unknown name is left for the validation of the section to complain about.

    Examples
    --------
    >>> with_preset({"preset": "fssh", "frustrated": "reverse"})["frustrated"]
    'reverse'
    """
    preset = PRESETS.get(str(section.get("preset")))
    return {**(preset.settings if preset else {}), **section}


def departures(section: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Keys in which a ``dynamics`` section departs from the preset it names: preset's, its own.

    Examples
    --------
    >>> departures({"preset": "fssh", "frustrated": "reverse", "hopping": "finite-step"})
    {'frustrated': ('keep', 'reverse')}
    """
    preset = PRESETS.get(str(section.get("preset")))
    settings = preset.settings if preset else {}
    return {
        key: (value, section[key])
        for key, value in settings.items()
        if key in section and section[key] != value
    }


def expand_preset(overrides: Sequence[str]) -> list[str]:
    """Put the keys of a preset that an override names right behind it, so that it wins over a file.

    Beside a preset in a *file* every method given there stands; one named on the command line is to
    replace them. What is overridden after it still wins.

    Examples
    --------
    >>> expand_preset(["seed=2", "dynamics.preset=fssh"])[1:3]
    ['dynamics.preset=fssh', 'dynamics.electronic=local-diabatization']
    """
    return list(_expanded(overrides))


def _expanded(overrides: Sequence[str]) -> Iterator[str]:
    for override in overrides:
        yield override
        key, _, name = override.partition("=")
        if key.strip() == "dynamics.preset" and name.strip() in PRESETS:
            for method, value in PRESETS[name.strip()].settings.items():
                yield f"dynamics.{method}={value}"
