"""Training: loss, loop, checkpoints, errors, model folders."""
