"""Surface hopping of many trajectories at once: a pure step and its strategies."""
