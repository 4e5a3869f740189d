"""What a user may ask of a sample, and that the samples obey."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.plugin import options_model
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.dfgm import Dfgm
from privbench.generators.lesions.windows import FADED

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
    context = Context(seed=5, path=("generator",), folder=tmp_path_factory.mktemp("controls"))
    tiny().fit(data, context)
    return context


@pytest.fixture
def draw(data: TrainingData, fitted: Context):
    """Samples of the one fitted model under some options."""

    def drawn(**options: object) -> ImageSet:
        return tiny(**options).sample(12, data, fitted.folder, fitted)

    return drawn


def middles(samples: ImageSet) -> np.ndarray:
    """Centres of mass, from 0,0 (top left) to 1,1."""
    side = samples.spatial[0] - 1
    return np.array([np.argwhere(mask).mean(0) / side for mask in samples.mask])


@pytest.mark.parametrize(
    ("site", "obeys"),
    [
        ("left", lambda y, x: x < 0.52),
        ("right", lambda y, x: x > 0.48),
        ("top", lambda y, x: y < 0.52),
        ("bottom-right", lambda y, x: (y > 0.48) & (x > 0.48)),
        ("0.4,0.6", lambda y, x: np.hypot(y - 0.4, x - 0.6) < 0.05 + 0.03),
    ],
)
def test_lesions_lie_where_they_are_asked_to(draw, site, obeys) -> None:
    assert obeys(*middles(draw(site=site)).T).all()


def test_without_a_site_lesions_lie_on_all_sides(draw) -> None:
    y, x = middles(draw()).T
    assert min(y.min(), x.min()) < 0.5 < max(y.max(), x.max())


@pytest.mark.parametrize(("low", "high"), [(0.05, 0.06), (0.01, 0.012), (0.03, None), (None, 0.012)])
def test_lesions_are_as_large_as_they_are_asked_to_be(draw, low, high) -> None:
    area = (draw(area_min=low, area_max=high).mask > 0).mean((1, 2))
    assert (area >= 0.9 * (low or 0)).all()
    assert (area <= 1.1 * (high or 1)).all()


def test_every_sample_has_the_grade_that_is_asked_for(draw, data: TrainingData) -> None:
    samples = draw(label=1)
    assert (samples.label == 1).all()
    label = dict(zip(data.members.patient.tolist(), data.members.label.tolist(), strict=True))
    assert all(label[name] == 1 for name in samples.source.tolist())


def around(samples: ImageSet, images: np.ndarray) -> list[list[int]]:
    """Which of ``images`` each sample equals to the bit from ``FADED`` pixels beyond its mask on."""
    far = [ndimage.distance_transform_edt(mask == 0) >= FADED for mask in samples.mask]
    return [
        [i for i, image in enumerate(images[:, 0]) if (image[f] == pixels[f]).all()]
        for pixels, f in zip(samples.pixels[:, 0], far, strict=True)
    ]


def test_one_public_image_serves_as_background(draw, data: TrainingData) -> None:
    assert around(draw(background=3), data.public.pixels) == [[3]] * 12
    assert around(draw(background="3"), data.public.pixels) == [[3]] * 12, "as the command line gives it"


def test_a_centres_lesions_are_shown_on_the_brains_of_another(draw, data: TrainingData) -> None:
    samples = draw(center="site-1", background="site-0")
    assert (samples.center == "site-1").all()
    center = dict(zip(data.members.patient.tolist(), data.members.center.tolist(), strict=True))
    assert all(center[name] == "site-1" for name in samples.source.tolist())
    for found in around(samples, data.public.pixels):
        assert len(found) == 1
        assert data.public.center[found[0]] == "site-0"


def test_the_style_of_a_centre_is_its_own_models(draw) -> None:
    one, other = (draw(center=center, background=2, site="0.5,0.5") for center in ("site-0", "site-1"))
    assert not np.array_equal(one.pixels, other.pixels)


def test_all_at_once(draw) -> None:
    samples = draw(site="left", area_min=0.02, area_max=0.03, label=0, center="site-0", background=4)
    assert (middles(samples)[:, 1] < 0.52).all()
    area = (samples.mask > 0).mean((1, 2))
    assert ((area > 0.018) & (area < 0.033)).all()
    assert (samples.label == 0).all()
    assert (samples.center == "site-0").all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": 7}, "option label=7: no patient"),
        ({"center": "elsewhere"}, "option center=elsewhere"),
        ({"background": 99}, "option background=99"),
        ({"background": "elsewhere"}, "option background=elsewhere"),
        ({"area_min": 0.49}, "no lesion becomes as large"),
    ],
)
def test_what_no_sample_can_be_is_refused_before_training(data: TrainingData, tmp_path: Path, options, message) -> None:
    with pytest.raises(BadInputError, match=message) as error:
        tiny(**options).fit(data, Context(folder=tmp_path))
    assert len(str(error.value).splitlines()) == 2
    assert not list(tmp_path.iterdir())


def test_a_site_off_the_brain_is_said_so(draw) -> None:
    with pytest.raises(BadInputError, match="site=0,0\n"):
        draw(site="0,0")


def test_areas_in_the_wrong_order_are_bad_input() -> None:
    with pytest.raises(BadInputError, match=r"area_min=0.3 is more than area_max=0.1"):
        tiny(area_min=0.3, area_max=0.1)


@pytest.mark.parametrize(
    "options",
    [{"site": "above"}, {"site": "1.2,0"}, {"site": "0.5"}, {"area_min": 0}, {"area_max": 0.9}],
)
def test_options_out_of_range_are_refused(options) -> None:
    with pytest.raises(ValidationError):
        options_model(Dfgm)(**options)


@pytest.mark.parametrize("patients", [1, 0, -4])
def test_a_model_of_one_patient_is_refused(patients) -> None:
    with pytest.raises(BadInputError, match=f"option patients={patients}"):
        tiny(patients=patients)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"site": "top-left"}, {}),
        ({"site": ".4,1"}, {}),
        ({"patients": "all"}, {}),
        ({"patients": "4"}, {"patients": 4}),
    ],
)
def test_options_are_taken_as_the_command_line_gives_them(given, taken) -> None:
    options = options_model(Dfgm)(**given)
    assert {name: getattr(options, name) for name in given} == given | taken
