"""One person under two names and one image in two parts are found; people who look alike are left in peace."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from privbench.audit.checks.copies import QUERIES, Sketch, closest
from privbench.audit.checks.duplicates import BY_PIXELS, check_duplicates
from privbench.audit.checks.inputs import Comparison
from privbench.audit.checks.overlap import check_overlap, plain_name
from privbench.audit.context import Context
from privbench.audit.measures.measured import Truth
from privbench.audit.types import ImageSet, Split
from privbench.cohorts.brain_sim import brain_sim
from privbench.cohorts.nifti import nifti

HIPPOCAMPUS = Path(__file__).parents[2].parent / "shared" / "data" / "hippocampus"


def comparison(split):
    return Comparison(
        split, Truth(split.members, np.ones(len(split.members), bool), split.members.patient, split.members), Context()
    )


def duplicates(split):
    return check_duplicates(comparison(split))


def brains(folder, seed, patients=20):
    return brain_sim(
        Context(seed=seed, path=("cohort", "brain-sim"), folder=folder),
        members=patients,
        holdout=patients,
        reference=patients,
        public=0,
        reserve=0,
    )


@pytest.fixture(scope="module")
def brain(tmp_path_factory):
    return brains(tmp_path_factory.mktemp("brain"), 0)


@pytest.fixture(scope="module")
def hippocampus(tmp_path_factory):
    if not HIPPOCAMPUS.is_dir():
        pytest.skip(f"{HIPPOCAMPUS} is missing")
    context = Context(seed=0, path=("cohort", "nifti"), folder=tmp_path_factory.mktemp("hippocampus"))
    return nifti(context, path=HIPPOCAMPUS, slices=2)


def noisy(sigma):
    return lambda image: image + sigma * np.random.default_rng(0).standard_normal(image.shape)


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * image[0]).astype(np.uint8)).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file))[None] / 255


ALTERED = {
    "noise 0.02": noisy(0.02),
    "noise 0.05": noisy(0.05),
    "darker": lambda image: 0.6 * image,
    "brighter": lambda image: 0.7 * image + 0.2,
    "gamma 1.5": lambda image: image**1.5,
    "gamma 0.6": lambda image: image**0.6,
    "negative": lambda image: 1 - image,
    "jpeg": jpeg,
    "shifted": lambda image: np.roll(image, (1, -1), (1, 2)),
    "shifted and noisy": lambda image: noisy(0.03)(np.roll(image, 1, 1)),
    "blurred": lambda image: ndimage.gaussian_filter(image, (0, 0.8, 0.8)),
}


def planted(split, alter, pairs):
    """``split`` with members' images at the first of each pair replaced by altered holdout images at the second."""
    pixels = np.array(split.members.pixels)
    for member, holdout in pairs:
        pixels[member] = np.clip(alter(np.asarray(split.holdout.pixels[holdout])), 0, 1)
    return replace(split, members=replace(split.members, pixels=pixels))


@pytest.mark.parametrize("cohort", ["brain", "hippocampus"])
@pytest.mark.parametrize("kind", ALTERED)
def test_altered_copies_are_found_and_listed(cohort, kind, request):
    split = request.getfixturevalue(cohort)
    pairs = [(5, 9), (40, 21), (77, 60)]
    found = duplicates(planted(split, ALTERED[kind], pairs))
    assert {twin.images for twin in found.twins} >= set(pairs)
    # no stranger beside them: at most further slices of the same copied patients
    copied = set(split.holdout.patient[[holdout for _, holdout in pairs]].tolist())
    assert {twin.patients[1] for twin in found.twins} == copied
    exact, near = found.estimates[:2]
    assert exact.value == 0
    assert near.value >= 3 / len(split.holdout)
    assert "0 exact and" in found.failed
    assert "one patient name" in found.advice


def test_exact_copies_are_counted_apart(brain):
    found = duplicates(planted(brain, lambda image: np.rint(255 * image) / 255, [(3, 4), (8, 50)]))
    assert found.failed.startswith("2 exact and ")
    assert [(twin.images, twin.distance, twin.measure) for twin in found.twins[:2]] == [
        ((3, 4), 0.0, "equal"),
        ((8, 50), 0.0, "equal"),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simulated_strangers_are_no_duplicates(tmp_path, seed):
    found = duplicates(brains(tmp_path, seed, patients=30))
    assert found.failed == ""
    assert found.twins == ()
    closest_pixels, closest_hash = found.estimates[2:]
    assert closest_pixels.value > closest_pixels.null / 2
    assert closest_hash.value > closest_hash.null / 2


def test_real_strangers_are_no_duplicates(hippocampus):
    assert duplicates(hippocampus).failed == ""


def test_without_other_patients_to_compare_with_only_close_copies_count(brain):
    one = brain.reference.patient == brain.reference.patient[0]
    alone = Split(
        brain.members.take(brain.members.patient == brain.members.patient[0]),
        brain.holdout.take(brain.holdout.patient == brain.holdout.patient[0]),
        brain.reference.take(one),
    )
    assert duplicates(alone).failed == ""
    assert duplicates(planted(alone, lambda image: 0.9 * image, [(0, 1)])).failed
    assert "no two patients" in duplicates(alone).estimates[2].note


def test_copies_within_a_part_do_not_blind_the_check(brain):
    pixels = np.array(brain.reference.pixels)
    pixels[-1] = pixels[0]
    split = replace(brain, reference=replace(brain.reference, pixels=pixels))
    found = duplicates(planted(split, noisy(0.03), [(5, 9)]))
    assert (5, 9) in {twin.images for twin in found.twins}
    assert "2 images have a copy under another patient's name" in " ".join(found.notes)


def test_empty_images_are_left_out_and_counted(brain):
    pixels = np.array(brain.members.pixels), np.array(brain.holdout.pixels)
    for side in pixels:
        side[:3] = 0.5
    parts = (replace(part, pixels=p) for part, p in zip((brain.members, brain.holdout), pixels, strict=True))
    found = duplicates(Split(*parts, brain.reference))
    assert found.failed == ""
    assert "6 images whose pixels are all equal were left out" in found.notes


def test_the_distance_in_pixels_is_one_minus_squared_correlation():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 1, 1, 7, 7), dtype=np.float32)  # too small to be shifted
    sketches = [Sketch.of(ImageSet(pixels, np.array([name]))) for pixels, name in ((a, "a"), (b, "b"))]
    expected = 1 - np.corrcoef(a.ravel(), b.ravel())[0, 1] ** 2
    assert closest(*sketches).pixels[0] == pytest.approx(expected, abs=1e-4)
    assert not sketches[0].comparable


def test_siblings_are_never_each_others_look_alikes():
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.random((QUERIES, 1, 16, 16), dtype=np.float32), 2, axis=0)  # every image twice
    sketch = Sketch.of(ImageSet(pixels, np.repeat(np.arange(QUERIES), 2).astype(str)))
    found = closest(sketch, sketch)
    assert found.pixels.min() > 10 * BY_PIXELS.least
    assert (sketch.patient[found.pixels_match] != sketch.patient).all()


def test_volumes_and_colour_are_compared_too():
    rng = np.random.default_rng(0)
    for shape in ((1, 24, 20, 22), (3, 40, 40)):
        smooth = ndimage.gaussian_filter(rng.standard_normal((36, *shape)), (0, 0, *(2,) * (len(shape) - 1)))
        pixels = np.clip(0.5 + 0.2 * smooth / smooth.std(), 0, 1).astype(np.float32)
        pixels[15] = np.clip(0.8 * pixels[3] + 0.02 * rng.standard_normal(shape), 0, 1)
        names = np.array([f"p{i}" for i in range(36)])
        parts = (ImageSet(pixels[i : i + 12], names[i : i + 12]) for i in (0, 12, 24))
        assert {twin.images for twin in duplicates(Split(*parts)).twins} == {(3, 3)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pat-007", "pat 7"),
        ("PAT7", "pat_0007"),
        (" MRN 12 / 3", "mrn-12-03"),
        ("Müller, J.", "Mu\u0308ller J"),
        ("\uff30at-1", "Pat-1"),
        ("pat\u200b-1", "PAT-1"),
        ("000", "0"),
        ("Straße 1", "STRASSE 1"),
    ],
)
def test_spellings_of_one_name_are_one(one, other):
    assert plain_name(one) == plain_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p1-2", "p12"),
        ("p1-2", "p-12"),
        ("p10", "p1"),
        ("a05b1", "a5b01"),
        ("patient-a", "patient-b"),
        ("1.10", "1.1"),
        ("--", "-"),
        ("Müller", "Muller"),
    ],
)
def test_different_names_stay_different(one, other):
    assert plain_name(one) != plain_name(other)


def named(*names):
    rng = np.random.default_rng(len(names))
    return ImageSet(rng.random((len(names), 1, 4, 4), dtype=np.float32), np.array(names))


def test_one_person_in_two_parts_is_counted_and_listed():
    split = Split(
        named("Pat-007", "p1-2", "p3"), named("pat 7", "p12"), named("q1"), reserve=named("Q-01"), public=named("x")
    )
    found = check_overlap(comparison(split))
    assert found.failed.startswith("2 pairs of names in two parts")
    assert "1 in members and holdout, 1 in reference and reserve" in found.failed
    assert {frozenset(twin.patients) for twin in found.twins} == {
        frozenset({"Pat-007", "pat 7"}),
        frozenset({"q1", "Q-01"}),
    }
    (estimate,) = found.estimates
    assert estimate.value == 2
    assert estimate.n == 8


def test_two_spellings_within_one_part_are_no_overlap():
    found = check_overlap(comparison(Split(named("Pat-1", "pat 1"), named("h"), named("r"))))
    assert found.failed == ""
    assert found.estimates[0].value == 0
