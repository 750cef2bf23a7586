"""``benchmarks/casscf_trajectories.py``: when a trajectory has decided."""

import numpy as np
from casscf_trajectories import decision_times


def test_decision_is_the_last_change_of_side_after_the_last_hop() -> None:
    time = np.arange(6) * 5.0
    columns = {  # active state, side (1: cis), parked → fs after the first frame in S0
        "never again": ([1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1], False, 0.0),
        "once": ([1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], False, 10.0),
        "after a hop back": ([1, 0, 1, 0, 0, 0], [0, 1, 1, 0, 1, 1], False, 5.0),
        "still excited": ([1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], False, None),
        "parked": ([1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0], True, None),
    }
    states, sides, parked, expected = zip(*columns.values(), strict=True)
    found = decision_times(
        time,
        excited=np.array(states).T > 0,
        cis=np.array(sides).T > 0,
        parked=np.array(parked),
    )
    assert found.tolist() == [value for value in expected if value is not None]
