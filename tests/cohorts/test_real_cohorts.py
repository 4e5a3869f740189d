import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from privbench.audit.context import Context, Silent
from privbench.audit.errors import BadInputError
from privbench.cohorts.folder import folder
from privbench.cohorts.nifti import nifti
from privbench.cohorts.splitting import Shares, split_patients

HIPPOCAMPUS = Path(__file__).parents[2].parent / "shared" / "data" / "hippocampus"
SHARES = Shares(0.3, 0.3, 0.25, 0.15)


def context(where, seed=0) -> Context:
    return Context(seed=seed, path=("cohort", "real"), folder=where / "stage")


def check_refusal(call, *words) -> str:
    with pytest.raises(BadInputError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    for word in words:
        assert word in message
    assert "secret" not in message
    return message


# --- splitting


def test_a_split_is_alike_in_centre_and_label():
    strata = [(c, y) for c in "ABC" for y in (0, 1) for _ in range(40)]
    parts = split_patients(strata, SHARES, np.random.default_rng(0), "x")
    assert {part: len(chosen) for part, chosen in parts.items()} == {
        "members": 72, "holdout": 72, "reference": 60, "reserve": 36,
    }  # fmt: skip
    assert sorted(i for chosen in parts.values() for i in chosen) == list(range(240))
    for part, share in (("members", 0.3), ("holdout", 0.3), ("reference", 0.25), ("reserve", 0.15)):
        for stratum in set(strata):
            assert abs(sum(strata[i] == stratum for i in parts[part]) - 40 * share) <= 1


def test_each_patient_is_as_likely_to_be_a_member():
    draws = [split_patients([("", 0)] * 20, SHARES, np.random.default_rng(s), "x")["members"] for s in range(400)]
    share = np.bincount(np.concatenate(draws), minlength=20) / 400
    assert np.abs(share - 0.3).max() < 4 * np.sqrt(0.3 * 0.7 / 400)


def test_too_few_patients_says_how_many_are_needed():
    check_refusal(
        lambda: split_patients([("", 0)] * 5, SHARES, np.random.default_rng(0), "x"), "5 patients", "at least 14"
    )
    assert split_patients([("", 0)] * 14, SHARES, np.random.default_rng(0), "x")


def test_shares_above_one_are_refused():
    check_refusal(lambda: Shares(0.5, 0.5, 0.25, 0).counts(100, "x"), "1.25")


# --- folder


def picture(seed=0, size=24, channels=None) -> np.ndarray:
    shape = (size, size) if channels is None else (size, size, channels)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def write(where: Path, rows: list[dict[str, object]]) -> None:
    where.mkdir(exist_ok=True)
    with (where / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def data(tmp_path):
    """Twenty patients of two images; returns the rows to change."""
    where = tmp_path / "data"
    where.mkdir()
    rows = []
    for i in range(40):
        Image.fromarray(picture(i)).save(where / f"{i}.png")
        rows.append({"file_name": f"{i}.png", "patient": f"secret{i // 2}", "label": "ab"[i // 2 % 2]})
    return where, rows


def read(where, rows, **options):
    write(where, rows)
    return folder(context(where.parent), path=where, **options)


def test_pictures_are_read_exactly_and_split_by_patient(data):
    where, rows = data
    split = read(where, rows)
    assert {part: len(images.patients) for part, images in split.parts()} == {
        "members": 6, "holdout": 6, "reference": 5, "reserve": 3,
    }  # fmt: skip
    members = split.members
    assert isinstance(members.pixels, np.memmap)
    number = int(members.patient[1].removeprefix("secret")) * 2 + 1
    np.testing.assert_allclose(members.pixels[1, 0] * 255, picture(number), atol=1e-4)
    assert set(members.label) == {0, 1}
    assert members.label[1] == number // 2 % 2


def test_the_split_follows_the_seed(data):
    where, rows = data
    first = read(where, rows).members.patients.tolist()
    assert read(where, rows).members.patients.tolist() == first
    assert folder(context(where.parent, seed=1), path=where).members.patients.tolist() != first


def test_a_given_split_is_kept(data):
    where, rows = data
    parts = ("members", "holdout", "reference", "public", "reserve")
    split = read(where, [row | {"split": parts[i // 2 % 5]} for i, row in enumerate(rows)])
    assert split.public.patients.tolist() == sorted(f"secret{i}" for i in range(3, 20, 5))


def test_masks_centres_and_integer_labels_are_read(data):
    where, rows = data
    mask = np.zeros((24, 24), np.uint8)
    mask[3:9, 4:7] = 4
    Image.fromarray(mask).save(where / "m.png")
    rows = [
        row | {"mask_file_name": "m.png" if i % 2 else "", "center": "XY"[i // 2 % 2], "label": 7 * (i // 2 % 2)}
        for i, row in enumerate(rows)
    ]
    members = read(where, rows).members
    np.testing.assert_array_equal(members.mask[1], mask)
    assert not members.mask[0].any()
    assert set(members.label) == {0, 7}
    assert set(members.center) == {"X", "Y"}


def test_colour_and_size(data):
    where, rows = data
    for i in range(40):
        Image.fromarray(picture(i, size=20 + i, channels=3)).save(where / f"{i}.png")
    assert read(where, rows, size=32).members.pixels.shape[1:] == (3, 32, 32)


def test_images_of_different_sizes_need_size(data):
    where, rows = data
    Image.fromarray(picture(0, size=30)).save(where / "39.png")
    check_refusal(lambda: read(where, rows), "24x24", "30x30", "39.png", "size")


def test_a_missing_list_or_folder_is_named(tmp_path):
    check_refusal(lambda: folder(context(tmp_path), path=tmp_path / "none"), "does not exist")
    (tmp_path / "file").touch()
    check_refusal(lambda: folder(context(tmp_path), path=tmp_path / "file"), "not a folder")
    check_refusal(lambda: folder(context(tmp_path), path=tmp_path), "no metadata.csv")
    (tmp_path / "metadata.csv").write_text("file_name,patient\n")
    check_refusal(lambda: folder(context(tmp_path), path=tmp_path), "no images")


def test_a_missing_column_names_those_there_are(data):
    where, rows = data
    rows = [{"file_name": row["file_name"], "person": row["patient"]} for row in rows]
    check_refusal(lambda: read(where, rows), "'patient'", "columns: file_name, person")


def test_a_spoilt_image_or_mask_is_named(data):
    where, rows = data
    (where / "m.png").write_text("no image")
    check_refusal(lambda: read(where, [row | {"mask_file_name": "m.png"} for row in rows]), "m.png cannot be read")
    (where / "5.png").write_bytes((where / "5.png").read_bytes()[:200])
    check_refusal(lambda: read(where, rows), "cohort 'folder': 5.png cannot be read")


def test_bad_rows_are_refused(data):
    where, rows = data
    check_refusal(lambda: read(where, [rows[0] | {"file_name": "x.png"}, *rows[1:]]), "x.png", "missing")
    check_refusal(lambda: read(where, [rows[0] | {"file_name": "../out.png"}, *rows[1:]]), "outside")
    check_refusal(lambda: read(where, [rows[0] | {"patient": ""}, *rows[1:]]), "without 'patient'", "line 2")
    check_refusal(lambda: read(where, [rows[1], *rows[1:]]), "1.png twice")
    check_refusal(lambda: read(where, rows[:6]), "3 patients", "at least 14")
    check_refusal(lambda: read(where, [row | {"split": "train"} for row in rows]), "'train'", "members, holdout")
    check_refusal(lambda: read(where, [row | {"split": "members"} for row in rows]), "holdout")


def test_a_patient_in_two_splits_is_counted_not_named(data):
    where, rows = data
    parts = ("members", "holdout", "reference")
    check_refusal(
        lambda: read(where, [row | {"split": parts[i % 3]} for i, row in enumerate(rows)]), "patients are in both"
    )


def test_a_mask_of_another_size_is_refused(data):
    where, rows = data
    Image.fromarray(np.ones((9, 9), np.uint8)).save(where / "m.png")
    check_refusal(lambda: read(where, [row | {"mask_file_name": "m.png"} for row in rows]), "mask (9, 9)")


# --- nifti


@pytest.fixture
def volumes(tmp_path):
    """Fourteen volumes of 20 x 30 x 10 voxels of 1 x 1 x 3 mm, brightest at the front, with a mask in slices 3-6."""
    where = tmp_path / "volumes"
    for name in ("images", "labels"):
        (where / name).mkdir(parents=True)
    for i in range(14):
        rng = np.random.default_rng(i)
        array = np.linspace(0, 700, 30)[None, :, None] + rng.uniform(0, 200, (20, 30, 10))
        mask = np.zeros((20, 30, 10), np.uint8)
        mask[2:8, 20 : 21 + i // 2, 3:7] = 2
        save(where / "images" / f"secret{i}.nii.gz", array.astype(np.int16))
        save(where / "labels" / f"secret{i}.nii.gz", mask)
    return where


def save(path, array, flip=False):
    affine = np.diag([-1.0 if flip else 1.0, 1, 3, 1])
    nibabel.save(nibabel.Nifti1Image(array[::-1] if flip else array, affine), path)


def test_volumes_become_slices_through_the_mask(volumes, tmp_path):
    split = nifti(context(tmp_path), path=volumes, size=32, slices=3)
    members = split.members
    assert members.pixels.shape == (12, 1, 32, 32)
    assert members.label is None
    assert (members.mask == 2).any((1, 2)).all()
    image = members.pixels[0, 0]
    assert image[2:8, 8:24].mean() > image[24:30, 8:24].mean() + 0.3  # the front is up
    assert not image[:, :4].any()  # padded: 20 of 30 mm
    rows, columns = np.nonzero(members.mask[0])
    assert columns.max() < 16 < 30  # the mask lies on the left, where the volume has it
    assert rows.max() < 16


def test_orientation_on_disk_does_not_matter(volumes, tmp_path):
    before = nifti(context(tmp_path), path=volumes, size=32).members.pixels.copy()
    for kind in ("images", "labels"):
        for path in sorted((volumes / kind).iterdir()):
            save(path, np.asarray(nibabel.load(path).dataobj), flip=True)
    np.testing.assert_allclose(nifti(context(tmp_path), path=volumes, size=32).members.pixels, before, atol=1e-6)


def test_intensity_scale_of_a_volume_does_not_matter(volumes, tmp_path):
    before = nifti(context(tmp_path), path=volumes, size=32).members.pixels.copy()
    for path in sorted((volumes / "images").iterdir()):
        save(path, (7.0 * np.asarray(nibabel.load(path).dataobj) - 40).astype(np.float32))
    np.testing.assert_allclose(nifti(context(tmp_path), path=volumes, size=32).members.pixels, before, atol=1e-5)


def test_label_by_volume_halves_the_cohort(volumes, tmp_path):
    split = nifti(context(tmp_path), path=volumes, size=32, label="volume", axis="coronal")
    assert sum(len(np.unique(images.patient[images.label == 1])) for _, images in split.parts()) == 6  # pairs tie


def test_channels_of_a_4d_volume(volumes, tmp_path):
    for path in sorted((volumes / "images").iterdir()):
        array = np.asarray(nibabel.load(path).dataobj)
        save(path, np.stack([array, array.max() - array], axis=-1))
    assert nifti(context(tmp_path), path=volumes, size=32).members.channels == 2
    assert nifti(context(tmp_path), path=volumes, size=32, channel=1).members.channels == 1
    with pytest.raises(BadInputError, match="no channel 2"):
        nifti(context(tmp_path), path=volumes, size=32, channel=2)


def test_volumes_with_empty_masks_are_left_out_and_counted(volumes, tmp_path):
    said = []

    class Listening(Silent):
        def message(self, text):
            said.append(text)

    for i in (14, 15):
        save(volumes / "images" / f"secret{i}.nii.gz", np.random.default_rng(i).integers(0, 9, (20, 30, 10), np.int16))
        save(volumes / "labels" / f"secret{i}.nii.gz", np.zeros((20, 30, 10), np.uint8))
    surroundings = Context(path=("cohort", "real"), folder=tmp_path / "stage", progress=Listening())
    split = nifti(surroundings, path=volumes, size=32)
    assert sum(len(images.patients) for _, images in split.parts()) == 14
    assert "2 volumes" in said[0]


def test_a_truncated_volume_is_named(volumes, tmp_path):
    for kind in ("images", "labels"):
        (volumes / kind / "secret3.nii.gz").rename(volumes / kind / "case3.nii.gz")
    path = volumes / "images" / "case3.nii.gz"
    path.write_bytes(path.read_bytes()[:900])
    check_refusal(lambda: nifti(context(tmp_path), path=volumes), "case3.nii.gz", "cannot be read")


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (None, "constant")])
def test_a_spoilt_volume_is_named(volumes, tmp_path, value, word):
    for kind in ("images", "labels"):
        (volumes / kind / "secret3.nii.gz").rename(volumes / kind / "case3.nii.gz")
    array = np.random.default_rng(0).random((20, 30, 10), np.float32)
    if value is None:
        array[:] = 1
    else:
        array[4, 4, 4] = value
    save(volumes / "images" / "case3.nii.gz", array)
    check_refusal(lambda: nifti(context(tmp_path), path=volumes), "case3.nii.gz", word)


def test_a_layout_that_is_not_there_is_refused(volumes, tmp_path):
    check_refusal(lambda: nifti(context(tmp_path), path=tmp_path / "none"), "does not exist")
    check_refusal(lambda: nifti(context(tmp_path), path=tmp_path), "images/")
    (tmp_path / "imagesTr").mkdir()
    check_refusal(lambda: nifti(context(tmp_path), path=tmp_path), "holds no volume")
    save(volumes / "images" / "case.nii.gz", np.ones((4, 4, 4), np.uint8))
    check_refusal(lambda: nifti(context(tmp_path), path=volumes), "1 of 15 images have no mask")
    save(volumes / "labels" / "case.nii.gz", np.ones((4, 4, 5), np.uint8))
    check_refusal(lambda: nifti(context(tmp_path), path=volumes), "(4, 4, 4)", "(4, 4, 5)")


@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason="the hippocampus volumes are not on this machine")
def test_real_mri_is_read(tmp_path):
    split = nifti(context(tmp_path), path=HIPPOCAMPUS, slices=2)
    assert {part: len(images.patients) for part, images in split.parts()} == {
        "members": 60, "holdout": 60, "reference": 50, "reserve": 30,
    }  # fmt: skip
    assert split.members.pixels.shape == (120, 1, 64, 64)
    assert set(np.unique(split.members.mask)) == {0, 1, 2}
