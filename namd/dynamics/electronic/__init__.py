"""How amplitudes move with the nuclei: one method per file."""
