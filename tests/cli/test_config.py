"""``namd config``: schema and check, without torch."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from namd.cli.main import run
from namd.config.run import DynamicsConfig


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


def test_methods_lists_what_a_configuration_can_choose(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "methods", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    offered = {
        (kind, name)
        for kind in ("electronic", "hopping", "rescaling", "frustrated", "decoherence")
        for name in get_args(DynamicsConfig.model_fields[kind].annotation)
        if (kind, name) != ("electronic", "none")
    }
    assert {(method["kind"], method["name"]) for method in found["methods"]} == offered
    for method in found["methods"]:
        assert re.search(r"DOI 10\.\d{4,}/\S+", method["reference"]), method
        assert method["summary"].endswith(".")
        assert "Reference" not in method["summary"]
    assert "sharc2" in [preset["name"] for preset in found["presets"]]
    assert run(["config", "methods"]) == 0
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 100
    text = " ".join(shown.split())
    for entry in [*found["methods"], *found["presets"]]:
        assert entry["summary"] in text
        assert entry["reference"] in text


def test_config_imports_no_torch() -> None:
    code = (
        "import sys; from namd.cli.main import run; run(['config', 'check', 'tully-1']); "
        "run(['config', 'schema']); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr.decode()


def test_a_departure_from_a_preset_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["config", "check", "stilbene-cis", "--set", "dynamics.preset=sharc2"]
    assert run([*words, "--set", "dynamics.decoherence=none"]) == 0
    told = capsys.readouterr().err
    assert "dynamics.decoherence: none, not edc as in the preset sharc2" in told
    assert run(words) == 0
    assert "as in the preset" not in capsys.readouterr().err
