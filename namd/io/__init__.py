"""Files: atomic writes, HDF5, ensembles, run folders, the library of models and runs."""
