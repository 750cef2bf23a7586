"""How amplitudes forget each other: one method per file."""
