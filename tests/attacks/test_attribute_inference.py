"""Attributes that no image shows are read off released copies, and off nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from privbench.attacks.attribute_inference import attribute_inference
from privbench.attacks.inference import Matches, Near, closeness, nearest_image, told_by_looks
from privbench.audit.attributes import attribute_of, lesion_area
from privbench.audit.candidates import without_attributes
from privbench.audit.checks.features import image_features
from privbench.audit.context import Auxiliary, Context
from privbench.audit.errors import SkippedError
from privbench.audit.measures.attribute import measure_attribute
from privbench.audit.measures.measured import Truth
from privbench.audit.power.alteration import altered
from privbench.audit.target import Target
from privbench.audit.types import ImageSet, Split, concatenate
from privbench.testing import World, release

CONTEXT = Context(seed=5, path=("attack", "attribute-inference"))
HIDDEN = World(patients=40, reference=60, reserve=80, images=2, visible=False)


def cohort(seed: int, world: World = HIDDEN) -> Split:
    """A cohort whose labels are drawn for each patient and show in no image."""
    split = world.split(seed)
    rng = np.random.default_rng(seed)

    def drawn(images: ImageSet) -> ImageSet:
        label = rng.integers(0, 2, len(images.patients))
        return replace(images, label=label[np.unique(images.patient, return_inverse=True)[1]].astype(np.int64))

    if world.visible:
        return split
    parts = {name: images if name == "public" else drawn(images) for name, images in split.parts()}
    return Split(**parts)


def audited(split: Split, samples: ImageSet, **options):
    """The engine's figures of an attack with few training steps."""
    candidates = concatenate(split.members, split.holdout)
    member = np.arange(len(candidates)) < len(split.members)
    aux = Auxiliary(split.reference, split.public, CONTEXT)
    scores = attribute_inference(Target(samples), without_attributes(candidates), aux, steps=10, **options)
    return scores, measure_attribute(scores, Truth(candidates, member, candidates.patient, samples), CONTEXT)


def risk(measured, group=""):
    return next(e for e in measured.estimates if e.name == "attribute_risk" and e.group == group)


def copies(split: Split, share: float, how: str, seed: int = 0) -> ImageSet:
    """A release a share of which are copies of members, one of each as far as they last."""
    samples = release(split, share, seed)
    copied = samples.source != ""
    changed = altered(samples.take(copied), how, 1.0, np.random.default_rng(seed))
    pixels = samples.pixels.copy()
    pixels[copied] = changed.pixels
    return replace(samples, pixels=pixels)


@pytest.mark.parametrize("how", ["none", "noise", "intensity"])
def test_labels_that_no_image_shows_are_read_off_released_copies(how):
    split = cohort(1)
    samples = copies(split, 0.25, how)
    exposed = len(np.unique(samples.source[samples.source != ""])) / HIDDEN.patients
    _, measured = audited(split, samples)
    found = risk(measured, "label")
    assert found.p_value < 0.05
    assert risk(measured).p_value < 0.05
    # of exposed patients all is known, of the others what was known anyway
    assert found.value == pytest.approx(exposed, abs=0.25 if how == "none" else 0.4)
    assert found.low > 0


def test_a_release_without_members_tells_nothing():
    found = []
    for seed in range(8):
        split = cohort(seed)
        found.append(risk(audited(split, release(split, 0.0, seed))[1]))
    assert sum(e.p_value < 0.05 for e in found) <= 1
    assert sum(e.low <= 0 <= e.high for e in found) >= 7
    assert np.median([e.p_value for e in found]) > 0.2


def test_a_relation_that_holds_for_everybody_is_no_leak():
    """Labels show in the image, and are learned by heart with the images: of patients who were never seen too."""
    split = cohort(2, replace(HIDDEN, visible=True, noise=0.01))
    scores, measured = audited(split, release(split, 0.0, 2))
    known = next(e for e in measured.estimates if e.name == "attribute_success" and e.group == "class, holdout")
    assert known.value > 0.6
    assert risk(measured).p_value > 0.05
    assert {g.attribute for g in scores.guesses} == {"label", "center", "mask"}


def test_the_attacker_who_believes_nobody_stays_with_what_is_known_anyway():
    split = cohort(3)
    scores, _ = audited(split, release(split, 0.0, 3), level=0.01)
    for guesses in scores.guesses:
        assert np.array_equal(guesses.guess[~guesses.told], guesses.prior[~guesses.told])
        assert guesses.told.mean() < 0.25


def test_all_images_of_a_patient_are_taken_together_where_patients_have_one_value():
    split = cohort(4)
    scores, _ = audited(split, copies(split, 0.25, "none"))
    label, mask = (next(g for g in scores.guesses if g.attribute == name) for name in ("label", "mask"))
    owner = concatenate(split.members, split.holdout).patient
    for patient in np.unique(owner):
        assert len(set(label.guess[owner == patient])) == len(set(mask.guess[owner == patient])) == 1


def test_sizes_are_classes_of_equally_many_reference_images_with_edges_that_both_sides_know():
    split = cohort(4)
    scores, _ = audited(split, release(split, 0.0, 4), classes=4)
    edges = next(g.edges for g in scores.guesses if g.attribute == "mask")
    np.testing.assert_allclose(edges, np.quantile(lesion_area(split.reference.mask), [0.25, 0.5, 0.75]))
    counts = np.bincount(attribute_of(split.reference, "mask", edges))
    assert len(counts) == 4
    assert counts.min() >= 0.8 * counts.max()


def test_order_of_candidates_does_not_matter_and_the_same_seed_gives_the_same_bits():
    split = cohort(6)
    samples = copies(split, 0.2, "noise")
    candidates = without_attributes(concatenate(split.members, split.holdout))
    order = np.random.default_rng(0).permutation(len(candidates))
    aux = Auxiliary(split.reference, None, CONTEXT)
    first, again, other = (
        attribute_inference(Target(samples), images, aux, steps=10)
        for images in (candidates, candidates, candidates.take(order))
    )
    for a, b, c in zip(first.guesses, again.guesses, other.guesses, strict=True):
        assert np.array_equal(a.guess, b.guess)
        assert np.array_equal(a.guess[order], c.guess)


def test_without_an_attribute_on_both_sides_there_is_nothing_to_ask():
    split = cohort(7)
    bare = replace(release(split, 0.0, 7), label=None, center=None, mask=None)
    with pytest.raises(SkippedError, match="no attribute to infer: class: the released images have none"):
        audited(split, bare)
    one = replace(split.reference, label=np.zeros(len(split.reference), np.int64), center=None, mask=None)
    with pytest.raises(SkippedError, match=r"all reference patients are of one class.*centre: the reference patients"):
        audited(replace(split, reference=one), release(split, 0.0, 7))


def test_general_knowledge_is_a_ridge_classifier_of_looks():
    split = cohort(8, replace(HIDDEN, visible=True))
    asked, known = split.holdout, split.reference
    found = told_by_looks(known, known.label, asked, pooled=False)
    ours, theirs = image_features(known), image_features(asked)

    def scaled(rows: str, of) -> np.ndarray:
        base, values = getattr(ours, rows), getattr(of, rows)
        varied = base.std(axis=0) > 1e-9 * (1 + np.abs(base).max(axis=0))
        z = np.clip((values - base.mean(axis=0))[:, varied] / base.std(axis=0)[varied], -6, 6)
        return z / np.sqrt(varied.sum())

    x, y = (np.hstack([scaled(block, of) for block in ("brightness", "texture", "layout")]) for of in (ours, theirs))
    expected = RidgeClassifier(alpha=0.3 * np.square(x).sum(1).mean()).fit(x, known.label).predict(y)
    assert np.array_equal(found, expected)
    assert (found == asked.label).mean() > 0.6


def test_nearest_images_are_exact_and_siblings_left_out_where_asked():
    split = cohort(9)
    a, b = split.members, split.reference

    def compare(x: ImageSet, y: ImageSet) -> np.ndarray:
        return np.sqrt(((x.pixels[:, None] - y.pixels[None]) ** 2).mean(axis=(2, 3, 4)))

    near = nearest_image(a, b, compare)
    full = compare(a, b)
    assert np.array_equal(near.image, full.argmin(1))
    np.testing.assert_allclose(near.distance, full.min(1))
    others = nearest_image(b, b, compare, siblings=False)
    assert (b.patient[others.image] != b.patient).all()


def test_a_match_is_believed_beyond_all_but_the_stated_share_of_strangers():
    strangers = np.linspace(0.0, 1.0, 101)
    near = Near(np.zeros(3), np.array([4, 5, 6]))
    matches = Matches.of([(near, np.array([0.5, 0.985, 1.2]), strangers)], level=0.02)
    names, reference = np.array(["a", "b", "c"]), np.arange(101).astype(str)
    image, believed = matches.believed(names, reference, 0.02, pooled=False)
    assert image.tolist() == [4, 5, 6]
    assert believed.tolist() == [False, True, True]
    image, believed = matches.believed(np.array(["a", "a", "c"]), reference, 0.02, pooled=True)
    assert image.tolist() == [5, 5, 6]
    assert believed.all()


def test_closeness_of_a_copy_is_large_and_finite():
    found = closeness(np.array([0.0, 0.1, 0.2]), np.array([0.1, 0.1, 0.1]))
    assert np.isfinite(found).all()
    assert found[0] > 6
    assert found[1:] == pytest.approx([0.0, -np.log(2)])
