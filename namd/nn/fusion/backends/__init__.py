"""Implementations of the trilinear Clebsch–Gordan operators, and the choice between them."""
