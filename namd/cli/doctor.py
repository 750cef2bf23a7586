"""``namd doctor``: what is installed, what it runs on, and whether it computes rightly."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.nn.installation import Installation

_WIDTH = 13
_DEVIATIONS = ("product", "reduction", "neighbours", "rotation")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, as_json: bool) -> None:
    """Show versions, threads, GPUs and back ends, and check the installation.

    \b
    Examples:
      namd doctor
      namd doctor --json
      NAMD_CG_BACKEND=einsum namd doctor

    Clebsch-Gordan products are computed by compiled loops (numba) on the CPU, by GPU kernels
    (triton) on CUDA if Triton is installed, else by dense tensor operations (einsum), and so are
    the sums over neighbours of the published networks (by numba on the CPU unless einsum is asked
    for, by tensor operations elsewhere). The environment variable NAMD_CG_BACKEND takes another.
    The check compares what is chosen with the dense reference, in both precisions, and turns its
    inputs: deviations are relative, and should be rounding.

    Exit code 0: all is well, 4: a check has failed, 2: NAMD_CG_BACKEND cannot be used.

    JSON: namd, python, platform, packages (null: not installed), threads, cores, gpus (name,
    memory_gib, capability), backends (device, name, reason), checks (device, backend, precision,
    product, reduction, neighbours, rotation, limit, passed), library, models, trajectories,
    compiled, compiled_writable, remarks, healthy. A deviation is null where it is not a number.
    """
    from namd.errors import PhysicsError
    from namd.nn.installation import examine
    from namd.nn.parallel import use_threads

    use_threads()
    found = examine()
    if as_json:
        console.result_json(_as_json(found))
    else:
        _show(found)
    if not found.healthy:
        failed = [
            f"{c.backend} on {c.device} ({c.precision})" for c in found.checks if not c.passed
        ]
        raise PhysicsError(
            f"products or sums over neighbours are wrong: {', '.join(failed)}",
            where="namd doctor",
            hint="reinstall numba or triton; NAMD_CG_BACKEND=einsum computes without them",
        )


def _show(found: "Installation") -> None:
    versions = [f"{name} {version or '–'}" for name, version in found.packages.items()]
    lines = {
        "namd": f"{found.namd}, Python {found.python}",
        "platform": found.platform,
        "packages": ", ".join(versions[:4]),
        "": ", ".join(versions[4:]),
        "threads": f"{found.threads} in use, {found.cores} cores",
        "GPUs": "; ".join(
            f"{gpu.name}, {gpu.memory_gib:.0f} GiB, capability {gpu.capability}"
            for gpu in found.gpus
        )
        or "none that CUDA can use",
        "library": ", ".join(map(str, found.library)),
        "models": ", ".join(found.models) or "none",
        "runs": ", ".join(found.trajectories) or "none",
        "compiled": f"{found.compiled}{'' if found.compiled_writable else ' (not writable)'}",
    }
    for name, fact in lines.items():
        console.result(f"{name:<{_WIDTH}}{fact}")
    for backend in found.backends:
        console.result(f"{'products':<{_WIDTH}}{backend.device}: {backend.name}, {backend.reason}")
    console.result()
    console.table(
        ["check", *_DEVIATIONS, "limit", ""],
        [
            [
                f"{check.backend} on {check.device}, {check.precision}",
                *(f"{getattr(check, name):.0e}" for name in _DEVIATIONS),
                f"{check.limit:.0e}",
                "passed" if check.passed else "FAILED",
            ]
            for check in found.checks
        ],
    )
    for remark in found.remarks:
        console.warn(remark)
    console.result()
    console.result("All is well." if found.healthy else "Something is wrong.")


def _as_json(found: "Installation") -> dict[str, Any]:
    from namd.analysis.jsonable import jsonable

    facts: dict[str, Any] = jsonable(asdict(found))
    facts["library"] = [str(folder) for folder in found.library]
    facts["compiled"] = str(found.compiled)
    for check, values in zip(found.checks, facts["checks"], strict=True):
        values["passed"] = check.passed
    return facts | {"remarks": list(found.remarks), "healthy": found.healthy}
