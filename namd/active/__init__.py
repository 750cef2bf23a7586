"""Learn where a model does not know: choose frames, have them labelled, train again."""
