"""Published networks, rebuilt for dense batches of one molecule: MACE, MoFD, Cormorant, CoFD."""
