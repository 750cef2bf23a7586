"""The dataset doctor: what is wrong with labelled frames, how bad it is, and what can be mended.

:func:`namd.data.doctor.examine.examine` judges, :func:`namd.data.doctor.fixing.fix` mends what can
be mended safely. What makes a dataset unusable is found by :mod:`namd.data.checks`; the modules
here add what deserves a look, one idea each. Everything is NumPy over all frames at once.
"""
