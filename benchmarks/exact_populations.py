"""Exact diabatic populations of the Morse models, pyrazine and the spin-boson model.

    python benchmarks/exact_populations.py [--json benchmarks/results/exact-populations.json]

Solves the time-dependent Schrödinger equation (the hierarchical equations of motion for the bath)
at the times at which surface hopping is compared with it, and prints some of them. What the method
is and how well it is converged is written beside every curve. Half a minute on one core.
"""

import measuring
import numpy as np
from exact.cases import CASES

from namd.nn.parallel import use_threads


def main() -> None:
    options = measuring.parser(__doc__).parse_args()
    about = measuring.machine(threads=1)
    use_threads()
    curves = {}
    for name, case in CASES.items():
        populations = np.round(case.exact(case.times_fs), 6)
        shown = np.linspace(0, case.frames, 5, dtype=int)
        print(f"{name}: {case.how}")
        for k in shown:
            print(f"  {case.times_fs[k]:7.1f} fs  " + "  ".join(f"{p:.4f}" for p in populations[k]))
        curves[name] = {"how": case.how, "time_fs": case.times_fs, "populations": populations}
    measuring.finish({"curves": curves}, about=about, path=options.json)


if __name__ == "__main__":
    main()
