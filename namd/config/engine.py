"""The ``engine`` section of a labelling: which program computes the labels, and how."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from namd.config.section import Section

Positive = Annotated[float, Field(gt=0)]


class DftbplusConfig(Section):
    """SSR(2,2) on (long-range corrected) DFTB2 with the program DFTB+ (namd.qm.dftbplus)."""

    name: Literal["dftbplus"] = "dftbplus"
    program: str = Field(default="dftb+", description="The program: a name on PATH, or a path.")
    parameters: str = Field(
        description="Folder of the Slater–Koster files, e.g. that of ob2-1-1/base; relative to the "
        "configuration. Not shipped with namd: dftb.org has them, with their licences."
    )
    parameter_set: str | None = Field(
        default=None, description="Name of the parameters in words.  [null: that of the folder]"
    )
    separator: str = Field(default="-", description="Between two elements in a file's name.")
    suffix: str = Field(default=".skf", description="End of a file's name.")
    range_separated: bool = Field(
        default=True, description="Long-range corrected exchange; the parameters must be made so."
    )
    spin_constants: dict[str, list[float]] = Field(
        default_factory=dict,
        description="Shell-resolved spin constants of an element, Hartree, row by row: 1 number "
        "for s, 4 for s and p, 9 for s, p and d, which also says its shells. H and C of the ob2 "
        "set are known.",
    )
    scc_tolerance: Positive = Field(default=1e-7, description="Of the charges, e.")
    scc_iterations: Annotated[int, Field(gt=0)] = Field(default=1000, description="At most.")
    cp_reks_tolerance: Positive = Field(
        default=1e-8, description="Of the coupled-perturbed equations behind forces and couplings."
    )
    cp_reks_iterations: Annotated[int, Field(gt=0)] = Field(default=200, description="At most.")
    level_shift: Positive = Field(default=0.3, description="Of the first SCF, Hartree.")
    second_level_shift: Positive = Field(
        default=1.0, description="Of a second SCF, started afresh, where the gap is small."
    )
    second_below_gap_ev: float = Field(
        default=1.5, ge=0, description="Gap below which there is a second SCF, eV."
    )
    restart_level_shift: Positive = Field(
        default=1.5, description="Of a third SCF, from the orbitals of the first."
    )
    restart_below_gap_ev: float = Field(
        default=1.2, ge=0, description="Gap below which there is a third SCF, eV."
    )
    timeout_s: Positive = Field(
        default=900.0, description="Of each call of the program, s; a call of a second is usual."
    )

    @field_validator("spin_constants")
    @classmethod
    def _square(cls, given: dict[str, list[float]]) -> dict[str, list[float]]:
        for element, constants in given.items():
            if len(constants) not in {1, 4, 9}:
                raise ValueError(
                    f"{element} has {len(constants)} spin constants, expected 1 (s), 4 (s, p) or "
                    "9 (s, p, d)"
                )
        return given


class PyscfConfig(Section):
    """State-averaged CASSCF of singlets with PySCF (namd.qm.pyscf_casscf)."""

    name: Literal["pyscf"] = "pyscf"
    basis: str = Field(description="Basis set by its name in PySCF, e.g. cc-pvdz.")
    active_electrons: Annotated[int, Field(gt=0)] = Field(default=2, description="An even number.")
    active_orbitals: Annotated[int, Field(gt=0)] = Field(default=2, description="Of these.")
    active_space: list[Annotated[int, Field(gt=0)]] | None = Field(
        default=None,
        description="Hartree–Fock orbitals that a cold start takes, counted from 1.  "
        "[null: those around the highest occupied one]",
    )
    states: Annotated[int, Field(gt=0)] = Field(default=2, description="Lowest singlets to label.")
    averaged_states: Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="Lowest singlets whose mean energy the orbitals minimise, with equal weights; "
        "all singlets of the active space cannot change places.  [null: those labelled]",
    )
    density_fitting: bool = Field(
        default=False,
        description="Energies and forces with fitted integrals; not with couplings, which PySCF "
        "derives without the fit.",
    )
    auxiliary_basis: str | None = Field(
        default=None, description="Of the fit.  [null: PySCF's choice]"
    )
    couplings: bool = Field(default=True, description="Compute h of all pairs.")
    energy_tolerance: Positive = Field(default=1e-10, description="Of the iterations, Hartree.")
    gradient_tolerance: Positive = Field(default=1e-5, description="Of the orbitals' gradient.")
    max_iterations: Annotated[int, Field(gt=0)] = Field(default=100, description="At most.")
    min_active_overlap: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Smallest overlap (singular value) of the active space with that of the "
        "neighbour it started from; below it the active space is lost and there is no label.",
    )

    @property
    def averaged(self) -> int:
        """States in the average."""
        return self.averaged_states or self.states

    @model_validator(mode="after")
    def _consistent(self) -> "PyscfConfig":
        if self.active_electrons % 2 or self.active_electrons > 2 * self.active_orbitals:
            raise ValueError(
                "active_electrons must be even and at most twice active_orbitals: singlets"
            )
        if self.averaged < self.states:
            raise ValueError("averaged_states must be states at least")
        if self.active_space is not None and len(set(self.active_space)) != self.active_orbitals:
            raise ValueError("active_space must name active_orbitals different orbitals")
        if self.density_fitting and self.couplings and self.states > 1:
            raise ValueError(
                "with density_fitting the couplings of PySCF are not those of the fitted energies "
                "(measured: off by 0.3 %); set couplings: false, or density_fitting: false"
            )
        return self


class OpenmolcasConfig(Section):
    """State-averaged CASSCF of singlets with the program OpenMolcas (namd.qm.openmolcas)."""

    name: Literal["openmolcas"] = "openmolcas"
    program: str = Field(
        default="pymolcas", description="The driver pymolcas: a name on PATH, or a path."
    )
    python: str | None = Field(
        default=None,
        description="Python that runs the driver, which needs pyparsing.  [null: "
        "/usr/bin/python3 where the driver lies in /usr/bin, else as its first line says]",
    )
    basis: str = Field(description="Basis set by its name in OpenMolcas, e.g. cc-pVDZ.")
    cholesky: bool = Field(
        default=False,
        description="Two-electron integrals by atomic compact Cholesky decomposition (RICD), in "
        "energies, forces and couplings alike: much faster for large molecules, another level of "
        "theory for small basis sets (ethylene: 1e-5 Hartree with cc-pVDZ, 2e-3 with 6-31G).",
    )
    active_electrons: Annotated[int, Field(gt=0)] = Field(default=2, description="An even number.")
    active_orbitals: Annotated[int, Field(gt=0)] = Field(default=2, description="Of these.")
    active_space: list[Annotated[int, Field(gt=0)]] | None = Field(
        default=None,
        description="Hartree–Fock orbitals that a cold start takes, counted from 1.  "
        "[null: those around the highest occupied one]",
    )
    states: Annotated[int, Field(ge=2)] = Field(
        default=2, description="Lowest singlets, averaged with equal weights."
    )
    couplings: bool = Field(default=True, description="Compute h of all pairs.")
    energy_tolerance: Positive = Field(default=1e-10, description="Of the iterations, Hartree.")
    gradient_tolerance: Positive = Field(default=1e-6, description="Of the orbitals' gradient.")
    response_tolerance: Positive = Field(
        default=1e-8, description="Of the response equations behind forces and couplings."
    )
    max_iterations: Annotated[int, Field(gt=0, le=200)] = Field(
        default=200, description="Of the orbitals, at most."
    )
    min_active_overlap: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Smallest overlap (singular value) of the active space with that of the "
        "neighbour it started from; below it the active space is lost and there is no label.",
    )
    memory_mb: Annotated[int, Field(gt=0)] = Field(
        default=2048, description="Of each process of the program, MB."
    )
    timeout_s: Positive = Field(default=7200.0, description="Of each call of the program, s.")

    @model_validator(mode="after")
    def _consistent(self) -> "OpenmolcasConfig":
        if self.active_electrons % 2 or self.active_electrons > 2 * self.active_orbitals:
            raise ValueError(
                "active_electrons must be even and at most twice active_orbitals: singlets"
            )
        if self.active_space is not None and len(set(self.active_space)) != self.active_orbitals:
            raise ValueError("active_space must name active_orbitals different orbitals")
        return self


class EnergyQuantity(Section):
    """Where a function's energies are, and in which unit."""

    key: str = Field(description="In the dictionary that the function returns.")
    unit: Literal["hartree", "ev", "kcal/mol", "kj/mol", "1/cm"] = Field(description="Its unit.")


class ForceQuantity(Section):
    """Where a function's forces or gradients are."""

    key: str = Field(description="In the dictionary that the function returns.")
    unit: Literal["hartree/bohr", "hartree/angstrom", "ev/angstrom"] = Field(
        description="Its unit."
    )
    kind: Literal["force", "gradient"] = Field(description="−∇E or ∇E.")


class CouplingQuantity(Section):
    """Where a function's couplings are, and which of their conventions they follow."""

    key: str = Field(description="In the dictionary that the function returns.")
    unit: Literal["hartree/bohr", "hartree/angstrom", "ev/angstrom", "1/bohr", "1/angstrom"] = (
        Field(description="Its unit.")
    )
    kind: Literal["interstate", "nonadiabatic", "smooth"] = Field(
        description="interstate: h = ⟨i|∇H|j⟩; nonadiabatic: d = ⟨i|∇j⟩ = h/(E_j − E_i); smooth: "
        "(E_i − E_j) d = −h; of the pairs i < j."
    )

    @model_validator(mode="after")
    def _unit_of_kind(self) -> "CouplingQuantity":
        per_length = self.unit.startswith("1/")
        if per_length != (self.kind == "nonadiabatic"):
            wanted = "1/bohr or 1/angstrom" if not per_length else "an energy per length"
            raise ValueError(f"couplings of the kind {self.kind} are in {wanted}")
        return self


class DipoleQuantity(Section):
    """Where a function's transition dipoles are."""

    key: str = Field(description="In the dictionary that the function returns.")
    unit: Literal["e*bohr", "e*angstrom", "debye"] = Field(description="Its unit.")


class GuessQuantity(Section):
    """How a function is told of a neighbouring geometry."""

    argument: str = Field(default="guess", description="Its argument; None for a cold start.")
    key: str = Field(
        default="guess", description="What the next call is given, in the returned dictionary."
    )


class CallableConfig(Section):
    """Any Python function: elements and positions in, a dictionary of labels out."""

    name: Literal["callable"] = "callable"
    callable: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="module:function, the module beside the configuration or installed. It is "
        "called as function(elements, positions, **arguments).",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of every call."
    )
    level_of_theory: str = Field(min_length=1, description="The method in words.")
    states: Annotated[int, Field(gt=0)] = Field(default=2, description="How many it computes.")
    multiplicity: Annotated[int, Field(gt=0)] = Field(default=1, description="2S + 1.")
    elements: Literal["symbols", "numbers"] = Field(
        default="symbols", description="How the function wants the atoms."
    )
    positions_unit: Literal["angstrom", "bohr"] = Field(
        default="angstrom", description="How the function wants the positions."
    )
    energies: EnergyQuantity = Field(description="Energies [state].")
    forces: ForceQuantity = Field(description="Forces or gradients [state, atom, 3].")
    couplings: CouplingQuantity | None = Field(
        default=None,
        description="Couplings [pair, atom, 3], [state, state, atom, 3] or, of two states, "
        "[atom, 3].",
    )
    transition_dipoles: DipoleQuantity | None = Field(
        default=None, description="[pair, 3], [state, state, 3] or, of two states, [3]."
    )
    diabatic_hamiltonian: EnergyQuantity | None = Field(
        default=None, description="W [diabat, diabat] of a method that has one."
    )
    guess: GuessQuantity | None = Field(
        default=None,
        description="Warm starts from a neighbouring geometry, for a function that "
        "takes and returns a guess.",
    )


class AseConfig(Section):
    """The ground state from any calculator of ASE, e.g. xTB through tblite (namd.qm.ase_ground)."""

    name: Literal["ase"] = "ase"
    calculator: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="module:class or module:function, the module beside the configuration or "
        "installed, e.g. tblite.ase:TBLite. It is called once and gives an ASE calculator.",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the call."
    )
    level_of_theory: str = Field(min_length=1, description="The method in words.")


EngineConfig = Annotated[
    DftbplusConfig | PyscfConfig | OpenmolcasConfig | CallableConfig | AseConfig,
    Field(discriminator="name"),
]
"""Of one engine; a new one is a section here and a line in namd.qm.registry."""
