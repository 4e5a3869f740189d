"""Synthetic images in stacks, archives, DICOM and NIfTI, and readings that were killed."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from privbench.audit.context import Context
from privbench.audit.errors import BadInputError
from privbench.audit.types import ImageSet, TrainingData
from privbench.generators.folder import Folder
from privbench.generators.reading import intake
from privbench.generators.reading.growing import GrowingArray
from privbench.generators.reading.listing import listed
from privbench.generators.reading.stacks import Reader

IMAGES = np.random.default_rng(0).random((7, 32, 32)).astype(np.float32)
LABELS = np.arange(7) % 2
MASKS = (IMAGES > 0.9).astype(np.uint8)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def colour(data: TrainingData) -> TrainingData:
    return replace(data, members=replace(data.members, pixels=np.repeat(data.members.pixels, 3, axis=1)))


def read(path: Path, data: TrainingData, context: Context, n: int | None = None, **options: object) -> ImageSet:
    generator = Folder(path=path, **options)
    generator.fit(data, context)
    return generator.sample(n, data, context.folder, context)


def refusal(path: Path, data: TrainingData, context: Context, **options: object) -> str:
    with pytest.raises(BadInputError) as caught:
        read(path, data, context, **options)
    assert len(str(caught.value).splitlines()) == 2
    assert not (context.folder / "pixels.npy").exists()
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "array",
    [IMAGES, IMAGES[:, None], IMAGES[..., None], np.asfortranarray(IMAGES), np.rint(IMAGES * 65535).astype(">u2")],
    ids=["nhw", "nchw", "nhwc", "columns", "big-endian"],
)
def test_one_array_of_an_archive_holds_many_images(
    array: np.ndarray, save: Callable[..., None], given: Path, data: TrainingData, context: Context
) -> None:
    save(given / "a.npz", images=array, labels=LABELS, mask=MASKS, source=np.array(["member-1"] * 7), center=["x"] * 7)
    samples = read(given, data, context)
    np.testing.assert_allclose(samples.pixels[:, 0], IMAGES, atol=1e-5)
    assert samples.label.tolist() == LABELS.tolist()
    assert samples.source.tolist() == ["member-1"] * 7
    assert samples.center.tolist() == ["x"] * 7
    np.testing.assert_array_equal(samples.mask, MASKS)


def test_an_archive_may_have_an_array_for_each_image_and_stand_alone(
    given: Path, data: TrainingData, context: Context
) -> None:
    np.savez(given / "a.npz", *IMAGES, label=LABELS)
    samples = read(given / "a.npz", data, context)
    np.testing.assert_array_equal(samples.pixels[:, 0], IMAGES)
    assert samples.label.tolist() == LABELS.tolist()


@pytest.mark.parametrize("last", [False, True])
def test_a_stack_of_colour_images(given: Path, data: TrainingData, context: Context, *, last: bool) -> None:
    stack = np.random.default_rng(1).random((4, 3, 32, 32)).astype(np.float32)
    np.save(given / "a.npy", np.moveaxis(stack, 1, -1) if last else stack)
    np.testing.assert_array_equal(read(given, colour(data), context).pixels, stack)


def test_sub_folders_come_after_the_files_beside_them_and_hidden_ones_not_at_all(
    given: Path, data: TrainingData, context: Context
) -> None:
    for k, name in enumerate(["b.npy", "a.npy", "z/c.npy", "y/x/d.npy", ".cache/e.npy", "y/.f.npy"]):
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(given / name, IMAGES[k])
    (given / "notes.txt").write_text("no image")
    (given / "loop").symlink_to(given)
    samples = read(given, data, context)
    np.testing.assert_array_equal(samples.pixels[:, 0], IMAGES[[1, 0, 3, 2]])


def test_masks_beside_images_are_not_taken_for_images(given: Path, data: TrainingData, context: Context) -> None:
    for folder in ("images", "Masks"):
        (given / folder).mkdir()
        np.save(given / folder / "a.npy", IMAGES[0])
    assert "a folder 'masks' lies beside the images" in refusal(given, data, context)


def test_dicom_of_several_frames_and_without_ending(given: Path, data: TrainingData, context: Context) -> None:
    mr = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    mr.save_as(given / "1.2.840.113")
    stored = mr.pixel_array
    mr.NumberOfFrames, mr.PixelData = 3, np.stack([stored, stored // 2, np.full_like(stored, 9)]).tobytes()
    mr.save_as(given / "2.dcm")
    (given / "DICOMDIR").write_bytes((given / "2.dcm").read_bytes())
    samples = read(given, data, context, size=32)
    assert len(samples) == 3, "the third frame shows nothing"
    low, high = np.percentile(stored, [0.5, 99.5])
    one = Image.fromarray(np.clip((stored - low) / (high - low), 0, 1).astype(np.float32)).resize((32, 32), 2)
    np.testing.assert_allclose(samples.pixels[0, 0], np.asarray(one), atol=1e-5)
    assert samples.pixels[1].mean() > samples.pixels[2].mean()


def test_colour_dicom_becomes_grey_for_a_grey_cohort(given: Path, data: TrainingData, context: Context) -> None:
    (given / "a.dcm").write_bytes(Path(get_testdata_file("examples_rgb_color.dcm")).read_bytes())
    three = read(given, colour(data), context, size=32).pixels[0]
    grey = read(given, data, replace(context, folder=context.folder / "grey"), size=32).pixels[0, 0]
    np.testing.assert_allclose(grey, np.tensordot([0.299, 0.587, 0.114], three, 1), atol=1e-3)


def test_a_volume_is_a_stack_of_slices_without_empty_ones_and_so_is_its_mask(
    given: Path, data: TrainingData, context: Context
) -> None:
    volume, mask = np.zeros((2, 32, 32, 9), np.float32)
    volume[..., 1:8], mask[..., 1:8] = np.moveaxis(IMAGES, 0, -1) * 900, np.moveaxis(MASKS, 0, -1)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), given / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), given / "m.nii.gz")
    (given / "metadata.csv").write_text("file_name,mask_file_name,label\na.nii.gz,m.nii.gz,4\n")
    samples = read(given, data, context, black=0, white=900)
    np.testing.assert_allclose(samples.pixels[:, 0], [np.rot90(image) for image in IMAGES], atol=1e-5)
    np.testing.assert_array_equal(samples.mask, [np.rot90(one) for one in MASKS])
    assert samples.label.tolist() == [4] * 7
    across = replace(context, folder=context.folder / "across")
    assert len(read(given / "a.nii.gz", data, across, axis="sagittal", size=32)) == 32


def _npz(path: Path, **arrays: object) -> None:
    np.savez(path / "a.npz", **arrays)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty archive": (lambda p: _npz(p), r"a\.npz holds no images"),
    "only labels": (lambda p: _npz(p, label=[]), r"a\.npz holds no images"),
    "objects": (lambda p: _npz(p, x=np.array([{"a": 1}, None])), r"a\.npz\[x\] holds Python objects"),
    "pickled stack": (lambda p: np.save(p / "a.npy", np.array([IMAGES, None], object)), r"a\.npy cannot be read"),
    "truncated": (lambda p: (_npz(p, x=IMAGES), _cut(p / "a.npz")), r"a\.npz cannot be read"),
    "truncated stack": (lambda p: (np.save(p / "a.npy", IMAGES), _cut(p / "a.npy")), r"a\.npy cannot be read"),
    "labels amiss": (lambda p: _npz(p, x=IMAGES, label=[0, 1]), r"a\.npz\[label\] is of shape \(2,\), there are 7"),
    "labels of text": (lambda p: _npz(p, x=IMAGES, label=["a"] * 7), r"labels in npz archives are <U1"),
    "mask amiss": (lambda p: _npz(p, x=IMAGES, mask=IMAGES), r"mask a\.npz\[mask\] is an array \(32, 32\) of float32"),
    "mixed sizes": (
        lambda p: _npz(p, x=IMAGES, y=IMAGES[:, :24]),
        r"a\.npz\[y\] is 24x32, the cohort's",
    ),
    "channels": (lambda p: np.save(p / "a.npy", np.zeros((4, 3, 32, 32))), r"a\.npy is an array \(4, 3, 32, 32\)"),
    "nan": (lambda p: _npz(p, x=np.where(IMAGES > 0.999, np.nan, IMAGES)), r"a\.npz\[x\], image \d, has NaN"),
    "constant": (
        lambda p: _npz(p, x=IMAGES * (np.arange(7) != 3)[:, None, None]),
        r"a\.npz\[x\], image 3, is",
    ),
    "four axes": (
        lambda p: nibabel.save(
            nibabel.Nifti1Image(np.random.default_rng(0).random((32, 32, 3, 5)), np.eye(4)), p / "a.nii"
        ),
        r"a\.nii is 32x32 with 5 channels, the cohort's images are 32x32",
    ),
    "some labelled": (
        lambda p: (_npz(p, x=IMAGES, label=LABELS), np.save(p / "b.npy", IMAGES)),
        r"'label' is given in npz archives and for 7 of 14 images only",
    ),
    "some masked": (lambda p: (_npz(p, x=IMAGES, mask=MASKS), np.save(p / "b.npy", IMAGES)), r"b\.npy has no masks"),
    "outside": (
        lambda p: (p / "metadata.csv").write_text("file_name\n../x.png\n"),
        "row 2 names no file in its folder",
    ),
}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


@pytest.mark.parametrize("name", list(SPOILT))
def test_a_spoilt_file_is_named(name: str, given: Path, data: TrainingData, context: Context) -> None:
    import re

    spoil, words = SPOILT[name]
    spoil(given)
    assert re.search(words, refusal(given, data, context))


def test_all_spoilt_files_are_named_at_once(given: Path, data: TrainingData, context: Context) -> None:
    for k in range(6):
        np.save(given / f"{k}.npy", IMAGES[k])
    for name in "135":
        _cut_short(given / f"{name}.npy")
    assert "1.npy cannot be read (ValueError); nor can be used 3.npy, 5.npy\n" in refusal(given, data, context)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def test_black_and_white_come_together(given: Path, data: TrainingData, context: Context) -> None:
    np.save(given / "a.npy", IMAGES)
    assert "give both" in refusal(given, data, context, black=0)
    assert "give both" in refusal(given, data, context, black=5, white=5)


class KilledError(BaseException):
    """The process would be dead here."""


class KillingProgress:
    """Stops the work, as a kill would, when so many blocks are on disk."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks

    @contextmanager
    def task(self, name: str, total: int):
        def step(n: int = 1, detail: str = "") -> None:
            self.blocks -= bool(detail)
            if self.blocks <= 0:
                raise KilledError

        yield step

    def message(self, text: str) -> None:
        """Take no notice."""


@pytest.mark.parametrize("stored", ["archive", "files"])
def test_a_killed_reading_goes_on_without_reading_again_what_it_has(
    stored: str, given: Path, data: TrainingData, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BLOCK_IMAGES", 2)
    if stored == "archive":
        np.savez_compressed(given / "a.npz", images=IMAGES, mask=MASKS, label=LABELS)
    else:
        rows = ["file_name,mask_file_name,label"]
        for k in range(7):
            np.save(given / f"{k}.npy", IMAGES[k])
            np.save(given / f"m{k}.npy", MASKS[k])
            rows.append(f"{k}.npy,m{k}.npy,{LABELS[k]}")
        (given / "metadata.csv").write_text("\n".join(rows))
    with pytest.raises(KilledError):
        read(given, data, replace(context, progress=KillingProgress(2)))
    assert intake.read_mark(context.folder).rows == 4
    part = context.folder / "pixels.npy.part"
    with part.open("ab") as file:
        file.write(b"half a row that was written when the process died")
    asked: list[tuple[int, int] | str] = []
    monkeypatch.setattr(Reader, "checked", lambda _self, images, file: asked.append(file) or images)
    samples = read(given, data, context)
    np.testing.assert_array_equal(samples.pixels[:, 0], IMAGES)
    np.testing.assert_array_equal(samples.mask, MASKS)
    assert samples.label.tolist() == LABELS.tolist()
    assert len(asked) == (2 if stored == "archive" else 3), "blocks read after the kill"
    assert not list(context.folder.glob("*.part"))


def test_other_files_or_options_are_read_from_the_start(given: Path, data: TrainingData, context: Context) -> None:
    np.save(given / "a.npy", IMAGES)
    assert len(read(given, data, context)) == 7
    np.save(given / "a.npy", 1 - IMAGES[:4])
    np.testing.assert_array_equal(read(given, data, context).pixels[:, 0], 1 - IMAGES[:4])
    np.save(given / "a.npy", np.kron(IMAGES, np.ones((2, 2), np.float32)))
    assert read(given, data, context, size=32).pixels.shape == (7, 1, 32, 32)


def test_an_array_that_grew_is_an_ordinary_npy(tmp_path: Path) -> None:
    with GrowingArray(tmp_path / "a.npy", (3, 2), np.float32) as array:
        for k in range(0, 1200, 100):
            array.append(np.full((100, 3, 2), k))
        array.finish()
    found = np.load(tmp_path / "a.npy", mmap_mode="r", allow_pickle=False)
    assert found.shape == (1200, 3, 2)
    assert (found[::100, 0, 0] == np.arange(0, 1200, 100)).all()


def test_a_part_of_many_is_random_sorted_and_a_memory_map(given: Path, data: TrainingData, context: Context) -> None:
    np.savez(given / "a.npz", x=IMAGES, mask=MASKS, label=np.arange(7))
    some = read(given, data, context, n=3)
    assert isinstance(some.pixels, np.memmap)
    assert len(set(some.label.tolist())) == 3
    np.testing.assert_array_equal(some.pixels[:, 0], IMAGES[some.label])
    np.testing.assert_array_equal(some.mask, MASKS[some.label])


def declared(path: Path, data: TrainingData, context: Context) -> str:
    samples = read(path, data, context)
    return " | ".join(Folder(path=path).declare(samples, data, context.folder, context).notes)


def test_it_says_what_could_not_be_tested_and_no_more(given: Path, data: TrainingData, context: Context) -> None:
    np.save(given / "a.npy", IMAGES)
    bare = declared(given, data, context)
    for words in ("not the model", "names its source patient", "no masks: ", "no labels: ROC-AUC", "names its centre"):
        assert words in bare
    everything = {
        "label": data.members.label,
        "mask": data.members.mask,
        "center": data.members.center,
        "source": data.members.patient,
    }
    np.savez(given / "a.npz", x=data.members.pixels, **everything)
    full = declared(given / "a.npz", data, replace(context, folder=context.folder / "full"))
    assert full.startswith("only the images are at hand, not the model")
    assert "|" not in full
    without = replace(data, members=replace(data.members, mask=None, label=None))
    poor = declared(given / "a.npz", without, replace(context, folder=context.folder / "poor"))
    assert "the cohort has no masks" in poor
    assert "the cohort has no labels" in poor


def test_it_says_where_sources_are_unknown_and_where_brightness_differs(
    given: Path, data: TrainingData, context: Context
) -> None:
    np.savez(given / "a.npz", x=data.members.pixels * 0.1, source=np.where(np.arange(40) < 3, "nobody", ""))
    notes = declared(given, data, context)
    assert "3 of 40 images name a source that is no patient of the members" in notes
    assert "scaled differently" in notes


def test_a_listing_of_many_files_is_compact(given: Path) -> None:
    import tracemalloc

    (given / "metadata.csv").write_text("file_name,label\n" + "".join(f"a.png,{k % 3}\n" for k in range(50_000)))
    (given / "a.png").touch()
    tracemalloc.start()
    found = listed(given, "generator 'folder'")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.files) == 50_000
    assert found.files[49_999] == "a.png"
    assert kept / 50_000 < 40, "bytes a file"
