"""One picture, however it was stored and whoever reads it."""

import csv
from functools import partial

import numpy as np
import pytest
from PIL import Image

from privbench.audit.errors import BadInputError
from privbench.audit.outputs import RunFolder
from privbench.audit.reading.pictures import read_mask, read_picture
from privbench.audit.types import ImageSet

# How the cohort and the generator `folder` read: as stored, or with the channels that the cohort has.
READERS = {
    "cohort 'folder'": partial(read_picture, label="cohort 'folder'"),
    "generator 'folder'": partial(read_picture, label="generator 'folder'", channels=1),
}
IMAGE = np.random.default_rng(0).random((24, 24), np.float32)
EIGHT, SIXTEEN = np.rint(IMAGE * 255).astype(np.uint8), np.rint(IMAGE * 65535).astype(np.uint16)


@pytest.fixture(params=list(READERS))
def reader(request):
    return READERS[request.param]


def write(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


def refusal(call) -> str:
    with pytest.raises(BadInputError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(("cohort 'folder': ", "generator 'folder': "))
    assert len(message.splitlines()) == 2
    return message


@pytest.mark.parametrize(
    ("name", "stored", "wanted"),
    [
        ("a.png", EIGHT, EIGHT / 255),
        ("a.PNG", EIGHT, EIGHT / 255),
        ("a.tif", EIGHT, EIGHT / 255),
        ("a.png", SIXTEEN, SIXTEEN / 65535),
        ("a.tiff", SIXTEEN, SIXTEEN / 65535),
        ("a.tif", SIXTEEN.astype(">u2"), SIXTEEN / 65535),
        ("a.tif", SIXTEEN.astype(np.int32), SIXTEEN / 65535),
        ("a.tif", IMAGE, IMAGE),
        ("a.npy", IMAGE, IMAGE),
        ("a.npy", IMAGE[None], IMAGE),
        ("a.npy", IMAGE[..., None].astype(np.float64), IMAGE),
        ("a.npy", EIGHT, EIGHT / 255),
        ("a.npy", SIXTEEN, SIXTEEN / 65535),
        ("a.npy", SIXTEEN.astype(">u2"), SIXTEEN / 65535),
        ("a.npy", IMAGE > 0.5, IMAGE > 0.5),
    ],
)
def test_every_depth_and_format_keeps_its_values(tmp_path, reader, name, stored, wanted):
    found = reader(write(tmp_path / name, stored))
    assert found.shape == (1, 24, 24)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], wanted, rtol=1e-7)


def test_a_released_image_is_read_back_exactly(tmp_path, reader):
    levels = np.random.default_rng(1).integers(0, 65536, (3, 1, 16, 16))
    pixels = (levels / 65535).astype(np.float32)
    RunFolder(tmp_path).write_samples(ImageSet(pixels, np.array(["a", "b", "c"])), "key", shown=True)
    with (tmp_path / "samples" / "metadata.csv").open() as file:
        names = [row["file_name"] for row in csv.DictReader(file)]
    found = np.stack([reader(tmp_path / "samples" / name) for name in names])
    np.testing.assert_array_equal(found, pixels)


def test_a_released_colour_image_is_read_back_exactly(tmp_path):
    pixels = (np.random.default_rng(1).integers(0, 256, (1, 3, 16, 16)) / 255).astype(np.float32)
    RunFolder(tmp_path).write_samples(ImageSet(pixels, np.array(["a"])), "key", shown=True)
    path = tmp_path / "samples" / "images" / "000000.png"
    for channels in (None, 3):
        np.testing.assert_array_equal(read_picture(path, "x", channels=channels), pixels[0])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_colour_stays_colour_unless_grey_is_asked_for(tmp_path, mode):
    path = tmp_path / f"a.{'tif' if mode == 'CMYK' else 'png'}"
    Image.fromarray(np.stack([EIGHT, EIGHT.T, 255 - EIGHT], -1)).convert(mode).save(path)
    colour = read_picture(path, "x")
    assert colour.shape == (3, 24, 24)
    np.testing.assert_array_equal(read_picture(path, "x", channels=3), colour)
    grey = read_picture(path, "x", channels=1)
    luma = np.tensordot([0.299, 0.587, 0.114], colour, 1)  # ITU-R 601-2
    np.testing.assert_allclose(grey[0], luma, atol=1.5 / 255)


@pytest.mark.parametrize("stored", [EIGHT, SIXTEEN, IMAGE])
def test_grey_becomes_colour_if_asked_for(tmp_path, stored):
    path = write(tmp_path / "a.tif", stored)
    np.testing.assert_array_equal(read_picture(path, "x", channels=3), np.repeat(read_picture(path, "x"), 3, axis=0))


def test_transparency_is_no_image(tmp_path, reader):
    path = write(tmp_path / "a.png", np.stack([EIGHT, EIGHT.T], -1))
    np.testing.assert_allclose(reader(path)[0], EIGHT / 255, rtol=1e-7)
    np.testing.assert_allclose(read_picture(path, "x", channels=2)[1], EIGHT.T / 255, rtol=1e-7)
    message = refusal(partial(read_picture, write(tmp_path / "b.png", EIGHT), "cohort 'folder'", channels=4))
    assert "b.png is an array (1, 24, 24)" in message
    assert "(4, height, width)" in message


@pytest.mark.parametrize("channels", [None, 3])
def test_colour_first_or_last_in_npy(tmp_path, channels):
    colour = np.random.default_rng(2).random((3, 24, 20), np.float32)
    for name, stored in (("first.npy", colour), ("last.npy", np.moveaxis(colour, 0, -1))):
        np.testing.assert_array_equal(read_picture(write(tmp_path / name, stored), "x", channels=channels), colour)


def test_a_size_resamples_the_whole_picture(tmp_path, reader):
    ramp = np.kron(np.linspace(0, 1, 576, dtype=np.float32).reshape(24, 24), np.ones((2, 2), np.float32))
    path = write(tmp_path / "a.npy", ramp)
    assert reader(path, size=24).shape == (1, 24, 24)
    assert reader(path, size=24).mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(reader(path, size=48), reader(path))


def truncated(path):
    write(path, EIGHT)
    path.write_bytes(path.read_bytes()[:200])


def spoilt(value):
    array = IMAGE.copy()
    array[3, 3] = value
    return array


SPOILT = {
    "cut.png": (truncated, "cannot be read"),
    "cut.tif": (truncated, "cannot be read"),
    "cut.npy": (truncated, "cannot be read"),
    "text.png": (lambda p: p.write_text("no image"), "cannot be read"),
    "objects.npy": (lambda p: np.save(p, np.array([{"a": 1}], dtype=object), allow_pickle=True), "cannot be read"),
    "absent.png": (lambda p: None, "does not exist"),
    "absent.npy": (lambda p: None, "does not exist"),
    "a.jpg": (lambda p: write(p, EIGHT), "no known format\nuse .png, .tif, .tiff, .npy"),
    "nan.npy": (lambda p: np.save(p, spoilt(np.nan)), "NaN or infinite pixels (1 of 576)"),
    "inf.npy": (lambda p: np.save(p, spoilt(np.inf)), "NaN or infinite pixels (1 of 576)"),
    "nan.tif": (lambda p: write(p, spoilt(np.nan)), "NaN or infinite pixels (1 of 576)"),
    "range.npy": (lambda p: np.save(p, np.linspace(-100, 200, 576).reshape(24, 24)), "pixels from -100 to 200"),
    "signed.npy": (lambda p: np.save(p, EIGHT.astype(np.int16)), "(int16)"),
    "constant.png": (lambda p: write(p, np.full((24, 24), 9, np.uint8)), "is constant"),
    "empty.npy": (lambda p: np.save(p, np.zeros((0, 24))), "has no pixels"),
    "line.npy": (lambda p: np.save(p, IMAGE[0]), "is an array (24,)"),
    "complex.npy": (lambda p: np.save(p, IMAGE.astype(complex)), "complex128"),
    "frames.tif": (
        lambda p: Image.fromarray(EIGHT).save(p, save_all=True, append_images=[Image.fromarray(EIGHT.T)]),
        "several frames",
    ),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_a_spoilt_picture_is_named_in_two_lines(tmp_path, reader, name):
    spoil, words = SPOILT[name]
    path = tmp_path / name
    spoil(path)
    message = refusal(lambda: reader(path))
    assert name in message
    assert words in message
    assert str(tmp_path) not in message


CLASSES = np.random.default_rng(3).integers(0, 5, (24, 24)).astype(np.uint8)


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.npy"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_keeps_its_classes(tmp_path, name, kind):
    found = read_mask(write(tmp_path / name, CLASSES.astype(kind)), "x")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, CLASSES)


def test_a_mask_of_palette_numbers_is_read_as_numbers(tmp_path):
    picture = Image.fromarray(CLASSES).convert("P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 1, 2, 3])
    picture.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", "x"), np.asarray(picture))


def test_a_resized_mask_invents_no_class(tmp_path):
    path = write(tmp_path / "m.png", CLASSES * 50)
    assert set(np.unique(read_mask(path, "x", size=17))) <= set(np.unique(CLASSES * 50))
    np.testing.assert_array_equal(read_mask(path, "x", size=48)[::2, ::2], CLASSES * 50)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("m.npy", np.ones((24, 24), np.float32)),
        ("m.npy", np.full((24, 24), -1)),
        ("m.npy", np.full((24, 24), 256)),
        ("m.npy", np.ones((2, 24, 24), np.uint8)),
        ("m.npy", np.zeros((0, 24), np.uint8)),
        ("m.png", np.stack([CLASSES] * 3, -1)),
    ],
)
def test_a_mask_of_anything_but_classes_is_named(tmp_path, name, stored):
    path = write(tmp_path / name, stored)
    message = refusal(lambda: read_mask(path, "cohort 'folder'"))
    assert f"the mask {name} is an array" in message
    assert "class numbers from 0" in message


def test_an_unreadable_mask_is_named(tmp_path):
    truncated(tmp_path / "m.png")
    assert "m.png cannot be read" in refusal(lambda: read_mask(tmp_path / "m.png", "generator 'folder'"))
