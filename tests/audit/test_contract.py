"""What a plugin hands over is checked before anything is made of it."""

from dataclasses import replace

import numpy as np
import pytest

from privbench.audit.contract import check_scores
from privbench.audit.measured import Truth
from privbench.audit.types import ImageSet, MembershipScores, MemorizationScores, SpaceDistances

PATIENTS = np.array(["a", "b", "c"])


def images(patient):
    return ImageSet(np.zeros((len(patient), 1, 2, 2), np.float32), np.asarray(patient))


@pytest.fixture
def truth():
    candidates = images(["c", "a", "b", "a"])
    return Truth(candidates, np.array([True, False, True, False]), candidates.patient, images(["s", "t"]))


@pytest.fixture
def space():
    among = np.ones((4, 3), np.float32)
    among[np.arange(4), [2, 0, 1, 0]] = np.inf
    return SpaceDistances("pixels", PATIENTS, np.ones((2, 3), np.float32), among)


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
    near = replace(space, candidates=np.ones((4, 3), np.float32))
    with pytest.raises(ValueError, match="own patient is not at distance inf"):
        check_scores(MemorizationScores((near,)), truth, "attack 'x'", "memorization")


def test_columns_in_another_order_are_refused(truth, space):
    turned = replace(space, patients=PATIENTS[::-1])
    with pytest.raises(ValueError, match="not the candidate patients in sorted order"):
        check_scores(MemorizationScores((turned,)), truth, "attack 'x'", "memorization")
