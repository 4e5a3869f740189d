"""Synthetic images that somebody hands over."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.folder import Folder


@pytest.fixture
def handed_over(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def table(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read(folder: Path, data: TrainingData, context: Context, n: int | None = None, size: int | None = None) -> ImageSet:
    generator = Folder(path=folder, size=size)
    generator.fit(data, context)
    return generator.sample(n, data, context.folder, context)


def test_without_metadata_all_images_are_taken_by_name(handed_over: Path, data: TrainingData, context: Context) -> None:
    (handed_over / "notes.txt").write_text("not an image")
    samples = read(handed_over, data, context)
    assert samples.pixels.shape == (4, 1, 32, 32)
    assert np.allclose(samples.pixels[2, 0], np.asarray(Image.open(handed_over / "2.png")) / 255)
    assert samples.label is None
    assert samples.mask is None


def test_metadata_brings_label_mask_center_and_source(handed_over: Path, data: TrainingData, context: Context) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[4:9, 5:9] = 3
    Image.fromarray(mask).save(handed_over / "m.png")
    table(
        handed_over,
        [
            {"file_name": "3.png", "label": 1, "mask_file_name": "m.png", "center": "a", "source": "member-1"},
            {"file_name": "0.png", "label": 0, "mask_file_name": "", "center": "b", "source": ""},
        ],
    )
    samples = read(handed_over, data, context)
    assert np.allclose(samples.pixels[0, 0], np.asarray(Image.open(handed_over / "3.png")) / 255)
    assert samples.label.tolist() == [1, 0]
    assert samples.source.tolist() == ["member-1", ""]
    assert samples.center.tolist() == ["a", "b"]
    assert (samples.mask[0] == mask).all()
    assert not samples.mask[1].any()


def test_images_take_the_channels_of_the_cohort(tmp_path: Path, data: TrainingData, context: Context) -> None:
    image = np.rint(data.members.pixels[0, 0] * 255).astype(np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(image).convert("RGB").save(folder / "colour.png")
    Image.fromarray(image.astype(np.uint16) * 257).save(folder / "deep.png")
    for pixels in read(folder, data, context).pixels:
        assert np.abs(pixels[0] - image / 255).max() < 1e-6


def test_another_size_names_both_and_size_mends_it(handed_over: Path, data: TrainingData, context: Context) -> None:
    big = np.kron(np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32), np.ones((2, 2), np.float32))
    np.save(handed_over / "big.npy", big)
    with pytest.raises(BadInputError, match=r"big\.npy is 64x64, the cohort's images are 32x32"):
        read(handed_over, data, context)
    samples = read(handed_over, data, context, size=32)
    assert samples.pixels[-1, 0].mean() == pytest.approx(0.5, abs=0.01)


def _truncate(folder: Path) -> str:
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:200])
    return r"0\.png cannot be read"


def _missing(folder: Path) -> str:
    table(folder, [{"file_name": "nowhere.png"}])
    return r"nowhere\.png does not exist"


def _column(folder: Path) -> str:
    table(folder, [{"name": "0.png", "label": 1}])
    return "no column 'file_name'\ncolumns: name, label"


def _label(folder: Path) -> str:
    table(folder, [{"file_name": "0.png", "label": 1}, {"file_name": "1.png", "label": "grade II"}])
    return "row 3 has label 'grade II'"


def _rows(folder: Path) -> str:
    (folder / "metadata.csv").write_text("file_name,label\n")
    return "lists no images"


def _empty(folder: Path) -> str:
    for file in folder.iterdir():
        file.unlink()
    return "no images in"


def _gone(folder: Path) -> str:
    _empty(folder)
    folder.rmdir()
    return "is not a folder"


def _mask(folder: Path) -> str:
    np.save(folder / "m.npy", np.ones((32, 32), np.float32))
    table(folder, [{"file_name": "0.png", "mask_file_name": "m.npy"}])
    return r"the mask .*m\.npy"


@pytest.mark.parametrize(
    "spoil",
    [_truncate, _missing, _column, _label, _rows, _empty, _gone, _mask],
)
def test_bad_input_is_named_in_two_lines(
    spoil: Callable[[Path], str], handed_over: Path, data: TrainingData, context: Context
) -> None:
    message = spoil(handed_over)
    with pytest.raises(BadInputError, match=message) as error:
        read(handed_over, data, context)
    assert len(str(error.value).splitlines()) <= 2
    assert not (context.folder / "pixels.npy").exists() or message.startswith("the mask")


def test_fewer_samples_are_a_random_part_and_more_are_refused(
    handed_over: Path, data: TrainingData, context: Context
) -> None:
    part = read(handed_over, data, context, n=2)
    assert len(part) == 2
    with pytest.raises(BadInputError, match="5 samples asked for, the folder has 4"):
        read(handed_over, data, context, n=5)
