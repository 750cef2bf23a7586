"""How likely a trajectory is to hop: one method per file."""
