"""Parameters and operations of the networks, counted by the code at hand; times of one run.

Operations are those of one evaluation of W for one molecule, as ``namd models describe`` counts
them (:mod:`namd.nn.summary`). They are counted when results are collected, so that all networks
are counted by one rule, however long the trainings took.
"""

from typing import Any

from comparison.cases import CASES, ROOT, configure
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.errors import DataError
from namd.nn.summary import NetworkSummary
from namd.train.pipeline import model_information
from namd.train.planned import summary_of


def count(case: str, network: str, dataset: Dataset) -> NetworkSummary:
    """The network of a training on ``dataset``, untrained."""
    return summary_of(model_information(configure(case=case, network=network, seed=0), dataset))


def add_operations(cases: dict[str, Any]) -> None:
    """Put ``flops`` beside the parameters of every collected network.

    Raises
    ------
    DataError
        If a network has another number of parameters than the one that was trained.
    """
    for case, found in cases.items():
        dataset = read_dataset(ROOT / CASES[case].file)
        for network, entry in found["networks"].items():
            counted = count(case, network, dataset)
            if counted.parameters != entry["parameters"]:
                raise DataError(
                    f"{counted.parameters} parameters here, {entry['parameters']} were trained",
                    where=f"{case}, {network}",
                    hint="the network has changed since: train it again",
                )
            entry["flops"] = counted.flops


def add_times(cases: dict[str, Any], times: dict[str, Any]) -> None:
    """Put ``training_s``, of the whole budget, and ``step_ms`` beside every collected network."""
    for name, found in cases.items():
        timed = times.get(CASES[name].timed_as or name, {})
        for network, entry in found["networks"].items():
            here = timed.get(network)
            each = None if here is None else here["training_ms"]["median"]
            entry["training_s"] = None if each is None else each * entry["presentations"] / 1000
            entry["step_ms"] = None if here is None else here["step_ms"]["median"]
