"""What a simulated patient costs."""

import itertools
import statistics
import time

from privbench.audit.context import Context
from privbench.cohorts.brain_sim import brain_sim

# One patient is the least that each of these parts can have.
PARTS = {"members": 18, "holdout": 1, "reference": 1, "public": 0, "reserve": 0}


def test_patients_of_four_slices_at_64_pixels(benchmark, tmp_path):
    """Twenty patients, with new seeds in every round; CPU beside wall time."""
    seeds, seconds = itertools.count(), []

    def simulate():
        seed = next(seeds)
        folder = tmp_path / str(seed)
        folder.mkdir()
        start = time.process_time()
        split = brain_sim(Context(seed=seed, path=("cohort", "brain-sim"), folder=folder), **PARTS, size=64)
        seconds.append(time.process_time() - start)
        return split

    simulate()  # reads the template
    split = benchmark.pedantic(simulate, rounds=5)
    assert split.members.pixels.shape == (18 * 4, 1, 64, 64)
    benchmark.extra_info["cpu_milliseconds_a_patient"] = 1000 * statistics.median(seconds[1:]) / 20
