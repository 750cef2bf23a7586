"""When a trajectory must be stopped: one check per file."""
