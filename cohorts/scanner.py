"""A simulated MRI scanner: each centre's own contrast, bias field, resolution and noise."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from .anatomy import CSF, GREY, WHITE, Points, Values, Volume

FIELD_OF_VIEW = 200.0  # mm, the side of a slice
TEMPLATE_LEVELS = (0.0, CSF, GREY, WHITE, 1.35 * WHITE)


@dataclass(frozen=True, eq=False)
class Scanner:
    """How one centre takes images.

    Attributes:
        levels: brightness of nothing, fluid, grey matter, white matter and full enhancement.
        bias: ``(3,)`` slope of the receive field from middle to edge, along x, y and z.
        blur: mm, standard deviation of the point spread.
        noise: standard deviation in each of two receive channels, relative to full brightness.
    """

    levels: tuple[float, ...]
    bias: Values
    blur: float
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator, centers: int) -> list[Self]:
        """Random centres, spread evenly over what is usual (a Latin hypercube), so that no two are alike by chance."""
        strata = rng.permuted(np.tile(np.arange(centers), (8, 1)), axis=1)
        places = (strata + rng.random(strata.shape)) / centers
        low = np.array([0.08, 0.34, 0.58, -0.22, -0.22, -0.22, 0.4, 0.012])
        high = np.array([0.18, 0.5, 0.74, 0.22, 0.22, 0.22, 1.8, 0.035])
        return [
            cls(
                (0.0, float(csf), float(grey), float(white), min(float(white) + 0.27, 0.97)),
                np.array(bias),
                blur,
                noise,
            )
            for csf, grey, white, *bias, blur, noise in (low + (high - low) * places.T)
        ]

    def image(self, intensity: Values, depth: Values, bias: Values, rng: np.random.Generator) -> Volume:
        """Slices as the scanner delivers them, skull-stripped.

        Args:
            intensity: ``(slices, size, size)`` T1 intensity of the template's scale.
            depth: the same shape, mm below the brain's surface; outside the brain the image is exactly 0.
            bias: the same shape, the receive field.
            rng: of the noise.

        Returns:
            float32 in [0, 1].
        """
        pixel = FIELD_OF_VIEW / intensity.shape[-1]
        clean = bias * np.interp(intensity, TEMPLATE_LEVELS, self.levels)
        clean = ndimage.gaussian_filter(clean, (0, self.blur / pixel, self.blur / pixel), truncate=3)
        real, imaginary = self.noise * rng.standard_normal((2, *clean.shape), dtype=np.float32)
        rician = np.hypot(clean + real, imaginary)  # the magnitude of a complex signal (Gudbjartsson & Patz 1995)
        edge = np.clip(depth / 2, 0, 1)
        image: Volume = np.clip(rician * edge, 0, 1).astype(np.float32)
        return image

    def field(self, points: Points, rng: np.random.Generator) -> Values:
        """The receive field at scanner ``points`` ``(3, n)``, a little different at each examination."""
        slope = self.bias + 0.04 * rng.standard_normal(3)
        gain = 1 + 0.03 * rng.standard_normal()
        values: Values = gain * (1 + slope @ (points / (0.5 * FIELD_OF_VIEW)))
        return values


@dataclass(frozen=True, eq=False)
class Position:
    """How a person lay in the scanner during one examination.

    Attributes:
        turn: ``(3, 3)`` rotation from person to scanner.
        shift: ``(3,)`` mm.
    """

    turn: Values
    shift: Values

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """A few degrees and millimetres off."""
        angles = 2.5 * rng.standard_normal(3)
        return cls(Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), 2.0 * rng.standard_normal(3))

    def to_scanner(self, point: Values) -> Values:
        """Scanner coordinates of the person's ``point`` ``(3,)``."""
        moved: Values = self.turn @ point + self.shift
        return moved

    def to_person(self, points: Points) -> Points:
        """The person's coordinates of scanner ``points`` ``(3, n)``."""
        moved: Points = self.turn.T @ (points - self.shift[:, None])
        return moved


def plane(size: int, heights: Values) -> Points:
    """Scanner coordinates ``(3, slices * size * size)`` of axial slices at ``heights``; rows run from front to back."""
    along = (np.arange(size) - (size - 1) / 2) * FIELD_OF_VIEW / size
    z, y, x = np.meshgrid(heights, -along, along, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel()])
