"""Exact quantum dynamics of small models: what surface hopping is compared with."""
