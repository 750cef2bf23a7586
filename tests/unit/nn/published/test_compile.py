"""``torch.compile`` takes whole published networks into one graph: matrix, forces and a loss."""

import os
import subprocess
import sys
from pathlib import Path

import namd


def test_compiled_networks_and_their_derivatives_are_the_same() -> None:
    done = subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, str(Path(__file__).with_name("compiled.py"))],
        env=os.environ | {"PYTHONPATH": str(Path(namd.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *networks, last = done.stdout.splitlines()
    names = ("mofd-sparse", "cofd")
    assert networks == [f"{name}: the same" for name in names]
    assert last == "one graph for any number of molecules"
