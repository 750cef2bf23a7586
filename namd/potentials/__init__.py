"""What dynamics needs of any electronic structure: one protocol, several potentials."""
