"""The one registry of physical quantities: name, axes, unit, dtype.

Every array in a file of ours, and every per-frame array in memory, is an entry of
:data:`PROPERTIES`; nothing else decides what ``forces`` means or which unit it is stored in.
Axes are words: ``frame``, ``traj``, ``atom``, ``state``, ``pair`` (i < j in the order of
:attr:`namd.states.StateSpace.pairs`), ``diabat`` and ``xyz``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    """One physical quantity.

    Parameters
    ----------
    name
        The name in code and in files.
    axes
        Axes after the leading ``frame`` (dataset) or ``frame, traj`` (ensemble) axes.
    unit
        Unit string written to the ``unit`` attribute; atomic units throughout.
    dtype
        NumPy dtype name in memory.
    meaning
        One line: symbol and definition.
    """

    name: str
    axes: tuple[str, ...]
    unit: str
    dtype: str
    meaning: str


PROPERTIES: dict[str, Property] = {
    p.name: p
    for p in (
        Property("positions", ("atom", "xyz"), "bohr", "float64", "nuclear positions R"),
        Property("velocities", ("atom", "xyz"), "bohr*hartree/hbar", "float64", "dR/dt"),
        Property("energies", ("state",), "hartree", "float64", "adiabatic energies E_k, ascending"),
        Property("forces", ("state", "atom", "xyz"), "hartree/bohr", "float64", "-dE_k/dR"),
        Property(
            "interstate_coupling",
            ("pair", "atom", "xyz"),
            "hartree/bohr",
            "float64",
            "h_ij = <i|dH/dR|j> = d_ij (E_j - E_i)",
        ),
        Property(
            "nonadiabatic_coupling",
            ("pair", "atom", "xyz"),
            "1/bohr",
            "float64",
            "d_ij = <i|d/dR j>",
        ),
        Property("dipoles", ("state", "xyz"), "e*bohr", "float64", "permanent dipole of state k"),
        Property("transition_dipoles", ("pair", "xyz"), "e*bohr", "float64", "<i|mu|j>"),
        Property(
            "diabatic_hamiltonian", ("diabat", "diabat"), "hartree", "float64", "W, symmetric"
        ),
        Property("active_state", (), "1", "int64", "state whose force moves the nuclei, 0-based"),
        Property("diabatic_state", (), "1", "int64", "diabat the electrons start in, 0-based"),
        Property(
            "diabatic_populations",
            ("diabat",),
            "1",
            "float64",
            "P_d; a population in the mean only",
        ),
        Property("amplitudes", ("state",), "1", "complex128", "electronic amplitudes c_k"),
        Property("time", (), "hbar/hartree", "float64", "time since the start of the trajectory"),
        Property("group", (), "1", "str", "trajectory or scan of the frame; never split"),
        Property("source", (), "1", "str", "kind of frame: wigner, traj, twist, …"),
        Property("kinetic_energy", (), "hartree", "float64", "nuclear kinetic energy"),
        Property("total_energy", (), "hartree", "float64", "kinetic + active-state energy"),
        Property("status", (), "1", "int64", "0 active, 1 finished, 2 parked"),
    )
}
