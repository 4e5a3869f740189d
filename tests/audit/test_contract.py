"""What a plugin hands over is checked before anything is made of it."""

from dataclasses import replace

import numpy as np
import pytest

from privbench.audit.contract import check_scores
from privbench.audit.measures.measured import Truth
from privbench.audit.types import ImageSet, MembershipScores, MemorizationScores, Ranking, SpaceDistances

PATIENTS = np.array(["a", "b", "c"])


def images(patient):
    return ImageSet(np.zeros((len(patient), 1, 2, 2), np.float32), np.asarray(patient))


@pytest.fixture
def truth():
    candidates = images(["c", "a", "b", "a"])
    return Truth(candidates, np.array([True, False, True, False]), candidates.patient, images(["s", "t"]))


def ranked(queries, owner, own=None):
    """Rankings of points on a line."""
    points = np.arange(len(owner)) ** 2.0
    return Ranking.of(np.abs(np.asarray(queries)[:, None] - points), np.asarray(owner), own)


@pytest.fixture
def space(truth):
    own = truth.candidates.patient
    return SpaceDistances("pixels", PATIENTS, ranked([1.2, 7], own), ranked([0, 1, 4, 9], own, own))


def test_sound_scores_are_accepted(truth, space):
    check_scores(MembershipScores(np.arange(4.0)), truth, "attack 'x'", "membership")
    check_scores(MemorizationScores((space,)), truth, "attack 'x'", "memorization")


def test_scores_of_another_family_are_refused(truth):
    with pytest.raises(TypeError, match="declares family memorization but returned MembershipScores"):
        check_scores(MembershipScores(np.arange(4.0)), truth, "attack 'x'", "memorization")


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (np.arange(3.0), r"of shape \(3,\), not \(4,\)"),
        (np.array([0, 1, np.nan, 2]), "not numbers"),
        (np.array([0, 1, -np.inf, 2]), "infinite"),
    ],
)
def test_scores_that_are_none_are_refused(truth, score, said):
    with pytest.raises(ValueError, match=said):
        check_scores(MembershipScores(score), truth, "attack 'x'", "membership")


def test_a_sibling_image_is_no_neighbour(truth, space):
    near = replace(space, candidates=ranked([0, 1, 4, 9], truth.candidates.patient))
    with pytest.raises(ValueError, match="own patient is among its neighbours"):
        check_scores(MemorizationScores((near,)), truth, "attack 'x'", "memorization")


def test_who_is_left_out_of_a_ranking_leaves_a_gap_at_its_end(truth, space):
    assert np.array_equal(space.candidates.patient[0], [0, 1, -1])
    assert np.array_equal(space.candidates.image[0], [1, 2, -1])
    assert np.array_equal(space.candidates.distance[0], [1, 4, np.inf])


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("distance", [[0, 1, np.inf]] * 2, "does not hold the 3 nearest of 3 patients"),
        ("distance", [[2, 1, 3]] * 2, "not in the order of their distances"),
        ("distance", [[0, np.nan, 3]] * 2, "not numbers"),
        ("distance", [[0, 1]] * 2, r"of shape \(2, 2\), not \(2, 3\)"),
        ("patient", [[0, 0, 2]] * 2, "names one patient twice"),
        ("patient", [[0, -1, 2]] * 2, "does not hold the 3 nearest"),
        ("patient", [[0.0, 1.0, 2.0]] * 2, "not int32"),
        ("image", [[0, 1, 2]] * 2, "not one of the patient it stands for"),
        ("image", [[4, 4, 4]] * 2, "not one of the patient it stands for"),
    ],
)
def test_a_ranking_that_is_none_is_refused(truth, space, field, value, said):
    array = np.asarray(value)
    array = array.astype(np.float32) if field == "distance" else array
    array = array.astype(np.int32) if array.dtype == int else array
    wrong = replace(space, samples=replace(space.samples, **{field: array}))
    with pytest.raises(ValueError, match=said):
        check_scores(MemorizationScores((wrong,)), truth, "attack 'x'", "memorization")


def test_cells_are_numbers_of_samples_and_candidates(truth, space):
    sound = replace(space, cells=(np.arange(2), np.arange(4)))
    check_scores(MemorizationScores((sound,)), truth, "attack 'x'", "memorization")
    for cells in ((np.arange(4), np.arange(2)), (np.arange(2) - 1, np.arange(4)), (np.ones(2), np.ones(4))):
        with pytest.raises(ValueError, match="its cells are not one number"):
            check_scores(MemorizationScores((replace(space, cells=cells),)), truth, "attack 'x'", "memorization")


def test_columns_in_another_order_are_refused(truth, space):
    turned = replace(space, patients=PATIENTS[::-1])
    with pytest.raises(ValueError, match="not the candidate patients in sorted order"):
        check_scores(MemorizationScores((turned,)), truth, "attack 'x'", "memorization")
