"""Initial conditions: normal modes, Wigner, Boltzmann, given points, and excitation."""
