"""Our networks: potential and whole steps of two states, training on energy and forces of one.

The production network and the published ones, with fresh weights; with 32 channels it is a
shipped model, whose trajectories try to hop as often as real ones do. ``potential`` is more than
the peers do: energies of both states and the force of one, by the class that ``namd run`` uses.
"""

from collections.abc import Callable
from functools import cached_property, partial

import torch
import worker

from namd.benchmark.job import make_job, march
from namd.benchmark.subject import Subject, find_subject
from namd.benchmark.throughput import potential_calls
from namd.nn.factory import parameter_count
from namd.nn.parallel import use_threads
from namd.train import pipeline
from namd.train.batch_loss import set_gradient
from namd.train.labels import Labels

NETWORKS = {
    "fusion 32": (
        "models/stilbene-ssr-3500/train.yaml",
        "network.channels=32",
        "stilbene-ssr-3500",
    ),
    "fusion 64": ("models/stilbene-ssr-3500/train.yaml", "network.channels=64"),
    "mace 64 0e+1o+2e+3o": ("mace-64", "network.channels=64"),
    "mofd-sparse 16": ("mofd-sparse-16", "network.channels=16"),
}
RUN = "stilbene-cis"


class Ours:
    """One of our networks."""

    def __init__(self, config: str, channels: str, shipped: str | None = None) -> None:
        self.shipped = shipped
        self.find = partial(find_subject, config)
        self.channels = channels

    @cached_property
    def subject(self) -> Subject:
        """The network of two states."""
        if self.shipped is not None:
            return find_subject(self.shipped)
        return self.find(overrides=[self.channels, "data.states=2"])

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return parameter_count(self.subject.model.network)

    def action(self, task: str, batch: int) -> Callable[[], object]:
        """An evaluation, a whole step or an update."""
        if task == "training":
            return self.update(batch)
        if task == "step":
            return self.steps(batch)
        return partial(potential_calls(self.subject, batch=batch, device="cpu"), 1)

    def steps(self, batch: int) -> Callable[[], None]:
        """One step after the other."""
        potential = self.subject.potential
        job = make_job(RUN, trajectories=batch, potential=potential)
        moving = [job.begin(trajectories=batch)]

        def call() -> None:
            moving.append(march(moving.pop(), potential, job.options.step, steps=1))

        return call

    def update(self, batch: int) -> Callable[[], None]:
        """One step of the training of one state, on all its forces."""
        subject = self.find(overrides=[self.channels, "data.states=1", "loss.derivatives=full"])
        config = subject.training
        job = pipeline.prepare(config, base=subject.base)
        labels = Labels.of(job.training, torch.device("cpu")).take(torch.arange(batch))
        parameters = list(job.model.network.parameters())
        optimiser = torch.optim.AdamW(parameters, lr=1e-4)

        def call() -> None:
            set_gradient(job.model, labels, config=config, late=False, step=0)
            torch.nn.utils.clip_grad_norm_(parameters, 10.0)
            optimiser.step()

        return call


if __name__ == "__main__":
    worker.serve(
        {name: partial(Ours, *how) for name, how in NETWORKS.items()},
        packages=("namd", "numba", "e3nn"),
        use_threads=use_threads,
    )
