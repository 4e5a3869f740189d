import numpy as np
import torch

from privbench.generators.lesions.colours import describe, greys, painted, regreyed

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


def test_greys_are_told_relative_to_the_tissue_around():
    found = greys(*two_lesions(), LESIONS)
    np.testing.assert_allclose(found[:, :, 0], [[0.2, 0.4], [-0.2, np.nan]], atol=1e-6)


def test_painting_with_an_images_own_greys_gives_back_a_flat_image():
    images, backgrounds, masks = two_lesions()
    sketch = painted(backgrounds, masks, greys(images, backgrounds, masks, LESIONS), LESIONS)
    torch.testing.assert_close(sketch, images)


def test_a_sketch_leaves_everything_but_the_lesion_as_it_is():
    _, backgrounds, masks = two_lesions()
    sketch = painted(backgrounds, masks, np.full((2, 2, 1), 0.3), LESIONS)
    assert torch.equal(sketch[:, 0][masks == 0], backgrounds[:, 0][masks == 0])


def test_drawn_greys_follow_the_description():
    found = np.random.default_rng(0).normal([[0.2], [-0.1]], [[0.05], [0.02]], (500, 2, 1))
    label = np.arange(500) % 2
    colours = describe(found, label, (0, 1), LESIONS)
    drawn = colours.draw(label, 500, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(0)[:, 0], [0.2, -0.1], atol=0.01)
    np.testing.assert_allclose(drawn.std(0)[:, 0], [0.05, 0.02], rtol=0.15)


def test_a_class_that_no_lesion_of_a_label_shows_is_described_by_the_others():
    found = np.array([[[0.2], [np.nan]], [[0.3], [0.5]]])
    colours = describe(found, np.array([0, 1]), (0, 1), LESIONS)
    assert colours.mean[0][1] == (0.5,)
    assert describe(found[:1], None, (), LESIONS).mean == (((0.2,), (0.0,)),)


def test_greys_that_go_together_are_drawn_together():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.1, (400, 1, 1))
    found = np.array([[[0.2], [-0.1]]]) + shared + rng.normal(0, 0.02, (400, 2, 1))
    colours = describe(found, None, (), LESIONS)
    drawn = colours.draw(None, 4000, np.random.default_rng(1))[:, :, 0]
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(found[:, :, 0].T), atol=0.03)
    few = describe(found[:3], None, (), LESIONS).draw(None, 4000, np.random.default_rng(1))[:, :, 0]
    assert np.corrcoef(few.T)[0, 1] < 0.6, "three lesions say little of what goes together"


def test_a_sample_has_the_greys_of_its_sketch():
    images, backgrounds, masks = two_lesions()
    sketches = painted(backgrounds, masks, greys(images, backgrounds, masks, LESIONS), LESIONS)
    blurred = 0.7 * images + 0.3 * backgrounds + 0.01 * torch.randn(images.shape, generator=torch.Generator())
    found = greys(regreyed(blurred, sketches, masks, LESIONS), backgrounds, masks, LESIONS)
    np.testing.assert_allclose(found, greys(images, backgrounds, masks, LESIONS), atol=1e-6)
    assert torch.equal(regreyed(blurred, sketches, masks, LESIONS)[:, 0][masks == 0], blurred[:, 0][masks == 0])
