"""Linkage beyond the headline: verifiers of several seeds, examinations, the tail of patients, what power allows."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import cohen_kappa_score

from privbench.audit.context import Context
from privbench.audit.contract import check_scores
from privbench.audit.gate import judge
from privbench.audit.measures import links as searching
from privbench.audit.measures.linkage import measure_linkage
from privbench.audit.measures.links import Linkage
from privbench.audit.measures.measured import Truth
from privbench.audit.record import Estimate, Finding
from privbench.audit.statistics.agreement import fleiss_kappa, kappa_interval
from privbench.audit.types import GalleryScores, ImageSet, LinkageScores, PairScores

SIDE, VISITS, DIMENSIONS, SAMPLES = 50, 2, 16, 200


def images(patient, visit=None):
    pixels = np.zeros((len(patient), 1, 1, 1), dtype=np.float32)
    return ImageSet(pixels, np.asarray(patient), visit=visit)


def people(seed, copies, between=0.2, strangers=200):
    """Truth, scores of a verifier that measures distances of points, and the points: patients seen at two visits each.

    ``copies`` of the released points are those of members' first visits; ``between`` is how far two visits lie apart.
    """
    rng = np.random.default_rng(seed)
    names = np.array([f"p{i:03d}" for i in range(2 * SIDE)])
    owner = np.repeat(np.arange(2 * SIDE), VISITS)
    visit = np.tile(np.arange(VISITS), 2 * SIDE)
    points = rng.normal(size=(2 * SIDE, DIMENSIONS))[owner]
    points += between * rng.normal(size=points.shape)
    released = rng.normal(size=(SAMPLES, DIMENSIONS))
    released[:copies] = points[np.resize(np.flatnonzero((visit == 0) & (owner < SIDE)), copies)]
    others = rng.normal(size=(strangers, DIMENSIONS))
    truth = Truth(images(names[owner], visit), owner < SIDE, names[owner], images(np.arange(SAMPLES).astype(str)))
    pairs = PairScores("unseen patients", np.full(50, 0.0), np.full(50, -9.0), *[np.arange(50).astype(str)] * 2)
    close = [-cdist(rows, points).astype(np.float32) for rows in (released, others)]
    return truth, LinkageScores(*close, (pairs,))


def named(measured, name, group=""):
    return next(e for e in measured.estimates if e.name == name and e.group == group)


# ---- the tail -----------------------------------------------------------------------------------------------------


def test_patients_are_counted_by_how_many_images_are_linked_to_each():
    truth, scores = people(0, 0)
    released = np.full((SAMPLES, len(truth.patient)), -9, np.float32)
    for i, patient in enumerate(["p000"] * 6 + ["p001"] * 2 + ["p002"] + ["p090"]):  # p090 is a holdout patient
        released[i, np.flatnonzero(truth.patient == patient)[0]] = 0
    found = measure_linkage(replace(scores, similarity=released), truth, Context())
    for group, members, holdout in (("", 3, 1), ("by 2 images or more", 2, 0), ("by 5 images or more", 1, 0)):
        estimate = named(found, "linked_patients", group)
        assert estimate.value == pytest.approx((members - holdout) / SIDE)
        assert estimate.unit == "patient"
        assert f"{members} of 50 member patients, {holdout} of 50 holdout" in estimate.note
    assert "6 images at most for one member" in named(found, "linked_patients").note


# ---- examinations -------------------------------------------------------------------------------------------------


def test_a_copy_is_linked_across_visits_where_patients_look_alike_at_both():
    found = measure_linkage(people(1, 60)[1], people(1, 60)[0], Context())
    across = named(found, "linked_excess", "across visits")
    assert across.low > 0.2
    assert "in two examinations" in across.note


def test_a_copy_is_not_linked_across_visits_where_patients_look_different_at_each():
    truth, scores = people(2, 60, between=5.0)
    found = measure_linkage(scores, truth, Context())
    assert named(found, "linked_excess").low > 0.2
    across = named(found, "linked_excess", "across visits")
    assert across.low < 0.02
    assert across.high < 0.1


def test_nothing_is_said_of_visits_where_there_are_no_two():
    truth, scores = people(3, 60)
    for visit in (None, np.zeros(len(truth.candidates), np.int64)):
        other = replace(truth, candidates=replace(truth.candidates, visit=visit))
        assert all(e.group != "across visits" for e in measure_linkage(scores, other, Context()).estimates)
    # and where holdout patients have one examination each there is no control
    alone = np.where(truth.member, truth.candidates.visit, 0)
    other = replace(truth, candidates=replace(truth.candidates, visit=alone))
    assert Linkage.across_visits(scores, other) is None


def test_a_patient_counts_by_the_second_best_examination(monkeypatch):
    rng = np.random.default_rng(4)
    patient = np.array(["b", "a", "a", "b", "a", "c", "b", "d", "d"])
    visit = np.array([1, 1, 2, 1, 3, 1, 7, 4, 5])
    scores = rng.random((7, 9)).astype(np.float32)
    expected = np.stack(
        [
            np.sort(scores[:, [1, 2, 4]], axis=1)[:, 1],
            np.minimum(scores[:, [0, 3]].max(axis=1), scores[:, 6]),
            np.full(7, -np.inf),
            scores[:, 7:].min(axis=1),
        ],
        axis=1,
    )
    for rows in (2**22, 40):
        monkeypatch.setattr(searching, "CELLS", rows)
        names, columns = searching._by_examination(patient, visit)
        assert names.tolist() == ["a", "b", "c", "d"]
        np.testing.assert_array_equal(searching._second_best(scores, columns), expected)


# ---- several verifiers --------------------------------------------------------------------------------------------


def test_kappa_is_that_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    rng = np.random.default_rng(0)
    for raters in (2, 3, 5):
        said = (rng.random((80, raters)) + rng.random((80, 1))) > 1.1
        table = np.stack([said.sum(axis=1), (~said).sum(axis=1)], axis=1)
        assert fleiss_kappa(said) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-12)


def test_kappa_of_two_raters_who_say_yes_equally_often_is_cohens():
    rng = np.random.default_rng(1)
    first = rng.random(60) < 0.4
    second = np.roll(first, 1)
    assert fleiss_kappa(np.stack([first, second], axis=1)) == pytest.approx(cohen_kappa_score(first, second))


def test_kappa_is_not_defined_where_all_say_one_thing():
    assert np.isnan(fleiss_kappa(np.zeros((9, 3), bool)))
    same = np.repeat(np.arange(9)[:, None] < 3, 3, axis=1)
    assert fleiss_kappa(same) == 1


def test_the_interval_of_kappa_holds_the_truth_mostly():
    # each rater sees the truth with probability 0.8 of each subject, else says yes with probability 0.3
    rng = np.random.default_rng(2)

    def rated(n):
        truth = rng.random((n, 1)) < 0.3
        return np.where(rng.random((n, 3)) < 0.8, truth, rng.random((n, 3)) < 0.3)

    expected = fleiss_kappa(rated(400_000))
    held = 0
    for _ in range(60):
        interval = kappa_interval(rated(80), np.arange(80).astype(str), rng, 0.95)
        held += interval.low <= expected <= interval.high
    assert held >= 52  # of 60 at 95%, fewer with probability 0.004


def several(seed, copies, noise, verifiers=3):
    """Verifiers that each see the distances with noise of their own."""
    truth, scores = people(seed, copies)
    rng = np.random.default_rng(seed)
    each = []
    for _ in range(verifiers):
        blurred = [
            (s + noise * rng.standard_normal(s.shape)).astype(np.float32) for s in (scores.similarity, scores.strangers)
        ]
        each.append(LinkageScores(*blurred, scores.power))
    mean = [np.mean(list(parts), axis=0) for parts in zip(*((v.similarity, v.strangers) for v in each), strict=True)]
    return truth, replace(scores, similarity=mean[0], strangers=mean[1], verifiers=tuple(each))


def test_verifiers_that_see_a_leak_agree_on_it():
    truth, scores = several(5, 60, noise=0.1)
    found = measure_linkage(scores, truth, Context())
    kappa = named(found, "verifier_agreement")
    assert kappa.low > 0.7
    assert kappa.null == 0
    agreed = named(found, "agreed_links", "all verifiers")
    assert agreed.n >= 60
    assert agreed.low > 0.6
    assert named(found, "agreed_links", "most verifiers").value >= agreed.value
    for i in (1, 2, 3):
        own = named(found, "linked_excess", f"verifier {i}")
        assert own.low < 0.3 < own.high + 0.02
        assert own.p_value is None
        assert "p-value" not in own.method
        assert named(found, "verifier_auc", f"verifier {i}").value == 1


def test_verifiers_that_link_by_chance_do_not_agree():
    truth, scores = several(6, 0, noise=3.0)
    (pairs,) = scores.power
    scores = replace(scores, power=(replace(pairs, same=pairs.same + 50),))
    found = measure_linkage(scores, truth, Context())
    kappa = named(found, "verifier_agreement")
    assert kappa.value is None or kappa.low < 0.1
    agreed = named(found, "agreed_links", "all verifiers")
    assert agreed.value is None or agreed.value < 0.2


def test_agreement_of_one_verifier_could_not_be_measured():
    truth, scores = people(7, 60)
    kappa = named(measure_linkage(scores, truth, Context()), "verifier_agreement")
    assert kappa.value is None
    assert "raise the option verifiers" in kappa.note


def test_the_ensemble_is_the_headline():
    truth, scores = several(8, 60, noise=1.5, verifiers=8)
    found = measure_linkage(scores, truth, Context())
    alone = [named(found, "linked_excess", f"verifier {i}").value for i in range(1, 9)]
    assert named(found, "linked_excess").value > np.mean(alone) + 0.02


# ---- power --------------------------------------------------------------------------------------------------------


def copied(name, alteration, strength, recalled, n=40):
    same = np.where(np.arange(n) < recalled * n, 1.0, -7.0)
    return PairScores(name, same, np.full(n, -9.0), *[np.arange(n).astype(str)] * 2, alteration, strength)


def test_recall_is_reported_by_kind_and_strength_and_drawn():
    truth, scores = people(9, 20)
    kinds = tuple(copied(f"noise x{s:g}", "noise", s, r) for s, r in ((1.0, 0.5), (0.5, 0.9), (2.0, 0.1)))
    alone = copied("perturbed copies", "all at once", 1.0, 0.4)
    found = measure_linkage(replace(scores, power=(*scores.power, alone, *kinds)), truth, Context())
    assert {e.group: e.value for e in found.estimates if e.name == "verifier_recall"} == {
        "unseen patients": 1, "perturbed copies": 0.4, "noise x1": 0.5, "noise x0.5": 0.9, "noise x2": 0.1,
    }  # fmt: skip
    auc_of = [e.group for e in found.estimates if e.name == "verifier_auc"]
    assert auc_of == ["unseen patients", "perturbed copies", "noise x1"], "at the documented amounts"
    curve = next(p for p in found.plots if p.kind == "curve")
    assert [(s.label, s.x, s.y) for s in curve.series] == [("noise", (0.5, 1.0, 2.0), (0.9, 0.5, 0.1))]


def test_searches_for_unseen_patients_are_reported_with_their_chance():
    truth, scores = people(10, 20)
    patient = np.repeat(np.arange(10).astype(str), 3)
    similarity = np.where(patient[:, None] == patient, 1.0, 0.0).astype(np.float32)
    np.fill_diagonal(similarity, -np.inf)
    search = GalleryScores("unseen patients", similarity, patient, patient)
    found = measure_linkage(replace(scores, searches=(search,)), truth, Context())
    first = named(found, "verifier_precision@1", "unseen patients")
    assert (first.value, first.n) == (1, 30)
    assert first.null == pytest.approx(2 / 29), "one of the three is the query itself"
    assert "gallery of 29 images, R = 2" in first.note


def finding(measured):
    share = Estimate(name="detectable_share", group="exact", value=0.01, n=9, unit="image", worse="none")
    estimates = tuple(e.model_copy(update={"detectable": 0.01}) for e in measured.estimates)
    return Finding(
        plugin="siamese",
        kind="attack",
        family="reidentification",
        summary="",
        access="SAMPLES",
        status="invalid" if measured.invalid else "ok",
        estimates=(*estimates, share),
    )


def outcome(measured):
    rules = judge((finding(measured),)).rules
    return next(r for r in rules if r.name.startswith("reidentification"))


def test_nothing_linked_passes_with_power_on_real_pairs_and_not_without():
    truth, scores = people(11, 0, strangers=2000)
    assert outcome(measure_linkage(scores, truth, Context())).outcome == "pass"
    only_copies = replace(scores, power=(copied("noise", "noise", 1.0, 0.9),))
    rule = outcome(measure_linkage(only_copies, truth, Context()))
    assert rule.outcome == "inconclusive"
    assert "no reference patient has two images" in rule.reason


def test_nothing_linked_does_not_pass_where_real_pairs_rank_high_but_are_not_linked():
    truth, scores = people(11, 0, strangers=2000)
    ranked = PairScores("unseen patients", np.full(50, -4.0), np.full(50, -9.0), *[np.arange(50).astype(str)] * 2)
    copies = copied("noise", "noise", 1.0, 0.9)
    found = measure_linkage(replace(scores, power=(ranked, copies)), truth, Context())
    assert not found.invalid
    rule = outcome(found)
    assert rule.outcome == "inconclusive"
    assert "real pairs at the threshold" in rule.reason


def test_what_is_linked_is_linked_also_without_power_on_real_pairs():
    truth, scores = people(12, 60)
    only_copies = replace(scores, power=(copied("noise", "noise", 1.0, 0.9),))
    found = measure_linkage(only_copies, truth, Context())
    assert named(found, "verifier_auc", "real pairs").value is None
    assert outcome(found).outcome == "fail"


def test_constant_scores_are_invalid_and_no_number():
    truth, scores = people(13, 20)
    flat = PairScores("unseen patients", np.zeros(50), np.zeros(50), *[np.arange(50).astype(str)] * 2)
    constant = LinkageScores(np.zeros_like(scores.similarity), np.zeros_like(scores.strangers), (flat,))
    measured = measure_linkage(constant, truth, Context())
    assert "0.50, below 0.9" in measured.invalid
    assert outcome(measured).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"power": ()}, "shows no power"),
        ({"strangers": np.zeros((0, 4 * SIDE), np.float32)}, "no strangers"),
        ({"searches": (GalleryScores("s", np.zeros((2, 3), np.float32), np.array(["a"]), np.array(["a"])),)}, "shape"),
        ({"power": (copied("x", "", 1.0, 1.0, n=0),)}, "'x'"),
    ],
)
def test_scores_that_show_no_power_are_refused(change, words):
    truth, scores = people(14, 0)
    check_scores(scores, truth, "attack 'x'", "reidentification")
    broken = replace(scores, **change)
    for refused in (broken, replace(scores, verifiers=(scores, broken))):
        with pytest.raises(ValueError, match=words):
            check_scores(refused, truth, "attack 'x'", "reidentification")
