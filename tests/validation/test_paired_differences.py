"""The study of differences between two audits, cut down; an interval that is too narrow is caught by the same check."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

AUDITS = 200
# a true coverage within 93-98.5% gives a count outside these in less than one of 1,000 runs; seeds are fixed
MOST = binom.ppf(0.9995, AUDITS, 0.985)


def fewest(audits=AUDITS):
    return binom.ppf(0.0005, audits, 0.93)


@pytest.fixture
def study(script, monkeypatch):
    """One size, one correlation, two pairs of AUCs."""
    module = script("paired_differences")
    monkeypatch.setattr(module, "AUCS", ((0.6, 0.5), (0.9, 0.9)))
    monkeypatch.setattr(module, "RESAMPLES", 200)
    return module


def covered(study, audits=AUDITS):
    """How many intervals hold the truth, and how wide they are beside the independent ones, by quantity and truths."""
    counts, widths = {}, {}
    for seed in range(audits):
        for quantity, said, found, truth, width in study.of_one_seed(66, 0.8, np.random.default_rng(seed)):
            key = quantity, said
            counts[key] = counts.get(key, 0) + (found.low <= truth <= found.high)
            widths.setdefault(key, []).append((found.high - found.low) / width)
    return counts, {key: np.mean(ratio) for key, ratio in widths.items()}


def test_paired_intervals_cover_what_they_say_and_are_narrower(study):
    counts, widths = covered(study)
    used = {key: n for key, n in counts.items() if not key[0].startswith("(")}
    assert len(used) == 6
    assert not {key: n for key, n in used.items() if not fewest() <= n <= MOST}
    assert all(widths[key] < (0.9 if "half" in key[0] else 0.7) for key in used)


def test_an_interval_that_believes_too_much_of_its_blocks_is_caught(study, monkeypatch):
    honest = study.differences._together

    def careless(first, second):
        found = honest(first, second)
        return found and replace(found, share=found.share / 4)

    monkeypatch.setattr(study.differences, "_together", careless)
    counts, _ = covered(study, 80)
    assert all(n < fewest(80) for key, n in counts.items() if key[0] == "AUC")


@pytest.mark.parametrize(("patients", "most"), [("shared", MOST), ("new", AUDITS)])
@pytest.mark.parametrize("scatter", [0.0, 2.0])
def test_seeds_are_counted_whether_or_not_they_share_their_patients(study, patients, most, scatter):
    hits = 0
    for seed in range(AUDITS):
        found, _ = study.of_seeds(3, scatter, patients, np.random.default_rng(seed))
        hits += found.low <= 0 <= found.high
    assert fewest() <= hits <= most


def test_the_table_says_what_the_rows_say(study):
    rows = [
        {
            "missed|one|AUC|0.6, 0.5|66|0.8": missed,
            "width|one|AUC|0.6, 0.5|66|0.8": 0.1,
            "apart|one|AUC|0.6, 0.5|66|0.8": 0.2,
        }
        for missed in (0.0, 0.0, -1.0, 0.0)
    ]
    assert study.summary(rows, "one") == [["AUC", "0.6, 0.5", "66", "**75.0** (25.0 / 0.0) x 0.50"]]
