"""Populations, lifetimes, quantum yields and hops of an ensemble, each with its interval.

NumPy and SciPy only; nothing here imports torch.
"""
