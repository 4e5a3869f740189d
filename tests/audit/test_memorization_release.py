"""Who is exposed how strongly, and how many images may be published."""

from math import comb

import numpy as np
import pytest

from privbench.audit.measures.memorization_copies import Hits
from privbench.audit.measures.memorization_patients import copies_by_patient, exposed, most_copies, tail, tail_plot
from privbench.audit.measures.memorization_release import (
    chance_of_exposure,
    release_curve,
    release_plot,
    release_size,
    release_sizes,
)

from .made_memorization import context

MEMBER = np.arange(40) < 20


def copied(members, holdout=()):
    """Copies of the first members and of the first holdout patients."""
    copies = np.zeros(40, int)
    copies[: len(members)] = members
    copies[20 : 20 + len(holdout)] = holdout
    return copies


def test_copies_are_counted_by_the_patient_they_show():
    hits = Hits(
        to_member=np.array([1.0, 2.0, 0.0, 1.0]),
        to_holdout=np.array([0.0, 1.0, 0.0, 0.0]),
        member_patient=np.array([3, 3, 5, 1], np.int32),
        holdout_patient=np.array([21, 22, 23, -1], np.int32),
    )
    found = copies_by_patient(hits, 40)
    assert {i: int(found[i]) for i in np.flatnonzero(found)} == {1: 1, 3: 2, 22: 1}


def test_patients_are_counted_at_each_level_and_compared_with_holdout():
    copies = copied([12, 5, 2, 1], [2, 1])
    assert tail(copies, MEMBER).tolist() == [2.0, 2.0, 2.0, 1.0, 10.0]
    null = np.zeros((99, 5))
    found = {e.group: e for e in exposed(copies, MEMBER, null, 0.95)}
    assert [e.value * 20 for e in found.values()] == pytest.approx([2, 2, 2, 1])
    assert found["at least 5 copies"].note == "2 of 20 member patients, 0 of 20 holdout patients"
    assert all(e.p_value == 0.01 and e.low <= e.value <= e.high for e in found.values())
    most = most_copies(copies, MEMBER, np.full(99, 2.0), 50, np.zeros(99), 0.95)
    assert (most.value, most.null, most.p_value) == (12.0, 2.0, 0.01)
    assert most.low < 12 < most.high < 50


def test_the_curve_of_patients_falls_from_those_with_any_copy_to_none():
    plot = tail_plot(copied([12, 5, 2, 1], [2, 1]), MEMBER)
    ours, theirs = plot.series
    assert (plot.kind, ours.x[0], ours.x[-1]) == ("curve", 1.0, 13.0)
    assert (ours.y[0], ours.y[-1]) == (4 / 20, 0.0)
    assert theirs.y[0] == 2 / 20
    assert list(ours.y) == sorted(ours.y, reverse=True)


def test_the_chance_of_exposure_is_counted_over_all_choices():
    sizes = np.arange(1, 13)
    found = chance_of_exposure(np.array([0, 1, 4]), 12, sizes)
    for row, c in zip(found, (0, 1, 4), strict=True):
        expected = [1 - comb(12 - c, k) / comb(12, k) for k in range(1, 13)]
        assert row == pytest.approx(expected, abs=1e-12)


def test_expected_patients_are_what_random_releases_expose():
    images, copies = 30, copied([6, 3, 1, 1], [2])
    curve = release_curve(copies, MEMBER, images, context())
    shows = np.append(np.repeat(np.arange(40), copies), np.full(images - copies.sum(), -1))
    rng = np.random.default_rng(0)
    for size in (2, 10, 30):
        drawn = [np.unique(rng.choice(shows, size, replace=False)) for _ in range(4000)]
        excess = np.mean([((d >= 0) & (d < 20)).sum() - (d >= 20).sum() for d in drawn])
        assert curve.excess[curve.sizes == size][0] == pytest.approx(excess, abs=0.06)
    assert curve.excess[-1] == pytest.approx(3)


def test_sizes_reach_from_one_image_to_all_and_no_further():
    for images in (1, 2, 37, 20_000):
        sizes = release_sizes(images)
        assert (sizes[0], sizes[-1]) == (1, images)
        assert (np.diff(sizes) > 0).all()
        assert len(sizes) <= 145


def test_more_may_be_published_of_a_release_with_fewer_copies():
    few, many = (
        release_size(release_curve(copied(c), MEMBER, 200, context()), 0.95) for c in ([1, 1], [9, 8, 7, 6, 5, 4, 3, 2])
    )
    assert many.value < few.value <= 200
    assert few.unit == "image"
    curve = release_curve(copied([9, 8, 7, 6, 5, 4, 3, 2]), MEMBER, 200, context())
    assert curve.high[curve.sizes == many.value][0] < 1
    assert curve.high[np.searchsorted(curve.sizes, many.value) + 1] >= 1


def test_where_one_image_may_expose_a_patient_there_is_no_number():
    copies = np.where(MEMBER, 1, 0)  # 20 released images, each of another member
    found = release_size(release_curve(copies, MEMBER, 20, context()), 0.95)
    assert found.value is None
    assert "a single image" in found.note


def test_without_any_copy_there_is_no_bound_and_no_number_and_the_answer_rests_on_power():
    found = release_size(release_curve(copied([], [3]), MEMBER, 50, context()), 0.95)
    assert found.value is None
    assert "no copy was found among all 50 images" in found.note
    assert "smallest leak" in found.note


def test_as_many_copies_of_holdout_patients_are_said_to_be_chance():
    found = release_size(release_curve(copied([2, 1, 1, 1], [1, 1, 2, 1]), MEMBER, 100, context()), 0.95)
    assert "may be chance" in found.note


def test_the_interval_holds_the_expectation_and_is_drawn():
    curve = release_curve(copied([6, 3, 1, 1], [2]), MEMBER, 100, context())
    assert (curve.low <= curve.excess).all()
    assert (curve.excess <= curve.high).all()
    plot = release_plot(curve)
    assert [s.label for s in plot.series] == ["beyond holdout", "lower bound", "upper bound"]
    assert plot.series[0].x[-1] == 100
