from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from privbench.attacks import searched
from privbench.attacks.lesions import common_look, described, turned_over
from privbench.attacks.nearest import nearest
from privbench.attacks.searched import NAMES
from privbench.attacks.spaces import background
from privbench.audit import inception
from privbench.audit.contract import check_scores
from privbench.audit.errors import BadInputError, SkippedError
from privbench.audit.measures.measured import Truth
from privbench.audit.plugin import options_model
from privbench.audit.power.alteration import pasted, turned
from privbench.audit.target import Target
from privbench.audit.types import RANKS, ImageSet, concatenate


@pytest.fixture(scope="module")
def people(make_patients):
    return make_patients("m", 25), make_patients("h", 50)


def closest(scores, space, members, which, rows=slice(None)):
    """Distance to the nearest member patient, other than the image's own."""
    found = next(s for s in scores.spaces if s.space == space)
    return getattr(found, which).nearest_in(np.isin(found.patients, members.patients))[0][rows]


def test_what_is_found_has_the_shapes_of_the_contract(people, auxiliary, released):
    members, holdout = people
    candidates = concatenate(members, holdout)
    target = Target(released(members.take(slice(0, 9))))
    scores = nearest(target, candidates, auxiliary, steps=5)
    assert [s.space for s in scores.spaces] == list(NAMES)
    for space in scores.spaces:
        assert space.samples.distance.shape == (9, RANKS)
        assert space.candidates.distance.shape == (len(candidates), 75)
        assert (space.cells is None) == (space.space not in {"pixels", "embedding"})
    truth = Truth(candidates, np.isin(candidates.patient, members.patient), candidates.patient, target.samples)
    check_scores(scores, truth, "attack 'nearest'", "memorization")


def alterations(images: ImageSet, other: ImageSet) -> dict[str, tuple[str, ImageSet]]:
    """How a copy may be altered, and the space that must find it."""
    rng = np.random.default_rng(0)
    p = images.pixels
    lesion = np.stack([ndimage.binary_dilation(m, iterations=3) for m in images.mask])[:, None]
    return {
        "none": ("pixels", images),
        "noise": ("pixels", replace(images, pixels=np.clip(p + rng.normal(0, 0.05, p.shape), 0, 1).astype(np.float32))),
        "shift": ("aligned", replace(images, pixels=np.roll(p, (2, -3), (2, 3)))),
        "intensity": ("aligned", replace(images, pixels=(0.9 * p**1.25 + 0.04).astype(np.float32))),
        "mirrored": ("aligned", replace(images, pixels=p[..., ::-1].copy())),
        "flipped": ("aligned", replace(images, pixels=p[..., ::-1, :].copy())),
        "turned upside down": ("aligned", replace(images, pixels=np.roll(p[..., ::-1, ::-1], 1, axis=-1))),
        "rotated": (
            "aligned",
            replace(images, pixels=ndimage.rotate(p, 7, axes=(2, 3), reshape=False, order=1).astype(np.float32)),
        ),
        "foreground": ("foreground", replace(images, pixels=np.where(lesion, p, other.pixels))),
        "turned": ("foreground", pasted(turned(images, rng), other)),
        "border": ("boundary", pasted(turned(images, rng), other)),
        "background": ("background", replace(images, pixels=np.where(lesion, other.pixels, p))),
    }


def test_altered_copies_lie_closer_than_other_patients_do_and_fresh_patients_do_not(
    people, auxiliary, released, make_patients
):
    members, holdout = people
    fresh = make_patients("f", 50)
    candidates = concatenate(members, holdout)
    copies = members.take(slice(0, 40))
    cases = alterations(copies, fresh.take(slice(0, 40)))
    samples = concatenate(*(images for _, images in cases.values()), fresh)
    scores = nearest(Target(released(samples)), candidates, auxiliary, steps=0)
    control = np.arange(len(members), len(candidates))
    for i, (name, (space, _)) in enumerate(cases.items()):
        tau = np.quantile(closest(scores, space, members, "candidates", control), 0.01)
        found = closest(scores, space, members, "samples", slice(40 * i, 40 * i + 40)) < tau
        assert found.mean() >= 0.95, f"{name} in {space}: {found.mean():.2f}"
    for space in (name for name in NAMES if name != "embedding"):
        null = closest(scores, space, members, "candidates", control)
        mine = closest(scores, space, members, "samples", slice(40 * len(cases), None))
        # Ranks of 50 fresh patients among 50 others: the mean rank stays within four standard errors of a half.
        assert abs((mine[:, None] > null[None]).mean() - 0.5) < 4 * np.sqrt(1 / 12 * (1 / 50 + 1 / 50))


def test_the_copy_detector_finds_noisy_and_recoloured_copies_of_unseen_patients(people, auxiliary, released):
    members, holdout = people
    cases = alterations(members, holdout.take(slice(0, len(members))))
    for name in ("noise", "intensity"):
        scores = nearest(Target(released(cases[name][1])), concatenate(members, holdout), auxiliary, steps=40, batch=16)
        tau = np.quantile(closest(scores, "embedding", members, "candidates", slice(len(members), None)), 0.01)
        assert (closest(scores, "embedding", members, "samples") < tau).mean() > 0.8


def test_the_order_of_candidates_does_not_matter_and_the_same_seed_gives_the_same_bits(people, auxiliary, released):
    members, holdout = people
    candidates = concatenate(members, holdout.take(slice(0, 20)))
    before = candidates.pixels.copy()
    target = Target(released(holdout.take(slice(20, 30))))
    order = np.random.default_rng(5).permutation(len(candidates))
    first, again, permuted = (
        nearest(target, c, auxiliary, steps=5) for c in (candidates, candidates, candidates.take(order))
    )
    for a, b, c in zip(first.spaces, again.spaces, permuted.spaces, strict=True):
        for mine, same in ((a.samples, b.samples), (a.candidates, b.candidates)):
            assert np.array_equal(mine.distance, same.distance)
            assert np.array_equal(mine.patient, same.patient)
            assert np.array_equal(mine.image, same.image)
        # Products of float32 matrices differ in the last bit with the place of a row.
        limit = 3e-3 if a.space in {"aligned", "foreground"} else 1e-4
        np.testing.assert_allclose(a.samples.distance, c.samples.distance, atol=limit)
        np.testing.assert_allclose(a.candidates.distance[order], c.candidates.distance, atol=3e-3)
        if a.cells and b.cells and c.cells:
            assert np.array_equal(a.cells[1], b.cells[1])
            assert np.array_equal(a.cells[0], c.cells[0])
            assert np.array_equal(a.cells[1][order], c.cells[1])
    assert np.array_equal(before, candidates.pixels)


def space_of(scores, name):
    return next(s for s in scores.spaces if s.space == name)


@pytest.mark.parametrize(
    ("bare", "who"),
    [
        (("samples",), "for the released images have none"),
        (("candidates",), "for the candidates have none"),
        (("samples", "candidates"), "for the released images and the candidates have none"),
    ],
)
def test_without_masks_regions_are_left_out_with_the_reason(people, auxiliary, released, bare, who):
    members, _ = people
    images = {"samples": members.take(slice(0, 3)), "candidates": members}
    images |= {name: replace(images[name], mask=None) for name in bare}
    target, candidates = Target(released(images["samples"])), images["candidates"]
    scores = nearest(target, candidates, auxiliary, steps=0)
    assert [s.space for s in scores.spaces] == ["pixels", "patch-max", "aligned"]
    (note,) = scores.notes
    assert note.startswith(f"no masks: foreground, boundary, background could not be searched, {who}")
    with pytest.raises(SkippedError, match=who):
        nearest(target, candidates, auxiliary, spaces="boundary")
    assert not nearest(target, candidates, auxiliary, spaces="pixels").notes


def test_only_the_spaces_asked_for_are_searched(people, auxiliary, released):
    members, _ = people
    scores = nearest(Target(released(members.take(slice(0, 3)))), members, auxiliary, spaces="background,pixels")
    assert [s.space for s in scores.spaces] == ["pixels", "background"]
    with pytest.raises(BadInputError, match="no space is left"):
        nearest(Target(members), members, auxiliary, spaces="embedding", steps=0)
    model = options_model(nearest)
    assert model(spaces="all").spaces == "all"
    with pytest.raises(ValidationError, match="unknown space 'foregruond'; spaces: all, or some of pixels, patch-max"):
        model(spaces="pixels,foregruond")


def test_a_release_of_nothing_is_refused(people, auxiliary, released):
    members, _ = people
    with pytest.raises(BadInputError, match="there are no released images to compare"):
        nearest(Target(released(members.take(slice(0, 0)))), members, auxiliary, steps=0)


def test_fewer_patients_than_ranks_are_all_ranked(people, auxiliary, released):
    members, _ = people
    few = members.take(slice(0, 6))
    target = Target(released(members.take(slice(6, 9))))
    scores = nearest(target, few, auxiliary, steps=0)
    for space in scores.spaces:
        assert np.isfinite(space.samples.distance).all()
        assert space.samples.patient.shape == (3, 3)
        assert (space.candidates.patient[:, 2] == -1).all()
    check_scores(scores, Truth(few, np.arange(6) < 2, few.patient, target.samples), "attack 'nearest'", "memorization")


def test_without_weights_the_extractor_says_where_they_come_from(people, auxiliary, released, monkeypatch, tmp_path):
    members, _ = people
    monkeypatch.setattr(inception.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(SkippedError, match=r"needs Inception's weights in \$TORCH_HOME/hub/checkpoints; get them from"):
        nearest(Target(released(members)), members, auxiliary, extractor="inception")


def test_the_features_of_an_extractor_are_a_space_with_cells(people, auxiliary, released, monkeypatch):
    members, _ = people
    monkeypatch.setattr(searched, "weights_file", lambda weights: weights)
    monkeypatch.setattr(searched, "_weights", lambda candidates, settings: "there")
    monkeypatch.setattr(searched, "inception", lambda weights, device: None)
    monkeypatch.setattr(
        searched, "activations", lambda model, images, device, step: images.pixels[:, 0, ::4, ::4].reshape(-1, 64)
    )
    options = {"spaces": "pixels", "extractor": "inception"}
    scores = nearest(Target(released(members.take(slice(0, 5)))), members, auxiliary, **options)
    found = space_of(scores, "inception")
    assert np.all(found.samples.distance[:, 0] == 0)
    assert found.cells is not None


def test_an_image_without_a_lesion_is_near_nobodys_lesion(people, auxiliary, released):
    members, _ = people
    empty = replace(members, mask=np.zeros_like(members.mask))
    scores = nearest(Target(released(empty.take(slice(0, 3)))), members, auxiliary, steps=0)
    for name in ("foreground", "boundary"):
        assert np.allclose(space_of(scores, name).samples.distance, np.sqrt(2))


def test_the_background_is_compared_off_both_lesions(people):
    members, holdout = people
    a, b = members.take(slice(0, 5)), holdout.take(slice(0, 4))
    found = background(a, b, "cpu")
    for i, j in np.ndindex(5, 4):
        lesion = a.mask[i].astype(bool), b.mask[j].astype(bool)
        off = np.all([ndimage.distance_transform_edt(~m) > 5 for m in lesion], axis=0)
        difference = a.pixels[i, 0][off].astype(np.float64) - b.pixels[j, 0][off]
        assert found[i, j] == pytest.approx(np.sqrt(np.square(difference).mean()), rel=1e-5)
    everywhere = replace(b, mask=np.ones_like(b.mask))
    assert np.all(background(a, everywhere, "cpu") == 1)


@pytest.mark.parametrize("region", ["foreground", "boundary"])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_lesion_turned_by_right_angles_and_mirrored_is_the_same(people, auxiliary, region, turns):
    members, _ = people
    mirrored = replace(
        members,
        pixels=np.ascontiguousarray(np.rot90(members.pixels[..., ::-1], turns, (2, 3))),
        mask=np.ascontiguousarray(np.rot90(members.mask[..., ::-1], turns, (1, 2))),
    )
    damp = common_look(auxiliary.reference, auxiliary.context, region)
    distance = turned_over(*(described(x, region, damp) for x in (mirrored, members)), "cpu")
    # 90 degrees are nine of the angles sampled: nothing lies between two of them.
    assert np.diag(distance).max() < 2e-3
    strangers = members.patient[:, None] != members.patient[None]
    assert distance[strangers].min() > 0.1
