"""What the statistics of an audit cost."""

import numpy as np

from privbench.audit.context import Context
from privbench.audit.measure_memorization import measure_memorization
from privbench.audit.measured import Truth
from privbench.audit.stats import auc_interval
from privbench.audit.types import ImageSet, MemorizationScores, SpaceDistances

SAMPLES, PATIENTS, IMAGES = 480, 264, 4


def test_auc_interval_of_10000_candidates_with_200_resamples(benchmark):
    rng = np.random.default_rng(0)
    member, other = rng.normal(0.1, 1, 5000), rng.normal(0, 1, 5000)
    patients = tuple(np.repeat([f"{part}{i}" for i in range(1250)], 4) for part in "mh")
    found = benchmark(lambda: auc_interval(member, other, patients, np.random.default_rng(1), 0.95, resamples=200))
    assert found.low < found.high


def distances(space, owner, names, rng):
    among = rng.uniform(1, 2, (len(owner), PATIENTS)).astype(np.float32)
    among[np.arange(len(owner)), owner] = np.inf
    return SpaceDistances(space, names, rng.uniform(1, 2, (SAMPLES, PATIENTS)).astype(np.float32), among)


def test_memorization_of_480_samples_among_264_patients_in_5_spaces(benchmark):
    rng = np.random.default_rng(0)
    names = np.array([f"p{i:03d}" for i in range(PATIENTS)])
    owner = np.repeat(np.arange(PATIENTS), IMAGES)
    blank = np.zeros((len(owner), 1, 1, 1), np.float32)
    released = ImageSet(blank[:SAMPLES], np.arange(SAMPLES).astype(str), source=np.full(SAMPLES, ""))
    truth = Truth(ImageSet(blank, names[owner]), owner < PATIENTS // 2, names[owner], released)
    spaces = ("pixels", "patch-max", "moved", "foreground", "embedding")
    scores = MemorizationScores(tuple(distances(space, owner, names, rng) for space in spaces))
    found = benchmark.pedantic(measure_memorization, (scores, truth, Context()), rounds=3, warmup_rounds=1)
    assert len({e.group for e in found.estimates}) == len(spaces) + 1
