"""One number a patient and attack, and the strongest attack of each family from them."""

import numpy as np
import pytest

from privbench.audit.context import Context
from privbench.audit.measures.exposure import exposures, load_exposures, save_exposures, strongest_attacks
from privbench.audit.measures.measured import Truth
from privbench.audit.types import (
    ImageSet,
    LinkageScores,
    MembershipScores,
    MemorizationScores,
    Ranking,
    SpaceDistances,
)

PATIENTS = np.array([f"candidate-{i:03d}" for i in range(40)])
MEMBER = np.arange(40) % 2 == 0


@pytest.fixture
def truth():
    twice = np.repeat(PATIENTS, 2)
    candidates = ImageSet(np.zeros((80, 1, 4, 4), np.float32), twice)
    return Truth(candidates, np.repeat(MEMBER, 2), twice, candidates.take(slice(0, 5)))


def test_a_patient_counts_by_the_image_that_points_at_him_most(truth):
    score = np.arange(80.0)
    (found,) = exposures(MembershipScores(score), truth).values()
    np.testing.assert_array_equal(found, score[1::2])
    similarity = np.random.default_rng(0).random((5, 80), np.float32)
    (found,) = exposures(LinkageScores(similarity, similarity[:1], ()), truth).values()
    np.testing.assert_allclose(found, similarity.reshape(5, 40, 2).max(axis=(0, 2)))


def test_a_memorization_attack_counts_space_by_space_by_the_closest_image(truth):
    distance = np.random.default_rng(1).random((5, 40)).astype(np.float32)
    spaces = tuple(
        SpaceDistances(name, PATIENTS, Ranking.of(each, PATIENTS, ranks=ranks), Ranking.of(each, PATIENTS))
        for name, each, ranks in (("pixels", distance, 40), ("aligned", 2 * distance, 3))
    )
    found = exposures(MemorizationScores(spaces), truth)
    np.testing.assert_allclose(found["pixels"], -distance.min(axis=0))
    near = np.zeros(40, dtype=bool)
    near[spaces[1].samples.patient] = True
    assert 0 < near.sum() < 40
    assert set(np.unique(found["aligned"][~near])) == {found["aligned"][near].min()}, (
        "no image comes near: all tie last"
    )
    assert (found["aligned"][near] <= 0).all()


def test_what_was_saved_carries_the_attacks_name_and_space(truth, tmp_path):
    save_exposures(MembershipScores(np.arange(80.0)), truth, tmp_path)
    (name,) = load_exposures(tmp_path, "loss")
    assert name == "loss"


def test_of_many_attacks_the_one_that_tells_members_is_named(truth):
    rng = np.random.default_rng(2)
    useless = {f"a{i}": rng.normal(size=40) for i in range(6)}
    scores = {"membership": useless | {"telling": rng.normal(size=40) - 3 * MEMBER}, "memorization": useless}
    found, luck = strongest_attacks(scores, truth, Context(seed=1))
    assert (found.family, found.attack, found.inverted) == ("membership", "telling", True)
    assert found.auc.low > 0.5
    assert found.auc.n == 20
    assert len(found.tried) == 7
    assert luck.auc.low < 0.5, "the best of six useless ones is useless on other patients"


def test_of_one_attack_only_the_direction_is_chosen(truth):
    low = np.random.default_rng(3).normal(size=40) - 3 * MEMBER
    (found,) = strongest_attacks({"reidentification": {"siamese": low}}, truth, Context())
    assert (found.attack, found.inverted, found.tried) == ("siamese", True, ("siamese",))
    assert found.auc.low > 0.5


def test_where_nothing_was_measured_nothing_was_chosen(truth):
    assert strongest_attacks({}, truth, Context()) == ()
