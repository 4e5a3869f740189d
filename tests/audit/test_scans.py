"""What scanners write: DICOM and NIfTI, scaled by one rule."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from privbench.audit.errors import BadInputError
from privbench.audit.reading.pictures import read_mask, read_picture
from privbench.audit.reading.scans import read_scan, read_scan_mask
from privbench.audit.reading.volumes import cut, slices

LABEL = "generator 'folder'"
RAMP = np.arange(40 * 30).reshape(40, 30)


def dicom(path, stored, **changes):
    """A grey DICOM file of 16 bits."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    file = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    file.Modality, file.SamplesPerPixel, file.PhotometricInterpretation = "CT", 1, "MONOCHROME2"
    file.Rows, file.Columns = stored.shape[-2:]
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    file.PixelRepresentation = int(stored.dtype.kind == "i")
    if stored.ndim == 3:
        file.NumberOfFrames = len(stored)
    file.PixelData = stored.tobytes()
    for name, value in changes.items():
        setattr(file, name, value)
    file.save_as(path, enforce_file_format=True)
    return path


def by_percentiles(values):
    low, high = np.percentile(values, [0.5, 99.5])
    return np.clip((values - low) / (high - low), 0, 1)


def refusal(call) -> str:
    with pytest.raises(BadInputError) as caught:
        call()
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_grey_lies_between_the_percentiles_of_its_file(tmp_path):
    frames = np.stack([RAMP, 2 * RAMP]).astype(np.uint16)
    found = read_scan(dicom(tmp_path / "a.dcm", frames), LABEL)
    assert found.shape == (2, 1, 40, 30)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], by_percentiles(frames), atol=1e-6)


def test_neither_slope_nor_the_headers_window_changes_an_image(tmp_path):
    plain = read_scan(dicom(tmp_path / "a.dcm", RAMP.astype(np.uint16)), LABEL)
    scaled = dicom(
        tmp_path / "b.dcm",
        RAMP.astype(np.uint16),
        RescaleSlope=3,
        RescaleIntercept=-1024,
        WindowCenter=40,
        WindowWidth=400,
    )
    np.testing.assert_allclose(read_scan(scaled, LABEL), plain, atol=1e-6)


def test_given_values_are_those_after_slope_and_intercept(tmp_path):
    path = dicom(tmp_path / "a.dcm", RAMP.astype(np.int16), RescaleSlope=2, RescaleIntercept=-1000)
    found = read_scan(path, LABEL, values=(-160, 240))[0, 0]
    np.testing.assert_allclose(found, np.clip((2 * RAMP - 1000 + 160) / 400, 0, 1), atol=1e-6)


def test_where_large_values_are_dark_they_are_inverted(tmp_path):
    bright = read_scan(dicom(tmp_path / "a.dcm", RAMP.astype(np.uint16)), LABEL)
    path = dicom(tmp_path / "b.dcm", RAMP.astype(np.uint16), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(read_scan(path, LABEL), 1 - bright, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_as_dark_as_the_darkest_tissue(tmp_path, photometric):
    stored = (RAMP + 500).astype(np.int16)
    stored[:10] = -2000
    path = dicom(tmp_path / "a.dcm", stored, PixelPaddingValue=-2000, PhotometricInterpretation=photometric)
    found = read_scan(path, LABEL)[0, 0]
    assert (found[:10] == 0).all()
    assert 0.4 < found[10:].mean() < 0.6


def test_colour_is_divided_by_what_its_bits_can_hold():
    path = get_testdata_file("examples_rgb_color.dcm")
    found = read_scan(Path(path), LABEL)
    np.testing.assert_allclose(found[0], np.moveaxis(pydicom.dcmread(path).pixel_array, -1, 0) / 255, rtol=1e-6)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm"])
def test_one_image_in_several_encodings_is_one_image(name):
    plain = read_scan(Path(get_testdata_file("MR_small.dcm")), LABEL)
    np.testing.assert_array_equal(read_scan(Path(get_testdata_file(name)), LABEL), plain)


def test_a_cohort_and_a_generator_read_one_file_alike(tmp_path):
    path = dicom(tmp_path / "IM0001", RAMP.astype(np.uint16))  # as exports name them: no ending
    alone = read_picture(path, "cohort 'folder'")
    np.testing.assert_array_equal(alone, read_scan(path, LABEL)[0])
    assert read_picture(path, LABEL, channels=3).shape == (3, 40, 30)
    assert "several frames" in refusal(
        lambda: read_picture(dicom(tmp_path / "b.dcm", np.stack([RAMP, RAMP]).astype(np.uint16)), LABEL)
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rtplan.dcm", "without pixel data (modality RTPLAN)"),
        ("MR_truncated.dcm", "cannot be read"),
        ("no_meta.dcm", "cannot be read"),
        ("MR_small_jpeg_ls_lossless.dcm", "JPEG-LS Lossless Image Compression, which cannot be read here\nexport it"),
    ],
)
def test_dicom_that_cannot_be_used_is_named_with_the_fix(name, words):
    message = refusal(lambda: read_scan(Path(get_testdata_file(name)), LABEL))
    assert name in message
    assert words in message


def test_constant_dicom_is_refused(tmp_path):
    path = dicom(tmp_path / "a.dcm", np.full((8, 8), 7, np.uint16))
    assert "a.dcm is constant" in refusal(lambda: read_scan(path, LABEL))


def nifti(path, array, flip=1):
    nibabel.save(nibabel.Nifti1Image(array, np.diag([flip, 1.0, 2.0, 1.0])), path)
    return path


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_a_volume_is_its_slices_turned_as_the_cohort_turns_them(tmp_path, axis):
    volume = np.random.default_rng(0).integers(0, 900, (7, 8, 9), np.int16)
    found = read_scan(nifti(tmp_path / "a.nii.gz", volume), LABEL, axis=axis)
    wanted = by_percentiles(volume.astype(np.float32))
    for k, image in enumerate(found):
        np.testing.assert_allclose(image[0], cut(wanted, axis, k), atol=1e-6)
    np.testing.assert_array_equal(read_scan(nifti(tmp_path / "b.nii", volume[::-1], -1), LABEL, axis=axis), found)


def test_slices_are_all_the_cuts():
    volume = np.random.default_rng(0).random((4, 5, 6, 2))
    for axis in ("axial", "coronal", "sagittal"):
        for k, plane in enumerate(slices(volume, axis)):
            np.testing.assert_array_equal(plane, cut(volume, axis, k))


def test_two_axes_are_one_slice_and_four_have_channels(tmp_path):
    plane = np.random.default_rng(0).random((7, 8)).astype(np.float32)
    assert read_scan(nifti(tmp_path / "a.nii", plane), LABEL).shape == (1, 1, 8, 7)
    both = np.random.default_rng(0).random((7, 8, 3, 2)).astype(np.float32)
    assert read_scan(nifti(tmp_path / "b.nii", both), LABEL).shape == (3, 2, 8, 7)
    assert "shape (7, 8, 3, 2, 2)" in refusal(
        lambda: read_scan(nifti(tmp_path / "c.nii", np.random.default_rng(0).random((7, 8, 3, 2, 2))), LABEL)
    )


def test_a_mask_of_slices_keeps_its_classes(tmp_path):
    classes = np.random.default_rng(0).integers(0, 4, (7, 8, 3)).astype(np.float64)
    found = read_scan_mask(nifti(tmp_path / "m.nii.gz", classes), LABEL)
    np.testing.assert_array_equal(found[1], cut(classes, "axial", 1))
    np.testing.assert_array_equal(read_mask(nifti(tmp_path / "n.nii.gz", classes[..., 0]), LABEL), found[0])
    for bad in (classes + 0.5, classes - 1, np.where(classes > 2, np.nan, classes)):
        assert "mask m.nii.gz" in refusal(lambda bad=bad: read_scan_mask(nifti(tmp_path / "m.nii.gz", bad), LABEL))
