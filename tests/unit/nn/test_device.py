"""The device that is asked for is there, or is refused."""

import pytest
import torch

from namd.errors import ConfigError
from namd.nn.device import choose_device


def test_auto_takes_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device("auto") == expected


def test_a_device_that_is_there_keeps_its_name() -> None:
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["abacus", "cpu:first", "cuda:99"])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_device(name)
    assert caught.value.where == f"device = {name}"
    assert "Expected one of" not in caught.value.message
