"""Distance after the best small shift, rotation or flip, blind to brightness and contrast."""

import itertools

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..audit.types import Pixels
from .search import euclidean

SIDE = 64  # larger images are averaged down to this
CUTOFF = 0.22  # cycles per pixel: finer detail is noise, and costs time
EDGE = 3  # pixels over which an image fades into its border's mean: what a shift moves out must not come back opposite


def turned(images: Tensor, degrees: float) -> Tensor:
    """``images`` ``(n, c, h, w)`` rotated about their centre; edges are repeated."""
    h, w = images.shape[-2:]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    theta = torch.tensor([[cos, -sin * h / w, 0], [sin * w / h, cos, 0]], dtype=images.dtype, device=images.device)
    grid = functional.affine_grid(theta.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    moved: Tensor = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved


class Spectrum:
    """The Fourier coefficients by which images of one size are compared: a shift is a phase there, so it costs nothing.

    Args:
        shape: ``(h, w)`` of the images.
        sharpen: coefficients are weighted by frequency to this power; 0 keeps the image as it is, 1 takes away the
            prevalence of coarse structure that all patients share.
        device: where it is computed.
    """

    def __init__(self, shape: tuple[int, int], sharpen: float, device: str) -> None:
        fy, fx = (torch.fft.fftfreq(n, dtype=torch.float64, device=device) for n in shape)
        y, x = torch.meshgrid(fy, fx, indexing="ij")
        radius = torch.sqrt(y * y + x * x)
        # One of each conjugate pair says all; the constant is brightness.
        half = (x > 0) | ((x == 0) & (y > 0))
        self._kept = half & (radius <= CUTOFF)
        self._weight = radius[self._kept] ** sharpen
        self._y, self._x = y[self._kept], x[self._kept]
        fade = [torch.ones(n, dtype=torch.float64, device=device) for n in shape]
        for ramp in fade:
            rise = (torch.arange(EDGE, device=device) + 0.5) / EDGE
            ramp[:EDGE] *= torch.sin(rise * np.pi / 2).square()
            ramp[-EDGE:] *= torch.sin(rise.flip(0) * np.pi / 2).square()
        self._window = fade[0][:, None] * fade[1][None]
        self._border = (self._window < 1).double()

    def of(self, images: Tensor) -> Tensor:
        """Coefficients ``(n, c * k)`` complex, of length 1 (0 for a constant image)."""
        images = images.double()
        # Against the border's mean, not the image's: a dark surrounding then stays dark where the window fades it.
        border = (images * self._border).sum((-2, -1), keepdim=True) / self._border.sum()
        centred = (images - border) * self._window
        kept = (torch.fft.fft2(centred)[..., self._kept] * self._weight).flatten(1)
        length = torch.linalg.vector_norm(kept, dim=1, keepdim=True)
        unit: Tensor = kept / torch.clamp(length, min=1e-9)
        return unit

    def shifted(self, coefficients: Tensor, dy: int, dx: int) -> Tensor:
        """The coefficients of images moved by ``dy`` and ``dx`` pixels."""
        phase = torch.exp(-2j * torch.pi * (self._y * dy + self._x * dx))
        moved: Tensor = coefficients * phase.repeat(coefficients.shape[1] // len(phase))
        return moved


def _real(coefficients: Tensor) -> Tensor:
    parts: Tensor = torch.view_as_real(coefficients)
    return parts.flatten(1).float()


def _small(pixels: Pixels, device: str) -> Tensor:
    images = torch.from_numpy(np.array(pixels)).to(device)
    factor = max(images.shape[-2:]) / SIDE
    if factor <= 1:
        return images
    return functional.interpolate(images, [round(n / factor) for n in images.shape[-2:]], mode="area")


def aligned(
    a: Pixels,
    b: Pixels,
    *,
    shift: int,
    angles: tuple[float, ...],
    mirror: bool = True,
    sharpen: float = 1.0,
    device: str = "cpu",
) -> Pixels:
    """Smallest distance of two images over small moves of one: sqrt(2 - 2r), r the correlation below 0.22 cycles/pixel.

    Each image has its mean taken away and its length set to 1, so brightness and contrast do not count.

    Args:
        a: ``(n, c, h, w)``.
        b: ``(m, c, h, w)``.
        shift: pixels, in each direction along both axes (of the image averaged down to 64, if it is larger).
        angles: degrees, besides 0; a turned image is shifted half as far.
        mirror: also flipped left-right, top-bottom and both, not turned at the same time, and shifted half as far.
        sharpen: weight of fine against coarse structure, see ``Spectrum``.
        device: where it is computed.

    Returns:
        ``(n, m)`` float32 in [0, 2]; 0 for a copy, otherwise right to 2e-3.
    """
    asked, searched = _small(a, device), _small(b, device)
    height, width = asked.shape[-2:]
    spectrum = Spectrum((height, width), sharpen, device)
    references = _real(spectrum.of(searched))
    flips = ((-1,), (-2,), (-1, -2)) if mirror else ()
    others = [*(turned(asked, angle) for angle in angles), *(asked.flip(axes) for axes in flips)]
    best = torch.full((len(a), len(b)), -1.0, device=device)
    for moved, most in [(asked, shift), *((other, shift // 2) for other in others)]:
        coefficients = spectrum.of(moved)
        for dy, dx in itertools.product(range(-most, most + 1), repeat=2):
            torch.maximum(best, _real(spectrum.shifted(coefficients, dy, dx)) @ references.T, out=best)
    distance: Pixels = torch.sqrt(torch.clamp(2 - 2 * best, min=0)).cpu().numpy()
    still = _real(spectrum.of(asked))
    unmoved = euclidean(still[:, None].cpu().numpy(), references[:, None].cpu().numpy(), device)
    return np.minimum(distance, unmoved)
