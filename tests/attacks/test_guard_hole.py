"""Who lies in a hole of a guarded release, and would the audit notice holes?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from privbench.attacks.guard_hole import guard_hole
from privbench.audit.closest import clearance, closest, metric_of, poses_of
from privbench.audit.context import Auxiliary, Context
from privbench.audit.errors import BadInputError, SkippedError
from privbench.audit.measures.measured import Truth
from privbench.audit.measures.membership import measure_membership
from privbench.audit.plugin import attack
from privbench.audit.power.certificate import DEPTHS
from privbench.audit.power.certify import certify_on_samples
from privbench.audit.power.simulated_guards import Guarded
from privbench.audit.record import GuardCertificate
from privbench.audit.target import Target
from privbench.audit.types import ImageSet, MembershipScores, Split, concatenate
from privbench.testing import check_attack

PATIENTS, DIM, RELEASED = 100, 8, 6000


def certificate(tau=0.1, shift=0, *, mirror=False, metric=None):
    return GuardCertificate(
        guard="min-distance",
        metric=metric or metric_of(shift, mirror=mirror),
        tau=tau,
        tau_from="given",
        closest=tau,
        members=1,
        members_sha256="",
        released=1,
        drawn=1,
        rejected=0,
        rounds=1,
    )


def points(prefix, n, rng):
    """Gaussian points as images of eight pixels: people, or what a perfect generator releases."""
    values = 0.5 + 0.1 * rng.standard_normal((n, 1, 2, DIM // 2)).astype(np.float32)
    return ImageSet(values, np.array([f"{prefix}{i:05d}" for i in range(n)]))


def flat(images):
    return images.pixels.reshape(len(images), -1).astype(np.float64)


@pytest.fixture(scope="module", params=[0, 1])
def toy(request):
    """A perfect generator before and after a guard with tau at the 5% quantile of holdout distances."""
    rng = np.random.default_rng(request.param)
    members, holdout, reference = (points(name, PATIENTS, rng) for name in "mhr")
    tau = float(np.quantile(cdist(flat(holdout), flat(members)).min(1), 0.05)) / DIM**0.5
    drawn = points("s", 3 * RELEASED, rng)
    far = closest(drawn, members, shift=0, mirror=False) >= tau
    guarded = drawn.take(np.flatnonzero(far)[:RELEASED])
    candidates = concatenate(members, holdout)
    aux = Auxiliary(reference, None, Context(seed=1))
    member = np.arange(2 * PATIENTS) < PATIENTS
    return candidates, member, guarded, drawn.take(slice(0, RELEASED)), tau, aux


def test_members_of_a_guarded_perfect_generator_are_found_in_their_holes(toy):
    candidates, member, guarded, _, tau, aux = toy
    score = guard_hole(Target(guarded, guarded=certificate(tau)), candidates, aux).score
    assert 0.62 < roc_auc_score(member, score) < 0.9, "nearer = member has 0.12 to 0.32 in METHODS' toy"
    assert score[member].min() >= tau * (1 - 1e-9)
    truth = Truth(candidates, member, candidates.patient, guarded)
    assert measure_membership(MembershipScores(score), truth, Context()).estimates[0].low > 0.5


def test_without_a_guard_a_perfect_generator_has_no_holes(toy):
    candidates, member, _, drawn, _, aux = toy
    score = guard_hole(Target(drawn, guarded=certificate(0.0)), candidates, aux).score
    assert abs(roc_auc_score(member, score) - 0.5) < 4 * 0.041  # sd of U for 100 and 100


def test_a_generator_that_crowds_around_members_behind_its_guard_is_found_by_the_other_side(toy):
    candidates, member, _, _, _, aux = toy
    rng = np.random.default_rng(0)
    step = rng.standard_normal((PATIENTS, 1, 2, DIM // 2)).astype(np.float32)
    step *= 0.03 / np.sqrt(np.square(step).mean((1, 2, 3), keepdims=True))
    near = replace(candidates.take(member), pixels=candidates.pixels[member] + step)
    score = guard_hole(Target(near, guarded=certificate(0.029)), candidates, aux).score
    truth = Truth(candidates, member, candidates.patient, near)
    found = measure_membership(MembershipScores(score), truth, Context())
    assert found.estimates[0].high < 0.2
    assert any("this is a leak too" in note for note in found.notes)


def test_its_certificate_says_from_which_share_of_members_holes_are_noticed(toy):
    candidates, member, guarded, drawn, tau, aux = toy
    split = Split(candidates.take(member), candidates.take(~member), aux.reference)

    def certified(samples, statement):
        def attack(images, questions, _):
            return guard_hole(Target(images), questions, aux)

        def behind(images):
            return guard_hole(Target(images, guarded=statement), candidates, aux).score

        truth = Truth(candidates, member, candidates.patient, samples)
        guard = Guarded(statement, behind)
        return certify_on_samples(attack, "membership", truth, split, DEPTHS["light"], Context(), guard)

    found = certified(guarded, certificate(tau))
    (hole,) = found.estimates
    assert (hole.name, hole.group, hole.unit) == ("detectable_share", "hole", "patient")
    assert 0.1 < hole.value <= 1
    assert [plot.x_label for plot in found.plots] == ["share of member patients in holes"]
    (never,) = certified(drawn.take(slice(0, 150)), certificate(tau)).estimates
    assert never.value is None, "where images are few, a hole has no edges"
    with pytest.raises(SkippedError, match="was not guarded"):
        certified(guarded, certificate(metric="darkness"))


def test_an_unguarded_release_has_nothing_to_look_for(toy):
    candidates, _, guarded, _, _, aux = toy
    with pytest.raises(SkippedError, match="the release was not guarded"):
        guard_hole(Target(guarded), candidates, aux)


def test_an_empty_release_is_refused(toy):
    candidates, _, guarded, _, _, aux = toy
    with pytest.raises(BadInputError, match="release at least one image"):
        guard_hole(Target(guarded.take(slice(0, 0)), guarded=certificate()), candidates, aux)


def test_a_metric_that_nobody_knows_is_replaced_and_said(toy):
    candidates, _, guarded, _, _, aux = toy
    known = guard_hole(Target(guarded, guarded=certificate()), candidates, aux)
    other = guard_hole(Target(guarded, guarded=certificate(metric="darkness")), candidates, aux)
    assert np.array_equal(known.score, other.score)
    assert not known.notes
    assert "the guard's own metric is not known" in other.notes[0]


def test_distances_are_the_guards_own_seen_from_the_members(make_patients):
    members, samples = make_patients("m", 6), make_patients("s", 9)
    ours = clearance(members, samples, shift=2, mirror=True, block=4)
    theirs = closest(samples, members, shift=2, mirror=True)
    assert ours.min() == pytest.approx(theirs.min(), rel=1e-12)
    inner = samples.pixels[..., 2:-2, 2:-2].astype(np.float64)
    for image, distance in zip(members.pixels.astype(np.float64), ours, strict=True):
        moved = [
            flipped[..., y : y + 28, x : x + 28]
            for flipped in (image, image[..., ::-1])
            for y in range(5)
            for x in range(5)
        ]
        expected = min(np.sqrt(np.square(inner - pose).mean((1, 2, 3))).min() for pose in moved)
        assert distance == pytest.approx(expected, rel=1e-9)


def test_a_patient_is_as_far_as_the_closest_of_their_images(make_patients):
    candidates, samples = make_patients("m", 5, images=3), make_patients("s", 7)
    found = guard_hole(
        Target(samples, guarded=certificate()), candidates, Auxiliary(make_patients("r", 8), None, Context())
    ).score.reshape(5, 3)
    distance = cdist(flat(candidates), flat(samples)).min(1).reshape(5, 3) / 32
    np.testing.assert_allclose(found, np.repeat(distance.min(1, keepdims=True), 3, axis=1), rtol=1e-6)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("shift", [0, 1, 8])
def test_a_metric_is_read_back_from_its_words(shift, mirror):
    assert poses_of(metric_of(shift, mirror=mirror)) == (shift, mirror)
    assert poses_of("another one") is None


@attack(family="membership")
def behind_a_guard(target: Target, candidates: ImageSet, aux: Auxiliary) -> MembershipScores:
    """Guard-hole, where every release was guarded."""
    return guard_hole(replace(target, guarded=certificate(shift=1, mirror=True)), candidates, aux)


def test_it_keeps_the_contract():
    upside_down = "far is member-like: no copy passes a guard"
    check_attack(behind_a_guard, seeds=12, leave_out={"does not score a candidate lower for its copy": upside_down})
