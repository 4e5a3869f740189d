"""Values without a block of patients: recomputed by others, the same blocks for any cohort, nobody alone."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from privbench.audit.context import Context
from privbench.audit.measures.attribute import measure_attribute
from privbench.audit.measures.exposure import strongest_attacks
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.membership import measure_membership
from privbench.audit.statistics.blocks import BLOCKS, FEWEST, SMALLEST, block_of, left_out
from privbench.audit.statistics.risk import normalised_risk
from privbench.audit.statistics.strongest import strongest
from privbench.audit.types import AttributeGuesses, AttributeScores, ImageSet, MembershipScores


def hashed(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20


def names(n, prefix="patient"):
    return np.array([f"{prefix}-{i}" for i in range(n)])


def truth_of(side=70, images=2, seed=0):
    """Pseudonyms that have nothing to do with the real names; images shuffled."""
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.repeat(np.arange(2 * side), images))
    pseudonym = np.array([f"x{i:04d}" for i in rng.permutation(2 * side)])
    label = rng.integers(0, 2, 2 * side)[owner]
    candidates = ImageSet(np.zeros((len(owner), 1, 2, 2), np.float32), pseudonym[owner], label=label)
    return Truth(candidates, owner < side, names(2 * side)[owner], candidates.take(slice(0, 0)))


def mean_of(value):
    return lambda kept: kept @ value / kept.sum(axis=1)


@pytest.fixture(scope="module")
def membership():
    truth = truth_of()
    score = np.round(np.random.default_rng(1).normal(0.5 * truth.member, 1), 1)
    found = measure_membership(MembershipScores(score), truth, Context())
    return truth, score, {e.group: e for e in found.estimates if e.name == "auc"}


@pytest.mark.parametrize("group", ["", "mean of images", "images"])
def test_auc_without_each_block_agrees_with_scikit_learn_on_the_others(membership, group):
    truth, score, aucs = membership
    block = np.array([hashed(name) for name in truth.patient])
    expected = []
    for k in range(20):
        stay = block != k
        member, value, patient = truth.member[stay], score[stay], truth.patient[stay]
        if group != "images":
            how = np.max if group == "" else np.mean
            people = np.unique(patient)
            value = np.array([how(value[patient == p]) for p in people])
            member = np.array([member[patient == p][0] for p in people])
        expected.append(roc_auc_score(member, value))
    people = Counter(hashed(name) for name in np.unique(truth.patient).tolist())
    assert min(people[k] for k in range(20)) >= SMALLEST, "every block of this cohort can be left out"
    assert aucs[group].blocks == pytest.approx(expected, rel=1e-8)


def test_the_strongest_attack_has_blocks_of_the_half_that_measures():
    truth, rng = truth_of(side=140, images=1), np.random.default_rng(3)
    pseudonyms = truth.candidates.patients
    member, name = (
        np.array([v[truth.candidates.patient == p][0] for p in pseudonyms]) for v in (truth.member, truth.patient)
    )
    scores = {"useless": rng.random(280), "inverted": rng.normal(~member, 1)}
    (found,) = strongest_attacks({"membership": scores}, truth, Context())
    assert found.inverted
    half = strongest(scores, member, np.full(280, ""), Context().rng("strongest", "membership"), 0.95).measured
    assert half.sum() == found.auc.n == 140
    k = 5
    stay = half & (np.array([hashed(n) for n in name]) != k)
    assert found.auc.blocks[k] == pytest.approx(roc_auc_score(member[stay], -scores["inverted"][stay]), rel=1e-8)


def test_attribute_risk_without_each_block_agrees_with_the_others_alone():
    truth, rng = truth_of(), np.random.default_rng(2)
    true = truth.candidates.label
    guess = np.where(rng.random(len(true)) < 0.4 + 0.3 * truth.member, true, 1 - true)
    prior = np.zeros_like(true)  # right of half of the patients
    scores = AttributeScores((AttributeGuesses("label", guess, prior),))
    (found,) = (e for e in measure_attribute(scores, truth, Context()).estimates if e.group == "label")
    k = 7
    stay = np.array([hashed(name) != k for name in truth.patient])
    people = np.unique(truth.patient[stay])
    right, before, member = (
        np.array([values[stay & (truth.patient == p)].mean() for p in people])
        for values in (guess == true, prior == true, truth.member)
    )
    corners = [(0, 0), (0, 1), (1, 0), (1, 1)]  # two patients more, half a one for each outcome
    weight = np.append(np.ones(len(people)), [0.5] * 4)
    x, y = np.append(before, [c[1] for c in corners]), np.append(right, [c[0] for c in corners])
    slope = np.clip(np.cov(x, y, aweights=weight)[0, 1] / np.cov(x, aweights=weight), 0, 1)
    adjusted = right - slope * (before - before.mean())
    expected = normalised_risk(adjusted[member == 1].mean(), adjusted[member == 0].mean())
    assert found.blocks[k] == pytest.approx(expected, rel=1e-8)


def test_blocks_go_by_the_real_name_whoever_else_is_there():
    everybody = names(300)
    some = np.random.default_rng(0).permutation(everybody)[:90]
    assert block_of(everybody).tolist() == [hashed(name) for name in everybody]
    assert block_of(some).tolist() == [hashed(name) for name in some]


def test_no_value_tells_of_one_or_two_patients():
    pool = names(4000)
    block = block_of(pool)
    wanted = {3: 1, 4: 2, 5: 3}  # patients of these blocks; all others have many
    patient = np.concatenate([pool[block == k][: wanted.get(k, 6)] for k in range(BLOCKS)])
    value = np.random.default_rng(0).random(len(patient))
    found = left_out(patient, value.mean(), mean_of(value))
    left_in = {k for k in range(BLOCKS) if found[k] == pytest.approx(value.mean(), rel=1e-8)}
    assert left_in == {3, 4}
    assert {k for k, n in wanted.items() if n < SMALLEST} == left_in


def test_several_images_of_a_patient_count_as_one():
    pool = names(4000)
    block = block_of(pool)
    patient = np.concatenate([pool[block == k][:4] if k else np.repeat(pool[block == 0][:2], 9) for k in range(BLOCKS)])
    value = np.random.default_rng(0).random(len(patient))
    assert left_out(patient, value.mean(), mean_of(value))[0] == pytest.approx(value.mean(), rel=1e-8)


def test_too_few_patients_have_no_blocks():
    for n in (1, FEWEST - 1, FEWEST):
        found = left_out(names(n), 0.5, mean_of(np.arange(n)))
        assert len(found) == (BLOCKS if n == FEWEST else 0)


def test_a_block_without_which_nothing_is_defined_stays_in():
    patient = names(200)
    only = block_of(patient) == 11

    def share(kept):
        with np.errstate(invalid="ignore"):
            return (kept & only).sum(axis=1) / (kept & only).sum(axis=1)

    assert left_out(patient, 1.0, share)[11] == 1.0


def test_order_does_not_matter():
    patient, value = names(100), np.random.default_rng(0).random(100)
    order = np.random.default_rng(1).permutation(100)
    first = left_out(patient, value.mean(), mean_of(value))
    assert first == left_out(patient[order], value.mean(), mean_of(value[order]))
