from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from privbench.attacks.nearest import nearest
from privbench.audit.contract import check_scores
from privbench.audit.measured import Truth
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
    assert [s.space for s in scores.spaces] == ["pixels", "patch-max", "aligned", "embedding", "foreground"]
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
        "rotated": (
            "aligned",
            replace(images, pixels=ndimage.rotate(p, 7, axes=(2, 3), reshape=False, order=1).astype(np.float32)),
        ),
        "foreground": ("foreground", replace(images, pixels=np.where(lesion, p, other.pixels))),
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
    for space in ("pixels", "patch-max", "aligned", "foreground"):
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


def test_without_masks_the_foreground_is_left_out_and_said_so(people, auxiliary, released):
    members, _ = people
    bare = replace(members, mask=None)
    scores = nearest(Target(released(bare.take(slice(0, 3)))), bare, auxiliary, steps=0)
    assert [s.space for s in scores.spaces] == ["pixels", "patch-max", "aligned"]
    assert any("no masks" in note for note in scores.notes)


def test_an_image_without_a_lesion_is_near_nobodys_lesion(people, auxiliary, released):
    members, _ = people
    empty = replace(members, mask=np.zeros_like(members.mask))
    scores = nearest(Target(released(empty.take(slice(0, 3)))), members, auxiliary, steps=0)
    assert np.allclose(scores.spaces[-1].samples.distance, np.sqrt(2))
