"""Several verifiers together, what they are tried on, and real images of unseen people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from privbench.attacks.ensemble import Ensemble, averaged
from privbench.attacks.siamese import siamese
from privbench.attacks.verifier import Verifier
from privbench.attacks.verifier_power import KINDS, STRENGTHS, power_of
from privbench.audit.context import Auxiliary, Context
from privbench.audit.measures.linkage import measure_linkage
from privbench.audit.measures.measured import Truth
from privbench.audit.statistics.retrieval import Searches
from privbench.audit.statistics.stats import roc_auc
from privbench.audit.target import Target
from privbench.audit.types import ImageSet, concatenate
from privbench.cohorts.nifti import nifti
from privbench.testing import attack_checks
from privbench.testing.memory import peak_bytes

KEPT = (
    "returns valid scores of its family",
    "ignores the order and names of candidates",
    "scores each sample on its own",
    "needs memory for pairs, not for pairs times pixels",
)
HIPPOCAMPUS = Path(__file__).parents[2].parent / "shared" / "data" / "hippocampus"


@pytest.fixture(autouse=True)
def seeded_torch():
    with torch.random.fork_rng():
        yield


@pytest.fixture(scope="module")
def people(make_patients) -> ImageSet:
    images = make_patients("u", 10, images=3)
    return replace(images, visit=np.tile([1, 1, 2], 10))


@pytest.fixture(scope="module")
def ensemble(people) -> Ensemble:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = [Verifier(1, 8).eval() for _ in range(3)]
    return Ensemble.of(networks, people, "cpu")


# ---- several as one -----------------------------------------------------------------------------------------------


def test_each_verifier_is_brought_to_the_scale_of_pairs_of_two_patients(ensemble, people):
    vectors = ensemble.vectors(people.pixels)
    different = people.patient[:, None] != people.patient[None]
    for scores, verifier in zip(ensemble.each(vectors, vectors), ensemble.verifiers, strict=True):
        assert scores[different].mean() == pytest.approx(0, abs=1e-4)
        assert scores[different].std() == pytest.approx(1, abs=1e-4)
        raw = verifier.scores(people.pixels, people.pixels, "cpu")
        assert np.corrcoef(raw.ravel(), scores.ravel())[0, 1] == pytest.approx(1, abs=1e-6)


def test_together_they_are_their_mean(ensemble, people):
    vectors = ensemble.vectors(people.pixels)
    each = ensemble.each(vectors, vectors)
    before = [s.copy() for s in each]
    np.testing.assert_allclose(averaged(each), np.mean(before, axis=0), atol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(each, before, strict=True)), "and stay as they are"
    assert averaged(each[:1]) is each[0]


def test_an_image_is_scored_the_same_whoever_else_is_scored(ensemble, people):
    vectors = ensemble.vectors(people.pixels)
    whole = averaged(ensemble.each(vectors, vectors))
    part = averaged(ensemble.each(ensemble.vectors(people.pixels[4:7]), vectors))
    np.testing.assert_allclose(part, whole[4:7], atol=1e-5)


def test_scores_need_memory_for_pairs_alone():
    network = Verifier(1, 8)
    vectors = torch.rand(2000, 128)
    network.compared(vectors[:8], vectors)
    pairs = 4 * 2000 * 2000
    assert peak_bytes(lambda: network.compared(vectors, vectors)) < 2 * pairs, (
        "and 128 times that where |a - b| is kept"
    )


def test_several_verifiers_link_together_and_each_says_what_it_would_link(make_patients):
    candidates = concatenate(make_patients("m", 6), make_patients("h", 6))
    target = Target(candidates.take(slice(0, 6)))
    aux = Auxiliary(make_patients("r", 16), None, Context(seed=5))
    alone, three = (siamese(target, candidates, aux, steps=4, width=8, verifiers=n) for n in (1, 3))
    assert (alone.verifiers, len(three.verifiers)) == ((), 3)
    assert np.array_equal(alone.similarity, three.verifiers[0].similarity), "the first is the one that stood alone"
    np.testing.assert_allclose(three.similarity, np.mean([v.similarity for v in three.verifiers], axis=0), atol=1e-5)
    np.testing.assert_allclose(three.strangers, np.mean([v.strangers for v in three.verifiers], axis=0), atol=1e-5)
    first, second, third = (v.similarity for v in three.verifiers)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)
    for own, shared in zip(three.verifiers, (three.power[0],) * 3, strict=True):
        assert own.power[0].name == shared.name
        assert np.array_equal(own.power[0].same_patient, shared.same_patient)
    assert "3 verifiers" in three.notes[0]


def test_several_verifiers_keep_the_contract_of_one():
    checks = dict(attack_checks(siamese, steps=4, width=8, verifiers=3))
    for name in KEPT:
        checks[name]()


# ---- what they are tried on ---------------------------------------------------------------------------------------


def test_power_is_shown_on_real_pairs_first_then_across_visits_then_on_copies(ensemble, people):
    shown = power_of(ensemble, people, Context())
    names = [p.name for p in shown.pairs]
    assert names[:3] == ["unseen patients", "across visits", "perturbed copies"]
    assert [p.alteration for p in shown.pairs[:2]] == ["", ""]
    assert len(shown.pairs[0].same) == 30
    assert len(shown.pairs[1].same) == 20, "of three pairs a patient two are across visits"
    assert {(p.alteration, p.strength) for p in shown.pairs[3:]} == {(k, s) for k in KINDS for s in STRENGTHS}
    assert all(len(p.same) == 30 for p in shown.pairs[2:])
    assert [p.name for p in shown.each] == ["unseen patients"] * 3


def test_a_search_does_not_find_the_query_itself_and_across_visits_not_its_own_visit(ensemble, people):
    searches = {s.name: s for s in power_of(ensemble, people, Context()).searches}
    hidden = np.isneginf(searches["unseen patients"].similarity)
    assert np.array_equal(hidden, np.eye(30, dtype=bool))
    same = people.patient[:, None] == people.patient
    at_once = people.visit[:, None] == people.visit
    assert np.array_equal(np.isneginf(searches["across visits"].similarity), same & at_once)
    found, _ = Searches.of(searches["across visits"])
    assert found.relevant.tolist() == [1, 1, 2] * 10
    assert not np.isneginf(searches["noise"].similarity).any(), "a copy may find its original"


def test_the_more_noise_the_less_a_copy_resembles_its_original(ensemble, people):
    pairs = {p.strength: p.same.mean() for p in power_of(ensemble, people, Context()).pairs if p.alteration == "noise"}
    assert pairs[0.5] > pairs[1.0] > pairs[2.0]


def test_without_visits_nothing_is_claimed_of_them(make_patients):
    candidates = make_patients("c", 4)
    aux = Auxiliary(make_patients("r", 12), None, Context())
    scores = siamese(Target(candidates), candidates, aux, steps=2, width=8)
    assert "across visits" not in {p.name for p in scores.power}
    assert sum("no examinations are stated" in note for note in scores.notes) == 1


# ---- real images --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason="the hippocampus volumes are not on this machine")
def test_real_mri_of_unseen_volumes_is_recognised_and_copies_are_linked(tmp_path):
    context = Context(path=("cohort", "nifti"), folder=tmp_path)
    split = nifti(context, path=HIPPOCAMPUS, slices=3, members=0.1, holdout=0.1, reference=0.65, reserve=0.15)
    candidates = concatenate(split.members, split.holdout)
    member = np.isin(candidates.patient, split.members.patients)
    leaking = concatenate(split.members.take(slice(0, 30)), split.reserve.take(slice(0, 30)))
    aux = Auxiliary(split.reference, None, Context(seed=1))
    scores = siamese(Target(leaking), candidates, aux, steps=100)
    real = scores.power[0]
    assert real.name == "unseen patients"
    assert roc_auc(real.same, real.different) > 0.9
    own = leaking.patient[:30, None] == candidates.patient
    assert np.mean(own[np.arange(30), scores.similarity[:30].argmax(axis=1)]) == 1, "a copy finds its volume"
    found = measure_linkage(scores, Truth(candidates, member, candidates.patient, leaking), Context())
    linked = next(e for e in found.estimates if e.name == "linked_excess" and not e.group)
    assert linked.low > 0.2, "half of the images are copies"
    assert not found.invalid
