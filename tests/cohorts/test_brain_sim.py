from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from privbench.audit.context import Context
from privbench.audit.plugin import facts_of, options_model
from privbench.audit.types import ImageSet, Split
from privbench.cohorts.anatomy import CSF, GREY, REACH, WHITE, Anatomy, Lattice, template
from privbench.cohorts.brain_sim import brain_sim
from privbench.cohorts.scanner import FIELD_OF_VIEW, Position, Scanner, plane
from privbench.cohorts.tumour import ENHANCING, NECROSIS, OEDEMA, Tumour, place_in

SMALL = {"members": 8, "holdout": 8, "reference": 8, "public": 4, "reserve": 4}


def simulate(folder, seed=0, **options) -> Split:
    return brain_sim(Context(seed=seed, path=("cohort", "brain-sim"), folder=folder), **{**SMALL, **options})


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("sim"))


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> ImageSet:
    """Forty-eight patients of one part."""
    return simulate(tmp_path_factory.mktemp("many"), members=48, holdout=1, reference=1, public=0, reserve=0).members


def test_every_part_has_the_images_asked_for(split):
    assert {part: len(images) for part, images in split.parts()} == {part: 4 * n for part, n in SMALL.items()}
    for _, images in split.parts():
        assert images.pixels.shape[1:] == (1, 64, 64)
        assert images.pixels.min() == 0
        assert images.pixels.max() <= 1
        assert np.unique(images.patient, return_counts=True)[1].tolist() == [4] * (len(images) // 4)
        assert images.visit.tolist() == [0, 0, 1, 1] * (len(images) // 4)


def test_pixels_and_masks_stay_on_disk(split, tmp_path):
    for _, images in split.parts():
        assert isinstance(images.pixels, np.memmap)
        assert isinstance(images.mask, np.memmap)


def test_a_part_without_patients_is_left_out(tmp_path):
    assert simulate(tmp_path, members=1, holdout=1, reference=1, public=0, reserve=0).public is None


def test_centres_and_grades_are_balanced(split):
    for part in ("members", "holdout", "reference"):
        images = getattr(split, part)
        cells = list(zip(images.center.tolist(), images.label.tolist(), strict=True))
        assert {cell: cells.count(cell) for cell in set(cells)} == {(c, g): 4 for c in "ABCD" for g in (0, 1)}


def test_public_patients_are_healthy_and_all_others_have_a_tumour(split):
    assert not split.public.mask.any()
    assert not split.public.label.any()
    for part in ("members", "holdout", "reference", "reserve"):
        images = getattr(split, part)
        assert (images.mask > 0).any(axis=(1, 2)).all()
        assert set(np.unique(images.mask)) <= {0, NECROSIS, OEDEMA, ENHANCING}


def test_a_tumour_lies_inside_the_brain(many):
    outside = many.pixels[:, 0] == 0
    assert (outside & (many.mask > 0)).sum() < 0.001 * (many.mask > 0).sum()


def test_the_same_seed_gives_the_same_images_to_the_bit(split, tmp_path):
    again = simulate(tmp_path)
    for part, images in split.parts():
        np.testing.assert_array_equal(getattr(again, part).pixels, images.pixels)
        np.testing.assert_array_equal(getattr(again, part).mask, images.mask)
        assert getattr(again, part).patient.tolist() == images.patient.tolist()


def test_another_seed_gives_other_patients(split, tmp_path):
    other = simulate(tmp_path, seed=1)
    assert not set(other.members.patient) & set(split.members.patient)
    assert np.abs(other.members.pixels - split.members.pixels).mean() > 0.01


def test_a_patient_stays_the_same_when_other_parts_grow(split, tmp_path):
    fewer = simulate(tmp_path, members=3, holdout=5, reference=1, public=0, reserve=0)
    np.testing.assert_array_equal(fewer.members.pixels, split.members.pixels[:12])
    np.testing.assert_array_equal(fewer.holdout.pixels, split.holdout.pixels[:20])


def test_names_do_not_tell_the_part(split):
    names = [(name, part) for part, images in split.parts() for name in images.patients]
    assert all(name.startswith("sim-") and len(name) == 16 for name, _ in names)
    order = [part for _, part in sorted(names)]
    assert sum(a != b for a, b in pairwise(order)) > len(order) / 3


@pytest.mark.parametrize("size", [32, 96])
def test_size_changes_the_sampling_not_the_person(tmp_path, size, split):
    scaled = simulate(tmp_path, members=2, holdout=1, reference=1, public=0, reserve=0, size=size)
    blurred = ndimage.gaussian_filter(np.asarray(split.members.pixels[:8, 0]), (0, 2, 2))
    resized = ndimage.zoom(
        scaled.members.pixels[:, 0], (1, 64 / size, 64 / size), order=1, grid_mode=True, mode="nearest"
    )
    resized = ndimage.gaussian_filter(resized, (0, 2, 2))
    for a, b in zip(blurred, resized, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98


def test_visits_and_slices_are_options(tmp_path):
    images = simulate(tmp_path, members=1, holdout=1, reference=1, public=0, reserve=0, visits=3, slices=1).members
    assert images.visit.tolist() == [0, 1, 2]


def correlations(images: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    """Of image pairs from different visits of one patient, and of pairs of two patients."""
    flat = np.asarray(images.pixels[:, 0]).reshape(len(images), -1)
    r = np.corrcoef(flat)
    same = images.patient[:, None] == images.patient[None]
    above = np.triu(np.ones_like(same), 1)
    return r[same & above & (images.visit[:, None] != images.visit[None])], r[~same & above]


def test_a_person_is_recognisable_at_another_visit(many):
    same, different = correlations(many)
    truth = np.r_[np.ones(len(same)), np.zeros(len(different))]
    assert roc_auc_score(truth, np.r_[same, different]) > 0.85  # by plain correlation; a trained verifier does better


def test_two_images_of_a_person_are_not_copies(many):
    same, _ = correlations(many)
    assert same.max() < 0.985


def test_healthy_anatomy_alone_identifies_a_person(tmp_path):
    healthy = simulate(tmp_path, members=1, holdout=1, reference=1, public=32, reserve=0).public
    same, different = correlations(healthy)
    assert roc_auc_score(np.r_[np.ones(len(same)), np.zeros(len(different))], np.r_[same, different]) > 0.8


def test_grade_shows_in_the_images_but_not_perfectly(tmp_path):
    images = simulate(tmp_path, members=160, holdout=1, reference=1, public=0, reserve=0).members
    dead = (images.mask == NECROSIS).sum((1, 2)) / (images.mask != 0).sum((1, 2))
    auc = roc_auc_score(images.label[::4], dead.reshape(-1, 4).mean(1))
    assert 0.7 < auc < 0.97


def test_without_contrast_grades_look_alike(tmp_path):
    images = simulate(tmp_path, members=160, holdout=1, reference=1, public=0, reserve=0, contrast=0).members
    dead = (images.mask == NECROSIS).sum((1, 2)) / (images.mask != 0).sum((1, 2))
    assert abs(roc_auc_score(images.label[::4], dead.reshape(-1, 4).mean(1)) - 0.5) < 0.14  # 3 standard errors


def test_centres_differ_more_than_their_parts_do(many):
    white = np.array([np.quantile(image[image > 0], 0.8) for image in many.pixels[:, 0]]).reshape(-1, 4).mean(1)
    of = many.center[::4]
    between = np.var([white[of == c].mean() for c in "ABCD"], ddof=1)
    assert between > 5 * np.mean([white[of == c].var(ddof=1) / 12 for c in "ABCD"])  # F(3, 44) > 5: p < 0.005


def test_the_cohort_says_that_it_is_simulated():
    assert facts_of(brain_sim).simulated
    with pytest.raises(ValueError, match="members"):
        options_model(brain_sim)(members=0)


def test_defaults_resolve_a_patient_level_auc_to_008():
    options = options_model(brain_sim)().model_dump()
    m, n = options["members"], options["holdout"]
    assert 1.96 * np.sqrt((m + n + 1) / (12 * m * n)) <= 0.08  # Mann-Whitney under the null


def test_the_template_has_its_tissues():
    average = template(1.0)
    ventricle, white = np.array([[-8.0], [15.0], [15.0]]), np.array([[-28.0], [-5.0], [28.0]])
    assert average.intensity(ventricle)[0] < 0.5 * (CSF + GREY)
    assert abs(average.intensity(white)[0] - WHITE) < 20
    assert average.intensity(np.array([[95.0], [0.0], [0.0]]))[0] == 0
    assert average.below_surface(np.zeros((3, 1)))[0] > 20


def test_lattice_functions_have_unit_spread_and_are_smooth():
    lattice = Lattice.draw(np.random.default_rng(0), 6, 16.0)
    points = np.random.default_rng(1).uniform(-REACH + 20, REACH - 20, (3, 20000))
    values = lattice.at(points)
    assert np.abs(values.std(1) - 1).max() < 0.1
    assert np.abs(lattice.at(points + 0.01) - values).max() < 0.01


def test_a_slice_depends_on_its_own_points_only():
    anatomy, average = Anatomy.draw(np.random.default_rng(0)), template(FIELD_OF_VIEW / 64)
    both, one = plane(64, np.array([0.0, 10.0])), plane(64, np.array([10.0]))
    np.testing.assert_array_equal(anatomy.tissue(both, average)[0][64 * 64 :], anatomy.tissue(one, average)[0])


def test_repositioning_is_rigid_and_undone():
    position = Position.draw(np.random.default_rng(0))
    points = np.random.default_rng(1).uniform(-80, 80, (3, 5))
    moved = position.to_person(points)
    before = np.linalg.norm(points[:, :1] - points, axis=0)
    np.testing.assert_allclose(np.linalg.norm(moved[:, :1] - moved, axis=0), before)
    np.testing.assert_allclose(position.to_scanner(moved[:, 0]), points[:, 0])


def test_a_tumour_grows_and_keeps_its_place():
    rng = np.random.default_rng(0)
    anatomy, average = Anatomy.draw(rng), template(FIELD_OF_VIEW / 64)
    tumour = Tumour.draw(rng, 1, place_in(anatomy, average, rng), 1.2)
    points = plane(64, tumour.place[2:])
    sizes = []
    for seen in (tumour, tumour.grown(1.3)):
        intensity, depth = anatomy.tissue(points, average)
        labels = seen.grow_in(intensity, depth, points, FIELD_OF_VIEW / 64)
        sizes.append((labels > 0).sum())
        nearest = ((points - tumour.place[:, None]) ** 2).sum(0).argmin()
        assert labels[nearest] in {NECROSIS, ENHANCING}
    assert sizes[1] > sizes[0]


def test_mass_effect_pushes_outwards_and_fades():
    rng = np.random.default_rng(0)
    tumour = Tumour.draw(rng, 1, np.zeros(3), 1.2)
    near, far = np.array([[tumour.radius], [0.0], [0.0]]), np.array([[90.0], [0.0], [0.0]])
    assert tumour.displaced(near)[0, 0] < near[0, 0]
    np.testing.assert_allclose(tumour.displaced(far), far, atol=1e-3)


def test_noise_in_air_is_removed_and_noise_in_tissue_is_the_scanners():
    rng = np.random.default_rng(0)
    (scanner,) = Scanner.draw(rng, 1)
    intensity, depth = np.full((1, 256, 256), WHITE), np.full((1, 256, 256), 20.0)
    depth[0, :, :128] = 0
    image = scanner.image(intensity, depth, np.ones_like(depth), rng)
    assert not image[0, :, :128].any()
    assert image[0, :, 128:].std() == pytest.approx(scanner.noise, rel=0.05)  # Rician is normal at high signal
