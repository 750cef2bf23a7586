"""``namd config``: schema and check, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from namd.cli.main import run


@pytest.mark.parametrize(("kind", "key"), [("run", "initial_conditions"), ("train", "optimiser")])
def test_schema_is_json_with_descriptions(
    kind: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "schema", kind]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert key in schema["properties"]
    assert schema["additionalProperties"] is False


def test_check_accepts_the_library_and_shows_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "tully-1", "--show", "--set", "seed=12"]) == 0
    shown = capsys.readouterr()
    assert "a valid run configuration" in shown.err
    resolved = yaml.safe_load(shown.out)
    assert resolved["seed"] == 12
    assert resolved["dynamics"]["substeps"] == 25


def test_check_tells_file_key_value_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("potential: {tully: sca}\n")
    assert run(["config", "check", str(path)]) == 2
    shown = capsys.readouterr().err
    assert f'{path}  potential.tully = "sca"' in shown
    assert 'Did you mean "sac"?' in shown


def test_config_imports_no_torch() -> None:
    code = (
        "import sys; from namd.cli.main import run; run(['config', 'check', 'tully-1']); "
        "run(['config', 'schema']); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr.decode()
