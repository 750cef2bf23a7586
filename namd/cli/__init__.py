"""The command line: one file per command, options in, library call, result out."""
