"""Power is what it is: planted leaks are noticed where an attack sees them, and nowhere else."""

import numpy as np
import pytest
from scipy.stats import norm

from privbench.audit.context import Context
from privbench.audit.measures.measured import Truth
from privbench.audit.power.certificate import DEPTHS, Depth, certificate_of, certified, depth_of
from privbench.audit.power.curve import PowerCurve, effective
from privbench.audit.power.planting import KINDS, Planted, plant
from privbench.audit.power.simulated_audits import by_counting, by_overfitting, by_running
from privbench.audit.record import Estimate, Finding
from privbench.audit.types import ImageSet, MembershipScores, concatenate

SIDE, N = 40, 200  # patients of either side, released images
QUICK = Depth(each=40, divisions=200, audits=100, shares=(0.4, 0.2, 0.1, 0.05), draws=3, known=0.1, overfitted=False)


def people(n, seed, images=2, masks=True, centers=2):
    rng = np.random.default_rng(seed)
    own = np.repeat(np.arange(n), images)
    pixels = rng.random((n, 1, 12, 12))[own] * 0.8 + 0.1 + 0.02 * rng.standard_normal((len(own), 1, 12, 12))
    mask = np.zeros((len(own), 12, 12), np.uint8)
    mask[:, 4:8, 4:8] = 1
    return ImageSet(
        np.clip(pixels, 0, 1).astype(np.float32),
        np.array([f"p{seed}-{i:03d}" for i in own]),
        label=own % 2,
        mask=mask if masks else None,
        center=np.array([f"c{i % centers}" for i in own]),
    )


@pytest.fixture(scope="module")
def truth():
    candidates = people(2 * SIDE, 1)
    samples = people(N, 2, images=1)
    return Truth(candidates, np.arange(len(candidates)) < 2 * SIDE, candidates.patient, samples)


@pytest.fixture(scope="module")
def planted(truth):
    return plant(truth.candidates, people(10, 3), truth.samples, 40, Context())


def test_every_kind_is_planted_and_its_owners_are_known(truth, planted):
    assert list(dict.fromkeys(planted.kind.tolist())) == list(KINDS)
    shown = planted.owners.sum(axis=1)
    assert (shown[planted.kind == "mixture"] == 2).all()
    assert (shown[planted.kind != "mixture"] == 1).all()
    patients = truth.candidates.patients
    for row in np.flatnonzero(planted.kind == "exact"):
        own = truth.candidates.patient == patients[planted.owners[row].argmax()]
        assert (truth.candidates.pixels[own] == planted.images.pixels[row]).all(axis=(1, 2, 3)).any()
    for row in np.flatnonzero(planted.kind == "mixture"):
        first, second = (truth.candidates.pixels[truth.candidates.patient == p] for p in patients[planted.owners[row]])
        gap = np.abs(first[:, None] + second[None] - 2 * planted.images.pixels[row]).max(axis=(2, 3, 4))
        assert gap.min() < 1e-6


def test_planted_copies_are_from_as_many_patients_as_there_are(planted):
    owners = planted.owners[planted.kind == "noise"]
    assert owners.any(axis=0).sum() == 40
    assert planted.owners.shape[1] == 2 * SIDE


def test_planted_copies_carry_no_field_that_released_images_lack(truth):
    bare = ImageSet(truth.samples.pixels, truth.samples.patient)
    found = plant(truth.candidates, people(10, 3), bare, 10, Context())
    assert (found.images.mask, found.images.label, found.images.center) == (None, None, None)
    assert not set(found.images.patient) & set(truth.candidates.patient)


def test_without_masks_no_lesion_is_planted(truth):
    maskless = people(20, 1, masks=False)
    found = plant(maskless, people(10, 3), truth.samples, 10, Context())
    assert set(found.kind) == set(KINDS) - {"foreground", "turned"}


def test_planting_is_the_same_under_the_same_seed(truth, planted):
    again = plant(truth.candidates, people(10, 3), truth.samples, 40, Context())
    other = plant(truth.candidates, people(10, 3), truth.samples, 40, Context(seed=1))
    assert (again.images.pixels == planted.images.pixels).all()
    assert not np.array_equal(other.images.pixels, planted.images.pixels)


# ---- simulated audits -------------------------------------------------------------------------------------------


def sees(truth, planted, *, share=1.0, noise=0.0, leaking=0):
    """Evidence of an attack that recognises a share of the planted copies, and false matches at a rate of ``noise``."""
    rng = np.random.default_rng(0)
    seen = np.arange(len(planted.kind)) * share % 1 < share  # of every kind the same share
    owners = np.concatenate([np.zeros((N, 2 * SIDE), bool), planted.owners & seen[:, None]])
    owners[np.arange(leaking), np.arange(leaking) % SIDE] = True  # the real release copies real members
    false = rng.random((N + len(planted.kind), 2 * SIDE)) < noise / (2 * SIDE)

    def recognise(division):
        hits = owners | false
        return 2.0 * (hits & division).any(axis=1), 2.0 * (hits & ~division).any(axis=1)

    return recognise


def test_five_perfect_copies_are_the_fewest_that_chance_does_not_explain(truth, planted):
    curves = by_counting(sees(truth, planted), truth, planted, QUICK, Context())
    for kind in ("exact", "noise"):
        value, low, high = curves[kind].smallest(0.95)
        # k copies all land on one side in a share 2^-k of the divisions: below 5% from k = 5 on
        assert 4 / N <= value <= 6 / N
        assert low <= value <= high


def test_power_agrees_with_theory_where_false_matches_blur_the_count(truth, planted):
    curve = by_counting(sees(truth, planted, noise=0.1), truth, planted, QUICK, Context())["exact"]
    at = int(np.abs(curve.share - 0.05).argmin())
    k, background = curve.share[at] * N, 0.1 * N  # images that match one side only
    critical = norm.ppf(0.95) * np.sqrt(background + k)
    assert curve.power[at] == pytest.approx(norm.cdf((k - critical) / np.sqrt(background)), abs=0.15)


def test_a_blind_attack_detects_nothing_at_any_share(truth, planted):
    curves = by_counting(sees(truth, planted, share=0.0, noise=0.1), truth, planted, QUICK, Context())
    assert all(curve.smallest(0.95)[0] is None for curve in curves.values())
    assert np.mean([curve.power.mean() for curve in curves.values()]) < 0.08, "at most its level"


def test_a_release_that_leaks_does_not_make_a_blind_attack_look_powerful(truth, planted):
    recognise = sees(truth, planted, share=0.0, noise=0.05, leaking=100)
    curves = by_counting(recognise, truth, planted, QUICK, Context())
    assert all(curve.smallest(0.95)[0] is None for curve in curves.values())


def test_an_attack_that_sees_half_of_the_copies_needs_twice_as_many(truth, planted):
    all_of, half = (
        by_counting(sees(truth, planted, share=s, noise=0.03), truth, planted, QUICK, Context())["exact"].smallest(0.95)
        for s in (1.0, 0.5)
    )
    assert 1.4 < half[0] / all_of[0] < 3


def nearest_sample(truth):
    real = truth.candidates.pixels.reshape(len(truth.candidates), -1).astype(float)

    def attack(samples):
        released = samples.pixels.reshape(len(samples), -1)
        return MembershipScores(-np.linalg.norm(real[:, None] - released[None], axis=2).min(axis=1))

    return attack


def test_a_membership_attack_is_certified_by_running_it_on_planted_leaks(truth, planted):
    runs = []
    attack = nearest_sample(truth)

    def counted(samples):
        runs.append(len(samples))
        return attack(samples)

    curves = by_running(counted, truth, planted, QUICK, Context())
    assert set(runs) == {N}, "planted images replace released ones"
    exact = curves["exact"].smallest(0.95)[0]
    assert exact is not None
    assert exact < 0.2
    assert curves["exact"].power[-1] > 0.9


def test_a_membership_attack_that_guesses_detects_nothing(truth, planted):
    rng = np.random.default_rng(5)

    def guess(_):
        return MembershipScores(rng.random(len(truth.candidates)))

    curves = by_running(guess, truth, planted, QUICK, Context())
    assert all(curve.smallest(0.95)[0] is None for curve in curves.values())
    assert np.mean([curve.power.mean() for curve in curves.values()]) < 0.1


def test_an_attack_on_an_overfitted_model_is_certified_by_its_scores():
    rng = np.random.default_rng(0)
    known = np.arange(60) < 20
    told, guessed = rng.normal(size=60) + 4 * known, rng.normal(size=60)
    value, low, high = by_overfitting(told, known, (80, 80), Context())["overfitted"].smallest(0.95)
    # shifting a share p of the members to the far right moves the AUC to 0.5 + p/2: 0.63 is found with 80 a side
    assert 0.1 < low <= value
    assert value < 0.4
    assert high is None or value <= high
    assert by_overfitting(guessed, known, (80, 80), Context())["overfitted"].smallest(0.95)[0] is None


def test_a_model_overfitted_to_few_patients_says_less_than_one_overfitted_to_many():
    def width(n, seed):
        known = np.arange(3 * n) < n
        score = np.random.default_rng([n, seed]).normal(size=3 * n) + 1.5 * known
        _, low, high = by_overfitting(score, known, (132, 132), Context(seed=seed))["overfitted"].smallest(0.95)
        return (1.0 if high is None else high) - (1.0 if low is None else low)

    few, many = (np.mean([width(n, seed) for seed in range(3)]) for n in (8, 200))
    assert few > 2 * many


def test_simulated_audits_are_the_same_under_the_same_seed(truth, planted):
    first, again = (by_counting(sees(truth, planted), truth, planted, QUICK, Context(seed=3)) for _ in range(2))
    assert all((first[kind].power == again[kind].power).all() for kind in first)


# ---- power curves -----------------------------------------------------------------------------------------------


def curve(power, audits=200):
    shares = np.linspace(0.05, 0.4, len(power))
    return PowerCurve(shares, np.array(power, dtype=float), np.full(len(power), float(audits)))


def test_the_smallest_share_is_where_power_crosses_80_percent():
    value, low, high = curve([0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.0, 1.0]).smallest(0.95)
    assert value == pytest.approx(0.2)
    assert low < value < high


def test_no_share_is_named_where_power_never_gets_there():
    assert curve([0.1, 0.3, 0.5, 0.7]).smallest(0.95) == (None, None, None)
    value, low, high = curve([0.1, 0.3, 0.5, 0.7], audits=20).smallest(0.95)
    assert (value, high) == (None, None), "not even if more audits might show that it does"
    assert 0.2 < low < 0.4


def test_a_dip_by_chance_does_not_make_the_curve_fall():
    smooth, dipped = curve([0.2, 0.5, 0.9, 0.9, 1.0]), curve([0.2, 0.5, 0.95, 0.85, 1.0])
    assert dipped.smallest(0.95)[0] == pytest.approx(smooth.smallest(0.95)[0], abs=0.01)


def test_the_interval_holds_the_truth_in_most_repetitions():
    shares = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
    truth = norm.cdf((shares - 0.1) / 0.06)
    target = np.interp(0.8, truth, shares)
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        seen = rng.binomial(100, truth) / 100
        _, low, high = PowerCurve(shares, seen, np.full(len(shares), 100.0)).smallest(0.95)
        held += (low or 0) <= target <= (high or 1)
    assert held / 300 > 0.93


def test_audits_that_share_a_draw_count_less():
    rng = np.random.default_rng(0)
    alone = (rng.random((5, 40, 50)) < 0.6).astype(float)
    together = np.repeat((rng.random((5, 40, 1)) < 0.6).astype(float), 50, axis=2)
    assert effective(alone) == pytest.approx(2000, rel=0.2)
    assert effective(together) == pytest.approx(40, rel=0.05)


# ---- the certificate in a finding -------------------------------------------------------------------------------


def finding(*estimates):
    return Finding(
        plugin="nearest",
        kind="attack",
        family="memorization",
        summary="",
        access="SAMPLES",
        status="ok",
        estimates=estimates,
    )


def share(name="copied_share", group=""):
    return Estimate(
        name=name, group=group, value=0.0, low=-0.01, high=0.01, null=0.0, n=9, unit="image", worse="higher"
    )


def test_a_share_detects_what_the_worse_of_the_faithful_copies_needs():
    certificate = certificate_of({"exact": curve([0.9, 1.0]), "noise": curve([0.3, 1.0])}, "image", 0.95)
    found = certified(finding(share(), share(group="pixels")), certificate)
    by_kind = {e.group: e for e in found.estimates if e.name == "detectable_share"}
    assert found.estimate("copied_share").detectable == by_kind["noise"].value > by_kind["exact"].value
    assert found.estimate("copied_share", "pixels").detectable is None
    assert [s.label for s in found.plots[0].series] == ["exact", "noise"]


def test_a_kind_that_is_never_detected_says_up_to_which_share():
    certificate = certificate_of({"exact": curve([0.9, 1.0]), "noise": curve([0.1, 0.2])}, "image", 0.95)
    unseen = certificate.estimates[1]
    assert (unseen.value, unseen.low, unseen.high) == (None, None, None)
    assert unseen.note == "not detected up to 40% of the released images"
    assert certified(finding(share()), certificate).estimate("copied_share").detectable is None


@pytest.mark.parametrize(
    ("asked", "budget", "depth"),
    [(None, "quick", "light"), (None, "standard", "thorough"), ("none", "full", "none"), ("light", "full", "light")],
)
def test_the_depth_follows_the_budget_unless_asked_for(asked, budget, depth):
    assert depth_of(asked, budget) == depth
    assert depth == "none" or depth in DEPTHS


def test_planted_and_released_images_can_be_searched_together(truth, planted):
    assert len(concatenate(truth.samples, planted.images)) == N + len(planted.kind)
    assert isinstance(planted, Planted)
