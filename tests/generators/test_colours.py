import numpy as np
import torch

from privbench.generators.lesions.colours import Looks, describe, greys, looks, painted, regreyed

LESIONS = (1, 4)


def two_lesions():
    """Backgrounds of 0.5 with a class-1 square; the first also has a class-4 square."""
    masks = torch.zeros(2, 8, 8, dtype=torch.uint8)
    masks[:, 1:3, 1:3] = 1
    masks[0, 5:7, 5:7] = 4
    backgrounds = torch.full((2, 1, 8, 8), 0.5)
    images = backgrounds.clone()
    images[0, 0, 1:3, 1:3], images[1, 0, 1:3, 1:3], images[0, 0, 5:7, 5:7] = 0.7, 0.3, 0.9
    return images, backgrounds, masks


def squares(sides):
    """Masks with a class-1 square of each side, and a class-4 one of 4 pixels a side."""
    masks = torch.zeros(len(sides), 24, 24, dtype=torch.uint8)
    for mask, side in zip(masks, sides, strict=True):
        mask[1 : 1 + side, 1 : 1 + side] = 1
        mask[18:22, 18:22] = 4
    return masks


def grey(masks, tissue=0.5):
    """Backgrounds of one grey."""
    return torch.full((len(masks), 1, 24, 24), tissue)


def flat(found, deviation=0.05):
    """Looks ``(n, classes, 1)`` of these greys, every part as textured."""
    return Looks(found, np.where(np.isfinite(found), deviation, np.nan))


def test_greys_are_told_relative_to_the_tissue_around():
    found = greys(*two_lesions(), LESIONS)
    np.testing.assert_allclose(found[:, :, 0], [[0.2, 0.4], [-0.2, np.nan]], atol=1e-6)


def test_the_deviation_of_a_part_is_that_of_its_pixels_and_a_few_pixels_have_none():
    rng = np.random.default_rng(0)
    masks = squares([2, 20])
    images = torch.from_numpy(rng.normal(0.5, 0.04, (2, 1, 24, 24))).float()
    found = looks(images, torch.full_like(images, 0.5), masks, LESIONS).deviations[:, :, 0]
    assert np.isnan(found[0, 0]), "four pixels"
    np.testing.assert_allclose(found[1], [0.04, 0.04], rtol=0.5)
    np.testing.assert_allclose(found[1, 0], images[1, 0][masks[1] == 1].std(), rtol=1e-5)


def test_painting_with_an_images_own_greys_gives_back_a_flat_image():
    images, backgrounds, masks = two_lesions()
    sketch = painted(backgrounds, masks, greys(images, backgrounds, masks, LESIONS), LESIONS)
    torch.testing.assert_close(sketch, images)


def test_a_sketch_leaves_everything_but_the_lesion_as_it_is():
    _, backgrounds, masks = two_lesions()
    sketch = painted(backgrounds, masks, np.full((2, 2, 1), 0.3), LESIONS)
    assert torch.equal(sketch[:, 0][masks == 0], backgrounds[:, 0][masks == 0])


def test_drawn_looks_follow_the_description():
    rng = np.random.default_rng(0)
    found = rng.normal([[0.2], [-0.1]], [[0.05], [0.02]], (500, 2, 1))
    deviations = np.exp(rng.normal([[-3.0], [-2.0]], [[0.2], [0.4]], (500, 2, 1)))
    label, masks = np.arange(500) % 2, squares([5] * 500)
    colours = describe(Looks(found, deviations), grey(masks), masks, label, (0, 1), LESIONS)
    drawn = colours.draw(label, grey(masks), masks, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.greys.mean(0)[:, 0], [0.2, -0.1], atol=0.01)
    np.testing.assert_allclose(drawn.greys.std(0)[:, 0], [0.05, 0.02], rtol=0.15)
    np.testing.assert_allclose(np.log(drawn.deviations).mean(0)[:, 0], [-3.0, -2.0], atol=0.06)
    np.testing.assert_allclose(np.log(drawn.deviations).std(0)[:, 0], [0.2, 0.4], rtol=0.15)


def test_a_look_that_depends_on_size_is_drawn_by_size():
    """Small cores are bright and even, large ones dark and textured: so they are drawn, without the spread of both."""
    rng = np.random.default_rng(0)
    sides = rng.integers(4, 16, 400)
    size = np.log1p(sides**2.0)
    found = np.stack([0.3 - 0.1 * size, np.full(400, 0.1)], 1)[:, :, None] + rng.normal(0, 0.01, (400, 2, 1))
    deviations = np.stack([np.exp(-6 + 0.5 * size), np.full(400, 0.03)], 1)[:, :, None]
    masks, new = squares(sides), np.array([5, 14])
    colours = describe(Looks(found, deviations), grey(masks), masks, None, (), LESIONS)
    masks = squares(new.repeat(200))
    drawn = colours.draw(None, grey(masks), masks, np.random.default_rng(1))
    for side, greys_, deviation in zip(new, np.split(drawn.greys, 2), np.split(drawn.deviations, 2), strict=True):
        np.testing.assert_allclose(greys_[:, 0].mean(), 0.3 - 0.1 * np.log1p(side**2), atol=0.01)
        np.testing.assert_allclose(greys_[:, 0].std(), 0.01, rtol=0.2)
        np.testing.assert_allclose(np.log(deviation[:, 0]).mean(), -6 + 0.5 * np.log1p(side**2), atol=0.05)


def test_a_brighter_tissue_brightens_a_lesion_only_as_much_as_it_did_those_learnt_from():
    """Lesions of one absolute grey in tissue of any: drawn they vary as little, not as much as the tissue does."""
    rng = np.random.default_rng(0)
    masks, tissue = squares([6] * 300), torch.from_numpy(rng.normal(0.5, 0.04, (300, 1, 1, 1))).float()
    backgrounds = tissue.expand(300, 1, 24, 24).contiguous()
    relative = (0.4 - tissue.numpy().reshape(300, 1, 1)).repeat(2, 1) + rng.normal(0, 0.01, (300, 2, 1))
    colours = describe(flat(relative), backgrounds, masks, None, (), LESIONS)
    absolute = colours.draw(None, backgrounds, masks, np.random.default_rng(1)).greys + tissue.numpy()[:, 0]
    np.testing.assert_allclose(absolute.mean(), 0.4, atol=0.005)
    np.testing.assert_allclose(absolute.std(), 0.01, rtol=0.3)


def test_what_two_lesions_say_of_size_is_hardly_believed():
    found = np.array([[[0.1], [0.0]], [[0.5], [0.0]]])
    large, drawn = squares([8] * 400), []
    for n, copies in ((1, 1), (50, 50), (50, 1)):
        masks = squares([4, 8] * n)
        colours = describe(flat(np.tile(found, (n, 1, 1))), grey(masks), masks, None, (), LESIONS, copies)
        drawn.append(colours.draw(None, grey(large), large, np.random.default_rng(1)).greys[:, 0].mean())
    np.testing.assert_allclose(drawn[0], drawn[1], atol=0.05)  # copies of two lesions say no more than the two
    assert abs(drawn[0] - 0.3) < 0.1 < drawn[2] - 0.3


def test_a_class_that_no_lesion_of_a_label_shows_is_described_by_the_others():
    found = flat(np.array([[[0.2], [np.nan]], [[0.3], [0.5]]]))
    masks = squares([5, 5])
    colours = describe(found, grey(masks), masks, np.array([0, 1]), (0, 1), LESIONS)
    assert colours.mean[0][1] == 0.5
    alone = describe(Looks(found.greys[:1], found.deviations[:1]), grey(masks[:1]), masks[:1], None, (), LESIONS)
    assert alone.mean[0][:2] == (0.2, 0.0)
    assert np.isfinite(alone.draw(None, grey(masks), masks, np.random.default_rng(0)).deviations).all()


def test_greys_that_go_together_are_drawn_together():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.1, (400, 1, 1))
    found = flat(np.array([[[0.2], [-0.1]]]) + shared + rng.normal(0, 0.02, (400, 2, 1)))
    masks = squares([5] * 4000)
    colours = describe(found, grey(masks[:400]), masks[:400], None, (), LESIONS)
    drawn = colours.draw(None, grey(masks), masks, np.random.default_rng(1)).greys[:, :, 0]
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(found.greys[:, :, 0].T), atol=0.03)
    few = describe(Looks(found.greys[:3], found.deviations[:3]), grey(masks[:3]), masks[:3], None, (), LESIONS)
    drawn = few.draw(None, grey(masks), masks, np.random.default_rng(1)).greys[:, :, 0]
    assert np.corrcoef(drawn.T)[0, 1] < 0.6, "of three lesions"


def test_without_classes_there_is_nothing_to_draw():
    masks = squares([5, 5])
    nothing = describe(Looks(np.zeros((2, 0, 1)), np.zeros((2, 0, 1))), grey(masks), masks, None, (), ())
    assert nothing.draw(None, grey(masks), masks, np.random.default_rng(0)).greys.shape == (2, 0, 1)


def test_a_sample_has_the_greys_of_its_sketch():
    images, backgrounds, masks = two_lesions()
    sketches = painted(backgrounds, masks, greys(images, backgrounds, masks, LESIONS), LESIONS)
    blurred = 0.7 * images + 0.3 * backgrounds + 0.01 * torch.randn(images.shape, generator=torch.Generator())
    matched = regreyed(blurred, sketches, masks, LESIONS, np.full((2, 2, 1), np.nan))
    found = greys(matched, backgrounds, masks, LESIONS)
    np.testing.assert_allclose(found, greys(images, backgrounds, masks, LESIONS), atol=1e-6)
    assert torch.equal(matched[:, 0][masks == 0], blurred[:, 0][masks == 0])


def test_a_sample_has_the_texture_that_is_asked_for():
    masks = squares([10, 10, 2])
    backgrounds = torch.full((3, 1, 24, 24), 0.5)
    sketches = painted(backgrounds, masks, np.full((3, 2, 1), 0.1), LESIONS)
    decoded = 0.6 + 0.06 * torch.randn(backgrounds.shape, generator=torch.Generator().manual_seed(0))
    wanted = np.array([[0.03, 0.09], [0.06, 1e-9], [0.03, 0.03]])[:, :, None]
    found = looks(regreyed(decoded, sketches, masks, LESIONS, wanted), backgrounds, masks, LESIONS)
    np.testing.assert_allclose(found.deviations[:, 0, 0], [0.03, 0.06, np.nan], rtol=1e-4)
    np.testing.assert_allclose(found.deviations[[0, 2], 1, 0], [0.09, 0.03], rtol=1e-4)
    assert found.deviations[1, 1, 0] > 0.01, "within reason"
    np.testing.assert_allclose(found.greys[:, :, 0], 0.1, atol=1e-5)
