"""Reading DICOM: the frames of one file, in [0, 1], as a physician would look at them but for the window.

The window that a header asks for is not applied: scanners and scripts choose it image by image, so real and synthetic
images would differ by it alone. Grey values are scaled as those of NIfTI are, see ``scale``.
"""

import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInputError, unreadable
from ..types import Pixels
from .scale import Range, between, require_content

if TYPE_CHECKING:
    from pydicom import Dataset

ENDINGS = (".dcm", ".dicom", ".ima")
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
MAGIC, OFFSET = b"DICM", 128


def is_dicom(path: Path) -> bool:
    """Whether the file is DICOM by its content: exports often have no ending, or a number for one."""
    try:
        with path.open("rb") as file:
            return file.read(OFFSET + len(MAGIC))[OFFSET:] == MAGIC
    except OSError:
        return False


def read_frames(path: Path, label: str, values: Range | None = None) -> Pixels:
    """All frames of a file.

    Args:
        path: a DICOM file of one or several frames, grey or colour.
        label: of the reader, for messages.
        values: stored values (after rescale slope and intercept, so Hounsfield units in CT) that become 0 and 1; None:
            the 0.5 and 99.5 percentile of the file. Padding counts as the darkest value; MONOCHROME1 is inverted.

    Returns:
        ``(n, 1 or 3, h, w)`` float32 in [0, 1]; colour is divided by the largest value that its bits can hold.

    Raises:
        BadInputError: naming the file, if it is missing, truncated, has no pixels, is compressed in a way that cannot
            be read here, shows nothing or holds NaN.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of values that break the standard in ways that do not matter here, file by file
        return _read(path, label, values)


def _read(path: Path, label: str, values: Range | None) -> Pixels:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        header = dcmread(path)
    except (*BROKEN, InvalidDicomError) as error:
        raise unreadable(error, label, path.name) from error
    if not any(name in header for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        kind = str(header.get("Modality", "")) or "unknown"
        raise BadInputError(f"{label}: {path.name} is DICOM without pixel data (modality {kind})\nremove it")
    try:
        stored = _decoded(header, label, path.name)
        colour = stored.shape[-1] == 3 and stored.ndim == 4
        require_content(stored, label, path.name)
        if colour:
            return np.moveaxis(stored, -1, 1).astype(np.float32) / np.float32(2 ** int(header.BitsStored) - 1)
        grey, inverted = _grey(stored, header)
        require_content(grey, label, path.name)
        scaled = between(grey, values)[:, None]
        return 1 - scaled if inverted else scaled
    except BROKEN as error:
        raise unreadable(error, label, path.name) from error


def _decoded(header: "Dataset", label: str, file: str) -> NDArray[Any]:
    """``(n, h, w)`` as stored, or ``(n, h, w, 3)`` in red, green and blue."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    syntax = header.file_meta.TransferSyntaxUID
    try:
        readable = not syntax.is_compressed or get_decoder(syntax).is_available
        array = pixel_array(header) if readable else None
    except (NotImplementedError, RuntimeError):  # a decoder that cannot read this kind of its own format
        array = None
    if array is None:
        raise BadInputError(
            f"{label}: {file} is compressed as {syntax.name}, which cannot be read here\n"
            "export it uncompressed, or: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
        )
    if header.PhotometricInterpretation == "PALETTE COLOR":
        array = apply_color_lut(array, header)
        header.BitsStored = array.dtype.itemsize * 8
    frames = int(header.get("NumberOfFrames") or 1)
    return array if frames > 1 else array[None]


def _grey(stored: NDArray[Any], header: "Dataset") -> tuple[Pixels, bool]:
    """``(n, h, w)`` in the modality's unit, and whether large values are dark."""
    from pydicom.pixels.processing import apply_modality_lut

    array = np.empty(stored.shape, np.float32)
    for i, frame in enumerate(stored):
        array[i] = _rescaled(frame, header, i, apply_modality_lut)
    inverted = bool(header.PhotometricInterpretation == "MONOCHROME1")
    padding = _padding(stored, header)
    if padding is not None and not padding.all():
        array[padding] = array[~padding].max() if inverted else array[~padding].min()
    return array, inverted


def _rescaled(frame: NDArray[Any], header: "Dataset", index: int, apply: Any) -> NDArray[Any]:
    """One frame in its modality's unit; enhanced DICOM has slope and intercept frame by frame."""
    if "PerFrameFunctionalGroupsSequence" not in header:
        return np.asarray(apply(frame, header))
    groups = [header.PerFrameFunctionalGroupsSequence[index], *header.get("SharedFunctionalGroupsSequence", ())]
    for group in groups:
        if "PixelValueTransformationSequence" in group:
            return np.asarray(apply(frame, group.PixelValueTransformationSequence[0]))
    return np.asarray(apply(frame, header))


def _padding(stored: NDArray[Any], header: "Dataset") -> NDArray[np.bool_] | None:
    """Where nothing was measured, if the header says so."""
    first = header.get("PixelPaddingValue")
    if first is None:
        return None
    last = header.get("PixelPaddingRangeLimit", first)
    low, high = sorted((int(first), int(last)))
    return np.asarray((stored >= low) & (stored <= high))
