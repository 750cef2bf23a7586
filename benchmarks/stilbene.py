"""The job that most benchmarks are measured on: cis-stilbene in S1.

Initial conditions and options are those of ``trajectories/stilbene-cis.yaml``.
"""

from namd.benchmark.job import Job, make_job

RUN = "stilbene-cis"


def stilbene_job(*, trajectories: int, model: str, seed: int | None = None) -> Job:
    """Prepare the first ``trajectories`` trajectories of the run, on the CPU."""
    overrides = [f"potential.model={model}", *([] if seed is None else [f"seed={seed}"])]
    return make_job(RUN, trajectories=trajectories, overrides=overrides)
