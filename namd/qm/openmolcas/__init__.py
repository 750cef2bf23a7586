"""OpenMolcas: input, output, orbital files, and the engine made of them."""
