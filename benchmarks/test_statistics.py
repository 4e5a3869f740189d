"""What the statistics of an audit cost."""

import resource
import tracemalloc

import numpy as np
import pytest

from privbench.audit.context import Context
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.memorization import measure_memorization
from privbench.audit.statistics.auc import auc_interval
from privbench.audit.statistics.resampling import bootstrap, resampled_auc
from privbench.audit.statistics.stats import roc_auc, roc_curve
from privbench.audit.types import ImageSet, MemorizationScores, Ranking, SpaceDistances

SAMPLES, PATIENTS, IMAGES = 480, 264, 4


@pytest.fixture(scope="module")
def candidates():
    """100,000 candidates, half of them members, four images a patient: scores and owners."""
    rng = np.random.default_rng(0)
    owners = tuple(np.repeat([f"{part}{i}" for i in range(12_500)], IMAGES) for part in "mh")
    return rng.normal(0.1, 1, 50_000), rng.normal(0, 1, 50_000), owners


def peak_megabytes(measure):
    """What a call holds at most beyond its arguments, and what the process has ever held."""
    tracemalloc.start()
    measure()
    held = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return {"peak_megabytes": held, "process_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10}


def test_bootstrap_and_roc_of_100000_candidates_with_2000_resamples(benchmark, candidates):
    member, other, owners = candidates

    def measure():
        curve = roc_curve(member, other)
        auc = resampled_auc(member, other)
        return curve, bootstrap(auc, owners, np.random.default_rng(1), 0.95, resamples=2000)

    (fpr, tpr), found = benchmark.pedantic(measure, rounds=3)
    assert len(fpr) == len(tpr) == 100_001
    assert found.low < roc_auc(member, other) < found.high
    benchmark.extra_info.update(peak_megabytes(measure))


def test_auc_interval_of_100000_candidates(benchmark, candidates):
    """In closed form: what an audit uses."""
    found = benchmark(lambda: auc_interval(*candidates, 0.95))
    assert found.low < found.high
    benchmark.extra_info.update(peak_megabytes(lambda: auc_interval(*candidates, 0.95)))


def distances(space, owner, names, rng):
    own = names[owner]
    to, among = (rng.uniform(1, 2, (n, len(owner))) for n in (SAMPLES, len(owner)))
    return SpaceDistances(space, names, Ranking.of(to, own), Ranking.of(among, own, own, ranks=128))


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
    assert {e.group for e in found.estimates if e.name == "authpct"} == set(spaces)
