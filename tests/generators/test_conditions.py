"""What a model is told of an image: from records to tensors, and what is withheld or missing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from privbench.audit.errors import BadInputError
from privbench.audit.types import ImageSet
from privbench.generators.latent.conditions import Conditioner
from privbench.generators.latent.records import UNKNOWN, Told, moved, settle
from privbench.generators.lesions.foreground import tissue_of


@pytest.fixture
def members(make_images: Callable[..., ImageSet]) -> ImageSet:
    return make_images("member", 6)


def test_by_default_a_model_is_told_whatever_there_is(members: ImageSet) -> None:
    everything = settle("ldm", members, None, None, "auto")
    assert everything == Told(labels=(0, 1), centers=("site-0", "site-1"), lesion="mask", lesions=(1, 2))
    bare = ImageSet(members.pixels, members.patient)
    assert settle("ldm", bare, None, None, "auto") == Told()
    assert settle("ldm", members, False, False, "none").beyond_label is False
    one = replace(members, center=np.full(len(members), "only"), mask=np.zeros_like(members.mask))
    assert settle("ldm", one, None, None, "auto") == Told(labels=(0, 1)), "one centre and empty masks tell nothing"


@pytest.mark.parametrize(
    ("asked", "lacks"),
    [
        ((True, None, "auto"), "label=true, but .* no labels"),
        ((None, True, "auto"), "center=true, but .* no centres"),
        ((None, None, "mask"), "lesion=mask, but .* no masks"),
        ((None, None, "box"), "lesion=box, but .* no masks"),
        ((None, None, "attributes"), "lesion=attributes, but .* no masks"),
    ],
)
def test_what_is_asked_for_and_lacking_is_bad_input(asked: tuple, lacks: str, members: ImageSet) -> None:
    with pytest.raises(BadInputError, match=lacks):
        settle("ldm", ImageSet(members.pixels, members.patient), *asked)
    settle("ldm", members, *asked)


def example() -> ImageSet:
    mask = np.zeros((3, 32, 32), np.uint8)
    mask[0, 4:8, 10:18] = 1
    mask[0, 4, 10] = 0  # the box around a lesion has corners that the lesion lacks
    mask[1, 16:32, 16:32] = 2
    return ImageSet(
        np.zeros((3, 1, 32, 32), np.float32),
        np.array(list("abc")),
        label=np.array([5, 9, 7]),
        center=np.array(["west", "east", "moon"]),
        mask=mask,
    )


def test_labels_and_centres_nobody_has_are_not_told() -> None:
    told = Told(labels=(5, 9), centers=("east", "west"))
    label, given, mask = told.tensors(example())
    assert label.tolist() == [0, 1, 2]
    assert given.tolist() == [[1.0], [0.0], [torch.inf]]
    assert mask.shape == (3, 0, 0)
    assert told.network(label, given, mask, 4)[1] is None


def test_a_mask_has_a_plane_for_each_class_and_none_where_it_is_not_told() -> None:
    told = Told(lesion="mask", lesions=(1, 2))
    images = example()
    label, given, mask = told.tensors(images)
    mask[2] = UNKNOWN
    planes = torch.nn.functional.pixel_shuffle(told.network(label, given, mask, 4)[1], 4)
    assert planes.shape == (3, 2, 32, 32)
    assert told.planes(4) == 32
    for k in (0, 1):
        assert torch.equal(planes[:2, k] > 0, torch.from_numpy(images.mask[:2] == k + 1))
        assert set(planes[:2, k].unique().tolist()) == {-1.0, 1.0}
    assert (planes[2] == 0).all()
    assert told.network(label, given, mask, 4)[2] is None


def test_a_box_is_filled_and_hides_the_outline() -> None:
    told = Told(lesion="box", lesions=(1, 2))
    _, _, box = told.tensors(example())
    assert box[0].sum() == 4 * 8
    assert box[0, 4, 10] == 1
    assert told.planes(8) == 64


def test_attributes_are_size_and_place() -> None:
    told = Told(lesion="attributes", centers=("east", "west"))
    _, given, mask = told.tensors(example())
    size = 8 * np.sqrt(16 * 16 / 32**2)
    assert given[1].tolist() == pytest.approx([0.0, size, 0.5, 0.5])
    assert given[2, 1:].tolist() == [0.0, 0.0, 0.0]
    assert mask.shape == (3, 0, 0)
    unknown = told.tensors(replace(example(), mask=None))[1]
    assert torch.isinf(unknown[:, 1:]).all()


@pytest.mark.parametrize("lesion", ["none", "mask", "box", "attributes"])
def test_nothing_is_what_is_told_of_an_image_without_a_record(lesion: str) -> None:
    told = Told(labels=(5, 9), centers=("east", "west"), lesion=lesion, lesions=(1, 2))
    images = example()
    bare = told.tensors(ImageSet(images.pixels, images.patient))
    assert all(torch.equal(a, b) for a, b in zip(told.nothing(told.tensors(images)), bare, strict=True))


def test_each_condition_has_a_vector_of_its_own_for_not_told() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Conditioner(2, 2, 3, 8)
        torch.nn.init.normal_(model.no_attributes)
    whole = torch.tensor([[1.0, 0.1, 0.2, 0.3]])
    variants = [
        (torch.tensor([0]), whole),
        (torch.tensor([2]), whole),
        (torch.tensor([0]), torch.tensor([[torch.inf, 0.1, 0.2, 0.3]])),
        (torch.tensor([0]), torch.tensor([[1.0, torch.inf, torch.inf, torch.inf]])),
    ]
    vectors = torch.cat([model(*one) for one in variants])
    assert vectors.isfinite().all()
    assert (torch.cdist(vectors, vectors) + 9 * torch.eye(4)).min() > 0.1
    assert torch.equal(model(torch.tensor([0]), None), model(torch.tensor([0]), torch.full((1, 4), torch.inf)))


def test_a_moved_lesion_lies_on_tissue_and_is_nobodys(members: ImageSet) -> None:
    rng = np.random.default_rng(0)
    for image, mask in zip(members.pixels, members.mask, strict=True):
        found = moved(image, mask, rng)
        assert found.dtype == np.uint8
        assert set(np.unique(found)) == set(np.unique(mask))
        assert not (found[~tissue_of(image)] > 0).any()
        assert 0.5 < (found > 0).sum() / (mask > 0).sum() < 1.6
        assert not (members.mask == found).all((1, 2)).any()
    assert not moved(image, np.zeros_like(mask), rng).any()
