"""What the engine makes of scores: known leaks are measured as what they are, fresh patients are not accused."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from privbench.audit.context import Context
from privbench.audit.measures.linkage import measure_linkage
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.membership import measure_membership
from privbench.audit.measures.memorization import measure_memorization
from privbench.audit.types import (
    ImageSet,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    PairScores,
    Ranking,
    SpaceDistances,
)

PER_SIDE, IMAGES, DIMENSIONS = 60, 2, 16


def images(patient, source=None):
    pixels = np.zeros((len(patient), 1, 1, 1), dtype=np.float32)
    return ImageSet(pixels, np.asarray(patient), source=None if source is None else np.asarray(source))


def world(seed, leak, samples=200):
    """Patients as points, their images near them; released points are fresh draws but for a share of copies."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(2 * PER_SIDE, DIMENSIONS))
    owner = np.repeat(np.arange(2 * PER_SIDE), IMAGES)
    points = centers[owner] + rng.normal(0, 0.3, (len(owner), DIMENSIONS))
    member = owner < PER_SIDE
    released = rng.normal(size=(samples, DIMENSIONS)) + rng.normal(0, 0.3, (samples, DIMENSIONS))
    copies = round(leak * samples)
    copied = rng.choice(np.flatnonzero(member), copies, replace=False)
    released[:copies] = points[copied]
    source = np.full(samples, "", dtype="U16")
    names = np.array([f"p{i:03d}" for i in range(2 * PER_SIDE)])
    source[:copies] = names[owner[copied]]
    order = rng.permutation(len(owner))
    truth = Truth(
        images(names[owner[order]]), member[order], names[owner[order]], images(np.arange(samples).astype(str), source)
    )
    return truth, points[order], owner[order], names, released


def distances(points, owner, names, released, scale=1.0):
    to, among = (cdist(queries, points) * scale for queries in (released, points))
    own = names[owner]
    return SpaceDistances("pixels", names, Ranking.of(to, own), Ranking.of(among, own, own, ranks=128))


def memorization(seed, leak, extra_space=False):
    truth, points, owner, names, released = world(seed, leak)
    space = distances(points, owner, names, released)
    spaces = (space,)
    if extra_space:
        rng = np.random.default_rng(99)
        own = names[owner]
        to, among = (rng.uniform(1, 2, (n, len(own))) for n in (len(released), len(own)))
        noise = SpaceDistances("noise", names, Ranking.of(to, own), Ranking.of(among, own, own, ranks=128))
        spaces = (noise, space)
    return measure_memorization(MemorizationScores(spaces), truth, Context(seed=seed))


def named(measured, name, group=""):
    return next(e for e in measured.estimates if e.name == name and e.group == group)


@pytest.mark.parametrize("extra_space", [False, True])
def test_the_copied_share_is_what_was_copied(extra_space):
    found = named(memorization(0, 0.2, extra_space), "copied_share")
    assert found.low <= 0.2 <= found.high
    assert found.value == pytest.approx(0.2, abs=0.02)
    assert found.p_value <= 0.005


def test_exact_copies_are_counted_exactly_and_flagged():
    measured = memorization(1, 0.1)
    exact = named(measured, "exact_copies")
    assert exact.value == pytest.approx(20 / 200)
    assert exact.null == 0
    assert measured.flagged[:20].all()


def test_exposed_patients_are_those_who_were_copied():
    found = named(memorization(2, 0.2), "exposed_patients")
    assert found.unit == "patient"
    assert found.low > 0.1


def test_fresh_patients_are_not_accused():
    p_values = np.array([named(memorization(seed, 0.0), "copied_share").p_value for seed in range(16)])
    lows = [named(memorization(seed, 0.0), "copied_share").low for seed in range(4)]
    # uniform p-values: of 16 draws more than 3 lie below 0.05 with probability 0.007
    assert (p_values < 0.05).sum() <= 3
    assert max(lows) <= 0.02


def test_scores_do_not_depend_on_the_unit_of_distance():
    truth, points, owner, names, released = world(3, 0.1)
    one, thousand = (
        measure_memorization(MemorizationScores((distances(points, owner, names, released, scale),)), truth, Context())
        for scale in (1.0, 1000.0)
    )
    assert named(one, "copied_share") == named(thousand, "copied_share")


def test_exchanging_members_and_holdout_turns_the_sign():
    truth, points, owner, names, released = world(4, 0.2)
    turned = Truth(truth.candidates, ~truth.member, truth.patient, truth.samples)
    scores = MemorizationScores((distances(points, owner, names, released),))
    found = named(measure_memorization(scores, turned, Context()), "copied_share")
    assert found.high < 0


def membership(shift, seed=0, n=80):
    rng = np.random.default_rng(seed)
    names = np.repeat([f"p{i:03d}" for i in range(2 * n)], 2)
    member = np.repeat(np.arange(2 * n) < n, 2)
    score = np.repeat(rng.normal(0, 1, 2 * n), 2) + rng.normal(0, 0.2, 4 * n) + shift * member
    truth = Truth(images(names), member, names, images(["s"]))
    return measure_membership(MembershipScores(score), truth, Context(seed=seed))


def test_membership_is_found_where_members_score_higher():
    auc = named(membership(1.0), "auc")
    assert auc.low > 0.6
    assert auc.unit == "patient"
    assert auc.n == 160
    assert named(membership(1.0), "tpr@fpr=0.1").value > 0.2


def test_scores_that_are_lower_for_members_are_a_leak_too():
    auc = named(membership(-1.0), "auc")
    assert auc.high < 0.4
    assert auc.worse == "both"


def test_scores_without_membership_give_one_half():
    auc = named(membership(0.0), "auc")
    assert auc.low < 0.5 < auc.high


def test_a_rate_that_the_holdout_cannot_resolve_is_no_number():
    unresolved = named(membership(1.0), "tpr@fpr=0.001")
    assert unresolved.value is None
    assert "not resolvable" in unresolved.note


def linkage(leak, power=True, seed=0):
    truth, points, _, _, released = world(seed, leak)
    rng = np.random.default_rng(seed)
    similarity = -cdist(released, points).astype(np.float32)
    a, b = rng.normal(size=(2, 4000, DIMENSIONS)) * np.sqrt(1.09)
    same = a + rng.normal(0, 0.3 * np.sqrt(2), a.shape)
    impostor = -np.linalg.norm(a - b, axis=1)
    strangers = -cdist(b[:200], points).astype(np.float32)
    genuine = -np.linalg.norm(a - same, axis=1)[:300] if power else impostor[:300]
    owners = np.arange(300).astype(str)
    pairs = PairScores("unseen patients", genuine, impostor[300:600], owners, owners)
    return measure_linkage(LinkageScores(similarity, strangers, (pairs,)), truth, Context(seed=seed))


def test_linked_images_are_counted_beyond_the_control():
    measured = linkage(0.2)
    found = named(measured, "linked_excess")
    assert found.low <= 0.2 <= found.high + 0.02
    assert found.p_value <= 0.005
    assert named(measured, "linked_patients").low > 0.05
    assert named(measured, "map@r_lift").low > 5
    # (1/2) (2/120) (1 + (1 + 1/119) / 2)
    assert named(measured, "map@r").null == pytest.approx(1.504 / (PER_SIDE * IMAGES), rel=0.001)


def test_a_verifier_without_power_gives_no_finding():
    measured = linkage(0.2, power=False)
    assert "below 0.9" in measured.invalid
    assert {e.name for e in measured.estimates} == {"verifier_auc"}


def test_a_verifier_that_ranks_pairs_but_misses_copies_in_a_gallery_gives_no_finding():
    truth, points, _, _, released = world(0, 0.2)
    owners = np.arange(100).astype(str)
    # real pairs lie above impostor pairs, but strangers find something still more alike in the gallery
    pairs = PairScores("unseen patients", np.full(100, 0.6), np.full(100, 0.4), owners, owners)
    strangers = np.full((50, len(points)), 0.9, dtype=np.float32)
    scores = LinkageScores(-cdist(released, points).astype(np.float32), strangers, (pairs,))
    measured = measure_linkage(scores, truth, Context())
    assert "hardly a real pair" in measured.invalid
    assert {e.name for e in measured.estimates} == {"verifier_auc", "verifier_recall"}


def test_fresh_images_are_not_linked():
    found = named(linkage(0.0), "linked_excess")
    assert found.low < 0 < found.high
    unknown = named(linkage(0.0), "map@r")
    assert unknown.value is None
