"""Clebsch–Gordan products and the fusion blocks built from them."""
