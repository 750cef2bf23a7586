"""Reference electronic structure: engines behind one protocol, and the labelling of frames."""
