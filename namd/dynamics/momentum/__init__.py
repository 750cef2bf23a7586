"""What a hop does to the velocities: one method per file."""
