"""A network small enough to be timed in a test."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data" / "stilbene-ssr22-mini.h5"


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    """A training configuration of stilbene."""
    path = tmp_path / "plan.yaml"
    network = "{kind: fusion, channels: 4, correlation: 2, hidden: 8, radial: 3}"
    path.write_text(
        f"name: plan\ndata: {{file: {DATA}, validation: [twist-0962]}}\nnetwork: {network}\n"
        "optimiser: {batch_size: 2, patience_epochs: 1}\n"
    )
    return path
