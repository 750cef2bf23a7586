"""Initial conditions: normal modes, Wigner distributions, given phase-space points."""
