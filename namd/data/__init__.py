"""Labelled data: datasets in memory and on disk, checks, splits, thinning and converters.

Nothing here imports torch.
"""
