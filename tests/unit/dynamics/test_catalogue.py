"""The catalogue says of every method what its own docstring says."""

import pytest

from namd.dynamics import catalogue
from namd.dynamics.catalogue import KINDS, methods
from namd.errors import NamdError


def test_the_docstring_with_the_reference_describes_the_method():
    found = {(m.kind, m.name): m for m in methods()}
    assert len(found) == sum(len(table) for table in KINDS.values())
    keep, reverse = found["frustrated", "keep"], found["frustrated", "reverse"]  # of one module
    assert keep.summary == "Leave the velocities as they are."
    assert keep.reference.endswith("DOI 10.1063/1.474288.")
    assert reverse.reference.startswith("S. Hammes-Schiffer")
    finite = found["hopping", "finite-step"]
    assert finite.summary.startswith("Hop probability from the change of the active population")
    two = found["electronic", "local-diabatization"].reference
    assert two.count("DOI") == 2


def test_a_method_without_a_reference_is_refused(monkeypatch):
    class Homeless:
        """From nowhere."""

    monkeypatch.setattr(catalogue, "KINDS", {"hopping": {"homeless": Homeless}})
    with pytest.raises(NamdError, match="no reference"):
        methods()
