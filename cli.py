"""Run the command line from a checkout: ``python cli.py …`` is ``namd …``."""

from namd.cli.main import main

if __name__ == "__main__":
    main()
