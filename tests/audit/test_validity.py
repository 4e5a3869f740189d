"""A comparison that is not fair is refused, one that is fair is not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats

from privbench.audit.checks import blind as check_blind
from privbench.audit.checks.blind import check_blind as ask_blind
from privbench.audit.checks.inputs import Comparison
from privbench.audit.checks.inputs import Tested as Answer
from privbench.audit.checks.shift import cramers_v, ks_distance
from privbench.audit.checks.validity import CHECKS, HEADER, VALIDITY_LEVEL, Check, check_comparison
from privbench.audit.context import Context
from privbench.audit.measures.measured import Truth
from privbench.audit.types import ImageSet, Split, concatenate
from privbench.cohorts.brain_sim import brain_sim

PER_SIDE = 30
SHIFT = tuple(c for c in CHECKS if c.name == "shift")


def with_pixels(images, pixels):
    return replace(images, pixels=np.clip(pixels, 0, 1).astype(np.float32))


def compared(split):
    """The candidates as the engine makes them, but in order: no check may go by it."""
    candidates = concatenate(split.members, split.holdout)
    member = np.arange(len(candidates)) < len(split.members)
    return Truth(candidates, member, candidates.patient, split.reference)


def check(split, seed=0, **more):
    return check_comparison(split, compared(split), Context(seed=seed, path=("check",)), **more)


def status(checked):
    return {finding.plugin: finding.status for finding in checked.findings}


def finding(checked, name):
    return next(f for f in checked.findings if f.plugin == name)


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    """Patients of one simulated hospital network, to be divided at will."""
    context = Context(seed=5, path=("cohort", "brain-sim"), folder=tmp_path_factory.mktemp("brains"))
    split = brain_sim(context, size=32, members=30, holdout=30, reference=40, public=0, reserve=0)
    return concatenate(*(part for _, part in split.parts()))


def divided(population, order):
    """The patients at ``order``, the first 30 being members, the next 30 holdout, the rest reference."""
    names = population.patients[order]
    cuts = names[:PER_SIDE], names[PER_SIDE : 2 * PER_SIDE], names[2 * PER_SIDE :]
    return Split(*(population.take(np.isin(population.patient, cut)) for cut in cuts))


def fair(population, seed=0):
    return divided(population, np.random.default_rng(seed).permutation(len(population.patients)))


def test_random_splits_of_one_population_pass(population):
    accused = []
    for seed in range(40):
        checked = check(fair(population, seed), seed)
        accused += [f.reason for f in checked.findings if f.status != "ok"]
        assert checked.confidential == ""
    # each fails with probability 1% at most: more than 3 of 40 do with probability 0.0007
    assert len(accused) <= 3, accused


def test_p_values_of_the_blind_baseline_are_uniform_on_fair_splits(population, monkeypatch):
    monkeypatch.setattr(check_blind, "PERMUTATIONS", 99)
    p_values = []
    for seed in range(60):
        split = fair(population, seed)
        (estimate,) = ask_blind(Comparison(split, compared(split), Context(seed=seed))).estimates
        p_values.append(estimate.p_value)
    spread = np.random.default_rng(0).uniform(0, 0.01, len(p_values))  # they are multiples of 1/100
    assert stats.kstest(np.array(p_values) - spread, "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    "scanner",
    [
        lambda pixels, rng: 1.25 * pixels,
        lambda pixels, rng: pixels + 0.04 * rng.standard_normal(pixels.shape),
        lambda pixels, rng: ndimage.gaussian_filter(pixels, (0, 0, 0.7, 0.7)),
    ],
    ids=["gain", "noise", "blur"],
)
def test_members_from_another_scanner_fail_the_blind_baseline(population, scanner):
    split = fair(population)
    pixels = scanner(split.members.pixels, np.random.default_rng(0))
    found = finding(check(replace(split, members=with_pixels(split.members, pixels))), "blind-baseline")
    assert found.status == "invalid"
    assert "at random" in found.reason
    (auc,) = found.estimates
    assert auc.low > auc.null
    assert auc.value > auc.detectable


def test_members_of_other_centres_fail_both(population):
    names, first = np.unique(population.patient, return_index=True)
    order = np.argsort(population.center[first], kind="stable")
    assert len(names) == len(order)
    checked = check(divided(population, order))
    assert status(checked)["shift"] == "invalid"
    assert status(checked)["blind-baseline"] == "invalid"
    assert "center differs" in finding(checked, "shift").reason


def shifted(split, **changes):
    return finding(check(replace(split, members=replace(split.members, **changes))), "shift")


def test_members_of_other_classes_or_visits_fail(population):
    split = fair(population)
    members = split.members
    assert "label differs" in shifted(split, label=np.ones_like(members.label)).reason
    assert "visit number differs" in shifted(split, visit=members.visit + 1).reason
    assert "examinations per patient differs" in shifted(split, visit=np.zeros_like(members.visit)).reason


def test_more_images_of_each_member_fail(population):
    split = fair(population)
    once = np.sort(np.unique(split.holdout.patient, return_index=True)[1])
    found = finding(check(replace(split, holdout=split.holdout.take(once))), "shift")
    assert "images per patient differs" in found.reason
    assert found.estimate("ks_distance", "images per patient").value == 1


def test_brighter_members_fail(population):
    split = fair(population)
    brighter = with_pixels(split.members, split.members.pixels + 0.1)
    found = finding(check(replace(split, members=brighter)), "shift")
    assert found.status == "invalid"
    assert "mean intensity differs" in found.reason


def test_differences_are_scipys():
    rng = np.random.default_rng(0)
    side = (np.arange(50) < 25).astype(float)
    category, value = rng.integers(0, 4, 50), rng.normal(size=50).round(1)
    table = [[np.sum((category == c) & (side == s)) for c in range(4)] for s in (1, 0)]
    v = cramers_v(side[None], 1 - side[None], np.eye(4)[category])[0]
    assert v == pytest.approx(stats.contingency.association(table, "cramer"), abs=1e-12)
    d = ks_distance(side[None], 1 - side[None], value)[0]
    assert d == pytest.approx(stats.ks_2samp(value[:25], value[25:]).statistic, abs=1e-12)


def test_every_estimate_of_a_shift_has_an_interval_and_a_null(population):
    found = finding(check(fair(population)), "shift")
    assert {e.group for e in found.estimates} >= {"center", "label", "mean intensity", "contrast"}
    for estimate in found.estimates:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1, estimate
        assert 0 < estimate.null < 1
        assert estimate.n == 2 * PER_SIDE
    assert "the same for all patients" in " ".join(found.notes)


def test_intervals_of_a_true_shift_cover_it():
    distance, covered = 0.4, 0
    for seed in range(40):
        levels = np.random.default_rng(seed).normal(size=120)
        levels[:60] += 2 * stats.norm.ppf((1 + distance) / 2)
        pixels = (0.5 + 0.05 * levels[:, None, None, None] * np.ones((1, 1, 2, 2))).astype(np.float32)
        images = ImageSet(pixels, np.array([f"p{i:03d}" for i in range(120)]))
        split = Split(images.take(slice(0, 60)), images.take(slice(60, 120)), ImageSet(pixels[:1], np.array(["r"])))
        (found,) = check(split, seed, checks=SHIFT).findings
        estimate = found.estimate("ks_distance", "mean intensity")
        covered += estimate.low <= distance <= estimate.high
    # 91% of such intervals do (docs/statistics.md); P(Bin(40, 0.91) < 30) = 0.0006
    assert covered >= 30


def test_the_same_seed_gives_the_same_answers(population):
    one, two = (check(fair(population), seed=3) for _ in range(2))
    assert [f.model_copy(update={"seconds": 0}) for f in one.findings] == [
        f.model_copy(update={"seconds": 0}) for f in two.findings
    ]


def test_the_order_of_candidates_does_not_matter(population):
    split = fair(population)
    truth = compared(split)
    order = np.random.default_rng(0).permutation(len(truth.member))
    mixed = Truth(truth.candidates.take(order), truth.member[order], truth.patient[order], truth.samples)
    (one,), (two,) = (check_comparison(split, t, Context(), SHIFT).findings for t in (truth, mixed))
    assert [e.p_value for e in one.estimates] == [e.p_value for e in two.estimates]


def test_a_check_that_crashes_is_a_finding_and_the_others_are_asked(population):
    def crash(comparison):
        raise ValueError("no luck\nat all")

    broken = Check("broken", "Does it work?", crash)
    checked = check(fair(population), checks=(broken, *CHECKS))
    assert checked.findings[0].status == "error"
    assert checked.findings[0].reason == "ValueError: no luck"
    assert [f.status for f in checked.findings[1:]] == ["ok"] * 4
    ((name, text),) = checked.tracebacks
    assert name == "broken"
    assert "in crash" in text


def test_p_values_are_corrected_over_all_checks(population):
    def asked(name, p_value):
        estimate = finding(check(fair(population)), "blind-baseline").estimates[0]
        changed = estimate.model_copy(update={"p_value": p_value, "group": name})
        return Check(name, "?", lambda _: Answer((changed,), (f"{name} differs",), advice="mend it"))

    # 0.006 is below the level alone, but not as the smallest of two
    first, second = check(fair(population), checks=(asked("a", 0.006), asked("b", 0.5))).findings
    assert (first.status, second.status) == ("ok", "ok")
    assert "0.012" in first.estimates[0].note
    (alone,) = check(fair(population), checks=(asked("a", 0.006),)).findings
    assert alone.status == "invalid"
    assert alone.reason == "a differs: mend it"
    assert VALIDITY_LEVEL == 0.01


def tiny(prefix, patients, shape, **more):
    rng = np.random.default_rng([*prefix.encode()])
    names = np.array([f"{prefix}{i}" for i in range(patients)])
    return ImageSet(rng.random((patients, *shape), dtype=np.float32), names, **more)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 12, 20), (1, 9, 10, 11), (1, 1, 2)])
@pytest.mark.parametrize("patients", [1, 12])
def test_any_shape_and_one_patient_are_answered(shape, patients):
    checked = check(Split(tiny("m", patients, shape), tiny("h", patients, shape), tiny("r", 1, shape)))
    assert not checked.tracebacks
    expected = "skipped" if patients == 1 else "ok"
    assert status(checked)["blind-baseline"] == expected
    assert status(checked)["shift"] == expected
    assert status(checked)["duplicates"] == "ok"
    if patients == 1:
        assert "too few" in finding(checked, "shift").reason


def test_constant_images_are_no_evidence():
    parts = [replace(tiny(role, 12, (1, 8, 8)), pixels=np.zeros((12, 1, 8, 8), np.float32)) for role in "mhr"]
    checked = check(Split(*parts))
    assert not checked.tracebacks
    assert status(checked)["duplicates"] == "skipped"
    assert status(checked)["blind-baseline"] == "ok"
    assert finding(checked, "shift").estimates == ()


def test_names_stay_out_of_findings_and_in_the_confidential_list(population):
    split = fair(population)
    names = split.holdout.patient.astype("U30")
    names[names == names[0]] = f" {split.members.patient[0].upper()} "
    pixels = split.members.pixels.copy()
    pixels[5] = split.holdout.pixels[9]
    checked = check(
        replace(split, holdout=replace(split.holdout, patient=names), members=with_pixels(split.members, pixels))
    )
    assert status(checked)["patient-overlap"] == "invalid"
    assert status(checked)["duplicates"] == "invalid"
    said = " ".join(f.model_dump_json() for f in checked.findings)
    assert not [name for name in population.patients if name in said.lower()]
    assert checked.confidential.startswith(HEADER)
    rows = checked.confidential.splitlines()[2:]
    assert any(row.startswith(f"patient-overlap,members,{split.members.patient[0]},,holdout,") for row in rows)
    assert f"duplicates,members,{split.members.patient[5]},5,holdout,{split.holdout.patient[9]},9,0,equal" in rows


def test_the_images_are_left_as_they_are(population):
    split = fair(population)
    before = split.members.pixels.copy()
    split.members.pixels.setflags(write=False)
    check(split)
    assert np.array_equal(before, split.members.pixels)
