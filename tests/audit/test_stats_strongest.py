"""The strongest attack: no luck from trying many, and no loss where one is strong."""

import numpy as np
import pytest

from privbench.audit.statistics.auc import auc_interval
from privbench.audit.statistics.stats import roc_auc
from privbench.audit.statistics.strongest import strongest

MEMBER = np.arange(80) < 40
CENTERS = np.array(["east", "west"])[np.arange(80) % 2]


def audits(count, leak=0.0):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        scores = {f"a{k}": rng.normal(0, 1, 80) for k in range(10)}
        scores["a3"] += leak * MEMBER
        yield scores, rng


def test_the_best_of_ten_useless_attacks_is_useless():
    honest = [strongest(scores, MEMBER, CENTERS, rng, 0.95).auc for scores, rng in audits(200)]
    greedy = [max(abs(roc_auc(s[MEMBER], s[~MEMBER]) - 0.5) for s in scores.values()) for scores, _ in audits(200)]
    assert np.mean(honest) == pytest.approx(0.5, abs=3 * 0.092 / np.sqrt(200))  # the null's spread with 20 a side
    assert np.mean(greedy) > 0.1


def test_its_interval_accuses_as_seldom_as_it_says():
    found = [strongest(scores, MEMBER, CENTERS, rng, 0.95) for scores, rng in audits(400)]
    accused = sum(f.interval.low > 0.5 or f.interval.high < 0.5 for f in found)
    assert 5 <= accused <= 35  # binomial(400, 0.05), 99.9%
    assert 5 <= sum(f.p_value <= 0.05 for f in found) <= 35


def test_its_interval_is_that_of_an_auc_of_people_of_whom_nobody_is_on_both_sides():
    for scores, rng in audits(5):
        found = strongest(scores, MEMBER, CENTERS, rng, 0.95)
        score = -scores[found.name] if found.inverted else scores[found.name]
        ours, theirs = score[found.measured & MEMBER], score[found.measured & ~MEMBER]
        people = (np.char.add("m", np.arange(20).astype(str)), np.char.add("o", np.arange(20).astype(str)))
        assert found.interval == auc_interval(ours, theirs, people, 0.95)


@pytest.mark.parametrize("leak", [2.0, -2.0])
def test_a_strong_attack_is_chosen_in_its_direction(leak):
    for scores, rng in audits(5, leak):
        found = strongest(scores, MEMBER, CENTERS, rng, 0.95)
        assert found.name == "a3"
        assert found.inverted == (leak < 0)
        assert found.auc > 0.75
        assert found.measured.sum() == 40


def test_it_takes_two_patients_a_side():
    with pytest.raises(ValueError, match="1 members"):
        strongest(
            {"a": np.zeros(4)}, np.array([True, False, False, False]), np.full(4, ""), np.random.default_rng(0), 0.95
        )
