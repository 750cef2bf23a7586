"""Our results beside those of exact quantum mechanics and of other programs."""
