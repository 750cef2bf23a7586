"""``torch.compile`` takes the products into one graph, forwards, backwards and inside a loss."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import namd

COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=COMPILER)])
def test_compiled_products_and_derivatives_are_the_same(backend: str) -> None:
    done = subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, str(Path(__file__).with_name("compiled.py")), backend],
        env=os.environ | {"PYTHONPATH": str(Path(namd.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{backend}: the same\n"
