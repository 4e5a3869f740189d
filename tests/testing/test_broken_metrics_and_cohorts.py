"""Deliberately broken metrics and cohorts: each is caught by the check that is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import privbench as pb
from privbench.testing import (
    ConformanceError,
    check_cohort,
    check_metric,
    cohort_checks,
    metric_checks,
)


def assert_caught(checks, name, seen):
    """The check of that name fails and says ``seen``."""
    with pytest.raises(ConformanceError, match=seen) as error:
        dict(checks)[name]()
    assert [failure.check for failure in error.value.failures] == [name]


# --- metrics


def metric(change=lambda estimate: estimate, worse="higher", before=lambda samples, context: None):
    """The distance of mean intensities, with an interval, changed."""

    @pb.metric()
    def made(samples: pb.ImageSet, split: pb.Split, context: pb.Context) -> pb.Measurement:
        """How far the mean pixel is off."""
        before(samples, context)
        each = np.abs(samples.pixels - split.holdout.pixels.mean(axis=0)).mean(axis=(1, 2, 3))
        reach = 2 * float(each.std()) / len(each) ** 0.5
        value = float(each.mean())
        estimate = pb.Estimate(
            name="off",
            value=value,
            low=value - reach,
            high=value + reach,
            null=0.0,
            n=len(each),
            unit="image",
            worse=worse,
        )
        return pb.Measurement(estimates=(change(estimate),))

    return made


def test_the_metric_that_is_broken_below_is_fine_otherwise():
    check_metric(metric())


@pytest.mark.parametrize(
    ("update", "seen"),
    [
        ({"low": None, "high": None}, "has no interval"),
        ({"low": 5.0, "high": 6.0}, "lies outside its interval"),
        ({"null": None}, "has no null"),
        ({"n": 0}, "rests on n = 0"),
        ({"value": None}, "neither a value nor a note"),
    ],
)
def test_an_incomplete_estimate(update, seen):
    broken = metric(lambda estimate: estimate.model_copy(update=update))
    assert_caught(metric_checks(broken), "returns estimates with value, n, interval and null", seen)


def test_a_metric_that_drifts():
    calls = []

    def drift(estimate):
        calls.append(0)
        return estimate.model_copy(update={"value": estimate.value + 1e-6 * len(calls)})

    assert_caught(metric_checks(metric(drift)), "gives the same numbers under the same seed", "different results")


def test_a_metric_of_the_wrong_sign():
    assert_caught(metric_checks(metric(worse="lower")), "does not prefer noise to real images", "of pure noise is")


def test_a_metric_that_writes_or_draws():
    def write(samples, context):
        samples.pixels[:] = 0

    def draw(samples, context):
        np.random.rand()  # noqa: NPY002

    assert_caught(metric_checks(metric(before=write)), "leaves its inputs alone", "changed its input: samples")
    assert_caught(metric_checks(metric(before=draw)), "touches no global generator", r"numpy\.random")


def test_a_metric_that_cannot_run_is_skipped_not_passed():
    import unittest

    def absent(samples, context):
        raise pb.SkippedError("needs weights")

    with pytest.raises(unittest.SkipTest, match="needs weights"):
        check_metric(metric(before=absent))


# --- cohorts


def cohort(change):
    """Random pictures, changed: ``change(parts, context)`` gets images by part."""

    @pb.cohort(simulated=True)
    def made(context: pb.Context) -> pb.Split:
        """Random pictures."""
        parts = {}
        for role in ("members", "holdout", "reference"):
            pixels = context.rng(role).random((8, 1, 8, 8), dtype=np.float32)
            names = np.repeat([f"{role}-{i}" for i in range(4)], 2)
            parts[role] = pb.ImageSet(pixels, names, center=np.repeat(["a", "b"], 4), label=np.arange(8) // 4)
        change(parts, context)
        return pb.Split(**parts)

    return made


def test_the_cohort_that_is_broken_below_is_fine_otherwise():
    check_cohort(cohort(lambda parts, context: None))


def test_a_cohort_that_changes_between_calls():
    calls = []

    def change(parts, context):
        calls.append(0)
        parts["holdout"] = replace(parts["holdout"], pixels=parts["holdout"].pixels / np.float32(len(calls)))

    checks = cohort_checks(cohort(change))
    assert_caught(checks, "gives the same split under the same seed", "other images came: holdout")


def test_a_cohort_of_global_randomness():
    def change(parts, context):
        parts["holdout"] = parts["holdout"].take(np.random.permutation(8))  # noqa: NPY002

    assert_caught(cohort_checks(cohort(change)), "gives the same split under the same seed", "holdout")
    assert_caught(cohort_checks(cohort(change)), "touches no global generator", r"numpy\.random")


def rename(part, to):
    def change(parts, context):
        patient = parts[part].patient.astype("U20")
        patient[:2] = to
        parts[part] = replace(parts[part], patient=patient)

    return change


def doubled(parts, context):
    pixels = parts["holdout"].pixels.copy()
    pixels[3] = parts["members"].pixels[5]
    parts["holdout"] = replace(parts["holdout"], pixels=pixels)


def too_bright(parts, context):
    parts["members"] = replace(parts["members"], pixels=parts["members"].pixels * 2)


def unlabelled(parts, context):
    parts["holdout"] = replace(parts["holdout"], label=None)


def wandering(parts, context):
    parts["members"] = replace(parts["members"], center=np.tile(["a", "b"], 4))


def smaller(parts, context):
    parts["reference"] = replace(parts["reference"], pixels=parts["reference"].pixels[:, :, 1:])


def littering(parts, context):
    (context.folder.parent / "privbench-litter.txt").write_text("x")
    Path(context.folder.parent / "privbench-litter.txt").unlink()


@pytest.mark.parametrize(
    ("change", "check", "seen"),
    [
        (rename("holdout", "members-0"), "gives a split disjoint by patient", "both 'members' and 'holdout'"),
        (rename("holdout", " MEMBERS-0"), "gives a split disjoint by patient", "both 'members' and 'holdout'"),
        (doubled, "shows no image under two patients", "1 images are shown under two patients"),
        (too_bright, "gives images of one shape, finite and in [0, 1]", r"not in \[0, 1\]"),
        (smaller, "gives images of one shape, finite and in [0, 1]", "of shapes"),
        (unlabelled, "knows the same of every part", "label is known of members, reference, but not of holdout"),
        (wandering, "keeps a patient at one centre", "4 patients are at more than one centre"),
        (littering, "writes only into its folder", "privbench-litter"),
    ],
)
def test_a_broken_cohort(change, check, seen):
    assert_caught(cohort_checks(cohort(change)), check, seen)
