"""Private tumours on public brains."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.power.blend import feather
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.dfgm import Dfgm
from privbench.generators.lesions.foreground import (
    blend,
    cut,
    fluid_of,
    grain,
    paste,
    place,
    radius,
    regrained,
    tissue_of,
    turned,
)

SMALL = {"channels": 16, "autoencoder_channels": 16, "latent_channels": 4, "batch": 4, "sampling_steps": 2, "blends": 1}


def tiny(**options: object) -> Dfgm:
    return Dfgm(**{"autoencoder_steps": 2, "shared_steps": 2, "steps": 2, **SMALL, **options})


@pytest.fixture(scope="module", autouse=True)
def _few_drawn_windows() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privbench.generators.dfgm.DRAWN", 64)
        yield


@pytest.fixture(scope="module")
def fitted(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Context:
    context = Context(seed=5, path=("generator",), folder=tmp_path_factory.mktemp("dfgm"))
    tiny().fit(data, context)
    return context


@pytest.fixture(scope="module")
def samples(data: TrainingData, fitted: Context) -> ImageSet:
    return tiny().sample(None, data, fitted.folder, fitted)


def test_samples_are_whole_records(data: TrainingData, samples: ImageSet) -> None:
    assert samples.pixels.shape == data.members.pixels.shape
    assert samples.pixels.dtype == np.float32
    assert np.isfinite(samples.pixels).all()
    assert samples.pixels.min() >= 0
    assert samples.pixels.max() <= 1
    assert samples.mask.reshape(40, -1).any(1).all()
    assert set(np.unique(samples.mask)) <= set(np.unique(data.members.mask))
    known = {
        p: (int(lb), c) for p, lb, c in zip(data.members.patient, data.members.label, data.members.center, strict=True)
    }
    for source, label, center in zip(samples.source, samples.label, samples.center, strict=True):
        assert known[source] == (label, center)
    assert np.unique(samples.source, return_counts=True)[1].tolist() == [4] * 10
    assert len(set(samples.patient.tolist())) == 40


def test_away_from_the_lesion_a_sample_is_a_public_image_to_the_bit(data: TrainingData, samples: ImageSet) -> None:
    for pixels, mask, center in zip(samples.pixels[:, 0], samples.mask, samples.center, strict=True):
        far = ndimage.distance_transform_edt(mask == 0) > 4
        own = data.public.pixels[data.public.center == center, 0]
        assert any((image[far] == pixels[far]).all() for image in own)


def test_a_lesion_lies_in_the_brain(data: TrainingData, samples: ImageSet) -> None:
    for pixels, mask in zip(samples.pixels[:, 0], samples.mask, strict=True):
        far = ndimage.distance_transform_edt(mask == 0) > 4
        background = next(image for image in data.public.pixels if (image[0][far] == pixels[far]).all())
        assert tissue_of(background)[mask > 0].all()


def test_one_seed_gives_one_release(data: TrainingData, fitted: Context, samples: ImageSet, tmp_path: Path) -> None:
    again = replace(fitted, folder=tmp_path)
    tiny().fit(data, again)
    for file in fitted.folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    assert (tiny().sample(None, data, tmp_path, again).pixels == samples.pixels).all()
    assert not (tiny().sample(None, data, tmp_path, replace(again, seed=6)).pixels == samples.pixels).all()


def test_finished_models_are_not_trained_again(data: TrainingData, fitted: Context, tmp_path: Path) -> None:
    context = replace(fitted, folder=tmp_path)
    for file in fitted.folder.iterdir():
        if file.name not in {"unet-1.safetensors", "unet-1.json", "agreement.json"}:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    before = (tmp_path / "unet-0.safetensors").stat().st_mtime_ns
    tiny().fit(data, context)
    assert (tmp_path / "unet-0.safetensors").stat().st_mtime_ns == before
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        p.name: p.read_bytes() for p in fitted.folder.iterdir()
    }


def test_without_centers_there_is_one_model(data: TrainingData, context: Context) -> None:
    one = replace(
        data, members=replace(data.members, center=None, label=None), public=replace(data.public, center=None)
    )
    tiny().fit(one, context)
    samples = tiny().sample(3, one, context.folder, context)
    assert [p.name for p in context.folder.glob("unet-*.safetensors")] == ["unet-0.safetensors"]
    assert samples.center is None
    assert samples.label is None


def test_the_denoiser_answers_alike_in_any_order(
    data: TrainingData, fitted: Context, make_images: Callable[..., ImageSet]
) -> None:
    denoiser = tiny().denoiser(data, fitted.folder, fitted)
    candidates = make_images("holdout", 4)
    order = np.random.default_rng(0).permutation(16)
    straight, mixed = denoiser.prepare(candidates), denoiser.prepare(candidates.take(order))
    assert torch.allclose(straight.latents[order], mixed.latents, atol=1e-4)
    t = torch.full((16,), 300)
    noise = denoiser.predict_noise(straight.latents, t, straight.condition)
    shuffled = denoiser.predict_noise(mixed.latents, t, mixed.condition)
    assert noise.shape == straight.latents.shape
    assert torch.allclose(noise[order], shuffled, atol=1e-3)
    elsewhere = (straight.condition[0], 1 - straight.condition[1], straight.condition[2])
    other = denoiser.predict_noise(straight.latents, t, elsewhere)
    assert not torch.allclose(noise, other, atol=1e-3), "every centre has a model of its own"


def test_a_denoiser_without_masks_is_bad_input(data: TrainingData, fitted: Context) -> None:
    denoiser = tiny().denoiser(data, fitted.folder, fitted)
    with pytest.raises(BadInputError, match="needs the lesion masks"):
        denoiser.prepare(replace(data.members, mask=None))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: replace(d, public=None), "no public images"),
        (lambda d: replace(d, members=replace(d.members, mask=None)), "there are no masks"),
        (lambda d: replace(d, members=replace(d.members, mask=np.zeros_like(d.members.mask))), "every mask is empty"),
        (
            lambda d: replace(d, public=ImageSet(np.zeros((1, 3, 32, 32), np.float32), np.array(["a"]))),
            "public images are",
        ),
    ],
)
def test_what_it_cannot_do_without_is_bad_input(
    spoil: Callable[[TrainingData], TrainingData], message: str, data: TrainingData, context: Context
) -> None:
    with pytest.raises(BadInputError, match=message) as error:
        tiny().fit(spoil(data), context)
    assert len(str(error.value).splitlines()) == 2


def test_a_feather_is_opaque_on_the_lesion_and_its_margin_and_gone_beyond_its_edge() -> None:
    mask = np.zeros((21, 21), np.uint8)
    mask[10, 10] = 1
    alpha = feather(mask, 2.0, 2.0)
    assert alpha[10, 8:13].tolist() == [1.0] * 5
    assert 0 < alpha[10, 13] < 1
    assert 0 < alpha[10, 14] < alpha[10, 13]
    assert not alpha[10, 15:].any()
    assert not feather(np.zeros_like(mask), 2.0, 2.0).any()


def test_pasting_a_window_back_where_it_was_cut_changes_nothing(data: TrainingData) -> None:
    rng = np.random.default_rng(0)
    for pixels, mask in zip(data.members.pixels[:10], data.members.mask[:10], strict=True):
        at = place(mask[4:28, 4:28], pixels, rng)
        assert np.allclose(paste(at.background, at.alpha, at.corner, pixels), pixels, atol=1e-6)
        assert at.mask_in((32, 32)).sum() == at.mask.sum()


def test_a_lesion_too_large_for_the_brain_is_clipped_to_it(data: TrainingData) -> None:
    at = place(np.ones((32, 32), np.uint8), data.public.pixels[0], np.random.default_rng(0))
    tissue = tissue_of(data.public.pixels[0])
    assert at.mask_in((32, 32)).any()
    assert tissue[at.mask_in((32, 32)) > 0].all()


def test_a_lesion_leaves_the_ventricles_free_where_it_can() -> None:
    """A brain with fluid in its right half: tissue on the left has room for the lesion, so there it is placed."""
    y, x = np.mgrid[:40, :40]
    head = np.hypot(y - 19.5, x - 19.5) < 18
    fluid = head & (np.hypot(y - 19.5, x - 28) < 7)
    image = np.select([fluid, head], [0.15, 0.6], 0.0).astype(np.float32)[None]
    assert np.array_equal(fluid_of(image, tissue_of(image)), fluid)
    mask = np.zeros((24, 24), np.uint8)
    mask[9:15, 9:15] = 1
    rng = np.random.default_rng(0)
    at = [place(mask, image, rng).mask_in((40, 40)) > 0 for _ in range(30)]
    assert not any((fluid & here).any() for here in at)
    assert len({here.tobytes() for here in at}) > 15, "at many places"
    everywhere = np.where(head, 0.6, 0.0).astype(np.float32)[None]
    assert not fluid_of(everywhere, tissue_of(everywhere)).any()
    right = x > 26
    forced = place(mask, image, rng, right)
    assert right[tuple(np.rint(np.argwhere(forced.mask_in((40, 40))).mean(0)).astype(int))], "a wish comes first"


def test_a_turned_lesion_keeps_its_size_and_stays_within_reach(data: TrainingData) -> None:
    rng = np.random.default_rng(0)
    lesion = cut(data.members.pixels[0], data.members.mask[0], 24)
    areas = [(turned(lesion, 9.0, rng).mask > 0).sum() / (lesion.mask > 0).sum() for _ in range(100)]
    assert 0.5 < min(areas) < max(areas) < 1.7, "a lesion of 14 pixels changes in steps"
    assert np.mean(areas) == pytest.approx(1.0, abs=0.1)
    large = replace(lesion, mask=np.ones_like(lesion.mask))
    assert max(radius(turned(large, 9.0, rng).mask) for _ in range(20)) < 24


def test_a_small_dark_core_stays_dark_when_its_lesion_is_turned() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40] - 20
    away = np.hypot(y, x)
    mask = np.select([away < 2.5, away < 8], [1, 4], 0).astype(np.uint8)
    pixels = np.select([mask == 1, mask == 4], [0.25, 0.65], 0.5).astype(np.float32)[None]
    lesion = cut(pixels, mask, 40)
    cores = [moved.pixels[0][moved.mask == 1].mean() for moved in (turned(lesion, 17.0, rng) for _ in range(50))]
    assert np.mean(cores) == pytest.approx(0.25, abs=0.05)


def test_the_grain_of_noise_is_its_deviation_and_can_be_given_back() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 1
    y, x = np.mgrid[:40, :40] / 40
    smooth = np.stack([0.3 + 0.2 * x * y, 0.5 + 0.1 * y]).astype(np.float32)
    noisy = smooth + np.array([0.03, 0.01], np.float32)[:, None, None] * rng.standard_normal((2, 40, 40), np.float32)
    assert grain(noisy, mask) == pytest.approx([0.03, 0.01], rel=0.1)
    assert grain(regrained(smooth, mask, grain(noisy, mask), rng), mask) == pytest.approx([0.03, 0.01], rel=0.1)
    assert np.array_equal(regrained(noisy, mask, np.zeros(2, np.float32), rng), noisy), "nothing is taken away"
    lesion = cut(noisy, mask[:, ::-1].copy(), 40)
    turns = [turned(lesion, 17.0, rng) for _ in range(10)]
    assert np.mean([grain(t.pixels, t.mask) for t in turns], 0) == pytest.approx([0.03, 0.01], rel=0.15)


def test_a_lesion_is_turned_to_the_size_that_is_asked_for() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[14:26, 15:25] = 1
    lesion = cut(np.full((1, 40, 40), 0.5, np.float32), mask, 40)
    rng = np.random.default_rng(0)
    areas = [(turned(lesion, 17.0, rng, (270, 280)).mask > 0).sum() for _ in range(50)]
    assert np.mean(areas) == pytest.approx(275, rel=0.05)
    assert 180 < min(areas) < max(areas) < 400, "before the tries that hold it to a tenth"


def test_blending_harmonises_a_foreground_with_the_tissue_around_it(data: TrainingData) -> None:
    """The same background under a darker receive field: the lesion follows it, half of the way at least."""
    foreground = cut(data.members.pixels[0], data.members.mask[0], 24)
    background = data.public.pixels[4]
    darker = (0.9 * background).astype(np.float32)
    for seed in range(10):
        bright = place(foreground.mask, background, np.random.default_rng(seed))
        dark = place(foreground.mask, darker, np.random.default_rng(seed))
        lesion = bright.mask > 0
        expected = blend(foreground, bright)[0][lesion].mean()
        assert 0.9 <= blend(foreground, dark)[0][lesion].mean() / expected <= 0.96
        assert (blend(foreground, dark)[0][dark.alpha == 0] == dark.background[0][dark.alpha == 0]).all()
