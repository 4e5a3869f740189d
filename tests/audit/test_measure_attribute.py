"""What the engine makes of guesses: a known risk is found, with intervals that hold, and nobody is accused without."""

from dataclasses import replace

import numpy as np
import pytest

from privbench.audit.attributes import attribute_of
from privbench.audit.context import Context
from privbench.audit.contract import check_scores
from privbench.audit.measures.attribute import measure_attribute
from privbench.audit.measures.confidential import confidential_csv
from privbench.audit.measures.inferred_risk import Success
from privbench.audit.measures.measured import Truth
from privbench.audit.power.certificate import Depth
from privbench.audit.power.certify import certify_on_samples
from privbench.audit.types import AttributeGuesses, AttributeScores, ImageSet, Split, concatenate
from privbench.testing import World, release

SIDE, IMAGES = 100, 2
CONTEXT = Context(seed=1, path=("attack", "statistics"))


def truth_of(rng, classes=2, side=SIDE):
    patient = np.repeat([f"p{i:03d}" for i in range(2 * side)], IMAGES)
    label = np.repeat(rng.integers(0, classes, 2 * side), IMAGES)
    center = np.repeat(rng.permutation(np.array(["a", "b"])[np.arange(2 * side) % 2]), IMAGES)
    images = ImageSet(np.zeros((len(patient), 1, 2, 2), np.float32), patient, label=label, center=center)
    member = np.repeat(rng.permutation(2 * side) < side, IMAGES)
    return Truth(images, member, patient, images.take(slice(0, 0)))


def guessed(rng, truth, leak, easy=0.5, believed=0.02, name="label"):
    """A prior that is right of a share ``easy``; the release tells the truth of ``leak`` of the members, and anything
    of a few strangers."""
    true = attribute_of(truth.candidates, name)
    values = np.unique(true)
    _, owner = np.unique(truth.candidates.patient, return_inverse=True)
    n = owner.max() + 1
    wrong = values[(np.searchsorted(values, true) + 1) % len(values)]
    prior = np.where((rng.random(n) < easy)[owner], true, wrong)
    leaked = truth.member & (rng.random(n) < leak)[owner]
    chance = (rng.random(n) < believed)[owner]
    lucky = (rng.random(n) < 1 / len(values))[owner]
    guess = np.where(leaked | (chance & lucky), true, np.where(chance, wrong, prior))
    return AttributeGuesses(name, guess, prior, leaked | chance)


def figure(measured, group="", name="attribute_risk"):
    return next(e for e in measured.estimates if e.name == name and e.group == group)


def test_a_known_risk_is_found_and_intervals_hold_it():
    rng = np.random.default_rng(0)
    for leak in (0.0, 0.1, 0.5):
        held, values = 0, []
        for _ in range(200):
            truth = truth_of(rng)
            guesses = guessed(rng, truth, leak)
            success = _success(guesses, truth)
            member = truth.of_patients(truth.candidates.patients)[0]
            interval = success.interval(member, 0.95)
            held += interval.low <= leak <= interval.high
            values.append(success.risk(member))
            assert interval.low <= values[-1] <= interval.high
        assert held >= 183, leak  # fewer in one of 1,000 runs, were it 95%
        assert np.mean(values) == pytest.approx(leak, abs=0.015)


def _success(guesses, truth):
    true = attribute_of(truth.candidates, guesses.attribute)
    _, owner, images = np.unique(truth.candidates.patient, return_inverse=True, return_counts=True)
    shares = [np.bincount(owner, v) / images for v in (guesses.guess == true, guesses.prior == true)]
    told = [np.bincount(owner, v) / images for v in ((guesses.guess == true) & guesses.told, guesses.told)]
    return Success(*shares, *told)


def test_where_the_prior_says_nothing_of_the_guess_it_is_anonymeters_risk():
    rng = np.random.default_rng(3)
    member = np.arange(400) < 200
    right = (rng.random(400) < np.where(member, 0.7, 0.5)).astype(float)
    success = Success(right, np.full(400, 0.5))
    a, c = right[member].mean(), right[~member].mean()
    assert success.slope == pytest.approx(0.0, abs=0.02)
    assert success.risk(member) == pytest.approx((a - c) / (1 - c), abs=1e-12)


def test_the_adjustment_narrows_the_interval_and_keeps_the_expected_value():
    rng = np.random.default_rng(4)
    widths, plain = [], []
    for _ in range(40):
        truth = truth_of(rng)
        success = _success(guessed(rng, truth, 0.1), truth)
        member = truth.of_patients(truth.candidates.patients)[0]
        for found, one in ((widths, success), (plain, replace(success, prior=np.full(len(member), 0.5)))):
            interval = one.interval(member, 0.95)
            found.append(interval.high - interval.low)
    assert np.mean(widths) < 0.7 * np.mean(plain)


def test_p_values_of_a_release_that_tells_nothing_are_not_too_small():
    rng = np.random.default_rng(5)
    found = []
    for i in range(120):
        truth = truth_of(rng)
        scores = AttributeScores((guessed(rng, truth, 0.0), guessed(rng, truth, 0.0, name="center")))
        found.append(figure(measure_attribute(scores, truth, replace(CONTEXT, seed=i))).p_value)
    assert np.mean(np.array(found) < 0.05) <= 0.12  # 2.5 standard deviations above 5%


def test_the_worst_attribute_is_judged_with_a_correction_for_having_looked_at_several():
    rng = np.random.default_rng(6)
    truth = truth_of(rng)
    scores = AttributeScores((guessed(rng, truth, 0.0), guessed(rng, truth, 0.4, name="center")))
    measured = measure_attribute(scores, truth, CONTEXT)
    worst, label, center = (figure(measured, group) for group in ("", "label", "center"))
    assert worst.value == max(label.value, center.value) == center.value
    assert worst.note.startswith("centre: guessed right with the release")
    assert worst.high >= max(label.high, center.high)
    assert worst.low <= center.low
    assert worst.p_value == pytest.approx(0.002)  # the smallest of 999 permutations, twice
    alone = measure_attribute(AttributeScores(scores.guesses[1:]), truth, CONTEXT)
    assert figure(alone).p_value == pytest.approx(0.001)
    assert figure(alone).low == figure(alone, "center").low > worst.low


def test_the_power_stated_is_the_power_there_is():
    rng = np.random.default_rng(7)
    truth = truth_of(rng)
    member = truth.of_patients(truth.candidates.patients)[0]
    stated = float(np.mean([_success(guessed(rng, truth, 0.0), truth).detectable(member) for _ in range(20)]))
    caught = 0
    for i in range(100):
        truth = truth_of(rng)
        measured = measure_attribute(AttributeScores((guessed(rng, truth, stated),)), truth, replace(CONTEXT, seed=i))
        caught += figure(measured).p_value <= 0.05
    assert 65 <= caught <= 95


def test_a_centre_is_not_held_fixed_where_it_is_what_is_asked():
    """Members of one centre, holdout of the other: exchanges within centres would leave nothing to exchange."""
    rng = np.random.default_rng(8)
    truth = truth_of(rng)
    center = np.where(truth.member, "a", "b")
    truth = replace(truth, candidates=replace(truth.candidates, center=center))
    guesses = AttributeGuesses("center", center.copy(), rng.permutation(center), np.ones(len(center), bool))
    wrong = guesses.guess.copy()
    wrong[~truth.member] = "a"
    measured = measure_attribute(AttributeScores((replace(guesses, guess=wrong),)), truth, CONTEXT)
    assert figure(measured, "center").p_value == pytest.approx(0.001)


def test_what_cannot_be_measured_is_no_number_and_says_why():
    rng = np.random.default_rng(9)
    few = truth_of(rng, side=6)
    measured = measure_attribute(AttributeScores((guessed(rng, few, 0.5),)), few, CONTEXT)
    assert figure(measured).value is None
    assert figure(measured).note == "class: 6 patients on one side, at least 10 needed"
    truth = truth_of(rng)
    guesses = guessed(rng, truth, 0.5)
    one = replace(truth, candidates=replace(truth.candidates, label=np.zeros(len(truth.member), np.int64)))
    assert "one class" in figure(measure_attribute(AttributeScores((guesses,)), one, CONTEXT)).note
    none = replace(truth, candidates=replace(truth.candidates, label=None))
    assert (
        figure(measure_attribute(AttributeScores((guesses,)), none, CONTEXT)).note == "class: the candidates have none"
    )
    known = measure_attribute(AttributeScores((guessed(rng, truth, 0.0, easy=0.95),)), truth, CONTEXT)
    assert figure(known).value is None
    assert "hardly hidden" in figure(known).note
    assert figure(known, "label").value is not None


def test_the_owner_of_the_data_sees_every_guess_and_nobody_else_a_name():
    rng = np.random.default_rng(10)
    truth = truth_of(rng)
    scores = AttributeScores((guessed(rng, truth, 0.5),))
    text = confidential_csv(scores, truth).splitlines()
    assert text[1] == "patient,member,label,label_guess,label_prior"
    assert len(text) == 2 + len(truth.patient)
    assert not any("p0" in e.note + e.group for e in measure_attribute(scores, truth, CONTEXT).estimates)


def test_broken_guesses_are_refused():
    rng = np.random.default_rng(11)
    truth = truth_of(rng)
    good = guessed(rng, truth, 0.0)
    check_scores(AttributeScores((good,)), truth, "attack", "attribute")
    for broken, said in (
        ((), "guessed \\[\\]"),
        ((good, good), "once"),
        ((replace(good, attribute="age"),), "'age'"),
        ((replace(good, guess=good.guess[:-1]),), "guesses are"),
        ((replace(good, guess=good.guess.astype(float)),), "not of the kind"),
        ((replace(good, told=good.told.astype(int)),), "bool"),
        ((replace(good, edges=(0.2, 0.1)),), "do not rise"),
    ):
        with pytest.raises(ValueError, match=said):
            check_scores(AttributeScores(broken), truth, "attack", "attribute")
    with pytest.raises(ValueError, match="unknown attribute 'age'; attributes: label, center, mask"):
        attribute_of(truth.candidates, "age")


def told_by_copies(split: Split, truth: Truth):
    """An attacker who recognises exact copies, and knows nothing else."""
    candidates = concatenate(split.members, split.holdout)

    def attack(samples, asked, _):
        assert asked.label is None
        assert asked.mask is None
        flat = samples.pixels.reshape(len(samples), -1)
        where = {row.tobytes(): i for i, row in enumerate(flat)}
        found = np.array([where.get(row.tobytes(), -1) for row in asked.pixels.reshape(len(asked), -1)])
        owner = np.unique(asked.patient, return_inverse=True)[1]
        copy = np.full(owner.max() + 1, -1)
        np.maximum.at(copy, owner, found)
        image = copy[owner]
        prior = np.arange(len(asked)) // 8 % 2
        guess = np.where(image >= 0, samples.label[image], prior)
        return AttributeScores((AttributeGuesses("label", guess, prior, image >= 0),))

    member = np.arange(len(candidates)) < len(split.members)
    return attack, replace(truth, candidates=candidates, member=member, patient=candidates.patient)


def test_the_certificate_says_what_direct_audits_say():
    world = World(patients=40, reference=8, reserve=120, visible=False)
    split = world.split(3)
    samples = replace(release(split, 0.0, 3, n=200), mask=None)
    attack, truth = told_by_copies(split, Truth(samples, np.zeros(0, bool), samples.patient, samples))
    depth = Depth(each=48, divisions=400, audits=300, shares=(), draws=1, known=0.0, overfitted=False)
    found = certify_on_samples(attack, "attribute", truth, split, depth, CONTEXT)
    exact = next(e for e in found.estimates if e.group == "exact")
    assert exact.value is not None
    curve = next(s for s in found.plots[0].series if s.label == "exact")
    rng = np.random.default_rng(0)
    count = round(curve.x[np.searchsorted(curve.y, 0.3)] * len(samples))
    caught, audits = 0, 60
    patients = truth.candidates.patients
    for i in range(audits):
        chosen = rng.permutation(len(patients))[: len(patients) // 2]
        division = np.isin(truth.candidates.patient, patients[chosen])
        copied = [rng.choice(np.flatnonzero(truth.candidates.patient == patients[p])) for p in chosen[:count]]
        planted = replace(truth.candidates.take(np.array(copied)), mask=None, visit=None, source=None)
        kept = replace(samples.take(rng.permutation(len(samples))[: len(samples) - count]), source=None)
        released = concatenate(kept, planted)
        audited = replace(truth, member=division, samples=released)
        asked = replace(truth.candidates, label=None, mask=None, center=None, visit=None)
        scores = attack(released, asked, None)
        caught += figure(measure_attribute(scores, audited, replace(CONTEXT, seed=i))).p_value <= 0.05
    expected = curve.y[curve.x.index(count / len(samples))]
    assert abs(caught / audits - expected) < 0.2
