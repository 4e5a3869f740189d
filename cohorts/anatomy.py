"""One simulated person's brain: the MNI152 template under a deformation, a folding and a texture of their own.

Coordinates are millimetres around the middle of the brain, x to the right, y to the front, z up. Everything is a
function of such points, so only the slices that are asked for are ever computed.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..audit.errors import BadInputError

Points = NDArray[np.float64]
Values = NDArray[np.float64]
Volume = NDArray[np.float32]

TEMPLATE_FILE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
MIDDLE = np.array([98.0, 117.0, 77.0])  # the voxel of 1 mm in the middle of the template's brain
REACH = 125.0  # mm from the middle to the edge of every lattice: beyond any brain
CSF, GREY, WHITE = 75.0, 165.0, 222.0  # intensities of the template's tissues
VENTRICLES = np.array([[-14.0, 14.0], [18.0, 18.0], [14.0, 14.0]])  # the middle of each lateral ventricle
VENTRICLE_RADIUS = 22.0
BENDING, FOLDING = 3.5, 1.8  # mm, standard deviation of the displacement of lobes and of gyri


@dataclass(frozen=True, eq=False)
class Template:
    """The average brain.

    Attributes:
        t1: T1 intensities at 1 mm, blurred so that sampling at ``pixel`` mm does not alias.
        depth: mm below the brain's surface, at 2 mm.
    """

    t1: Volume
    depth: Volume

    def intensity(self, points: Points) -> Values:
        """T1 intensity, 0 outside the brain, about ``CSF``, ``GREY``, ``WHITE`` inside."""
        return _sample(self.t1, points + MIDDLE[:, None])

    def below_surface(self, points: Points) -> Values:
        """Millimetres below the brain's surface, 0 outside."""
        return _sample(self.depth, (points + MIDDLE[:, None]) / 2)


@cache
def template(pixel: float) -> Template:
    """The MNI152 T1 template (Fonov et al. 2009, skull-stripped) that nilearn bundles, for pixels of ``pixel`` mm.

    The file is read without importing nilearn, which would load pandas and scikit-learn for one array.

    Raises:
        BadInputError: if nilearn or its template is missing.
    """
    import nibabel

    spec = find_spec("nilearn")
    path = Path(spec.origin).parent / TEMPLATE_FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise BadInputError(
            "cohort 'brain-sim': nilearn's MNI152 template is missing\nfix: pip install 'nilearn>=0.14'"
        )
    t1 = np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, dtype=np.float32)
    brain = ndimage.binary_fill_holes(t1[::2, ::2, ::2] > 0)
    depth = (2 * ndimage.distance_transform_edt(brain)).astype(np.float32)
    return Template(ndimage.gaussian_filter(t1, 0.3 * pixel, truncate=2.5), depth)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Smooth random functions of space: quadratic B-splines with random coefficients.

    Attributes:
        coefficients: ``(functions, n, n, n)`` over the cube of +-``REACH`` mm.
        spacing: mm between coefficients; details are about that large.
    """

    coefficients: Volume
    spacing: float

    @classmethod
    def draw(cls, rng: np.random.Generator, functions: int, spacing: float) -> Self:
        """Independent functions of zero mean and about unit standard deviation."""
        n = int(2 * REACH / spacing) + 2
        # a quadratic B-spline keeps 0.55 of its coefficients' variance in each of three directions
        return cls(rng.standard_normal((functions, n, n, n), dtype=np.float32) / 0.55**1.5, spacing)

    def at(self, points: Points) -> Values:
        """``(functions, n)`` values at ``points`` ``(3, n)``."""
        index = (points + REACH) / self.spacing
        return np.stack([_sample(c, index, order=2) for c in self.coefficients])


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What stays the same in every image of one person.

    Attributes:
        scale: ``(3,)`` size along each axis relative to the template.
        skew: how much larger the right half is than the left.
        ventricles: ``(2,)`` widening of the left and right lateral ventricle; negative narrows.
        shape: three displacements of lobes.
        folds: three displacements of gyri, and the function whose zeros are the person's own sulci.
        texture: one function, fine detail of the tissue.
    """

    scale: Values
    skew: float
    ventricles: Values
    shape: Lattice
    folds: Lattice
    texture: Lattice

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """A random person."""
        return cls(
            scale=np.clip(1 + 0.035 * rng.standard_normal() + 0.025 * rng.standard_normal(3), 0.88, 1.08),
            skew=0.03 * rng.standard_normal(),
            ventricles=np.clip(0.22 * rng.standard_normal() + 0.12 * rng.standard_normal(2), -0.45, 0.6),
            shape=Lattice.draw(rng, 3, 42.0),
            folds=Lattice.draw(rng, 4, 16.0),
            texture=Lattice.draw(rng, 1, 7.0),
        )

    def tissue(self, points: Points, average: Template) -> tuple[Values, Values]:
        """T1 intensity at ``points`` ``(3, n)`` of this person, and the depth below the brain's surface in mm."""
        folds = self.folds.at(points)
        inner = self._to_template(points) + FOLDING * folds[:3]
        intensity, depth = average.intensity(inner), average.below_surface(inner)
        cortex = np.clip((18 - depth) / 8, 0, 1) * (intensity > CSF)
        for towards, width, strength in ((GREY, 0.55, 0.7), (CSF, 0.2, 0.75)):
            intensity += strength * cortex * np.exp(-((folds[3] / width) ** 2)) * (towards - intensity)
        return intensity * (1 + 0.045 * self.texture.at(points)[0]), depth

    def _to_template(self, points: Points) -> Points:
        """Where in the template the person's ``points`` lie, but for the folding."""
        moved = points / self.scale[:, None] + BENDING * self.shape.at(points)
        moved[0] *= 1 - self.skew * np.tanh(points[0] / 25)
        for middle, wider in zip(VENTRICLES.T, self.ventricles, strict=True):
            offset = moved - middle[:, None]
            moved -= wider * np.exp(-(offset**2).sum(0) / (2 * VENTRICLE_RADIUS**2)) * offset
        return moved


def _sample(volume: Volume, index: Points, order: int = 1) -> Values:
    values: Values = ndimage.map_coordinates(volume, index, order=order, prefilter=False, mode="nearest")
    return values
