"""Fusion diagrams, what they compute, and the blocks that are made of them."""
