"""What people do when they want more data or hope to hide whose it is: real images, changed at random."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import Field

from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.plugin import generator
from ..audit.record import Declaration
from ..audit.types import ImageSet, Masks, Pixels, TrainingData
from .real import released, spread

DEGREES, ZOOM, MOVE, BEND = 15.0, 0.15, 0.05, 0.04  # bends and moves in parts of the side
OCTAVES, GAIN, NOISE = 0.5, 0.15, 0.02
CONTROL_POINTS = 8  # along each side, by which an image is bent

Change = Callable[[Pixels, Masks | None], tuple[Pixels, Masks | None]]


@generator(releases_real=True)
class Augment:
    """Member images after strong augmentation: mirrored, turned, zoomed, bent, in another contrast, with noise.

    Every image is a real person's, and ``source`` names that member. At strength 1, what MONAI's transforms do in
    training: mirrored left to right every other time, turned up to 15 degrees, zoomed by up to 15%, moved up to 5% of
    the side, bent by up to 4% of it, gamma up to 2^0.5, gain up to 15%, noise of sigma 0.02, drawn anew for each image.
    """

    def __init__(
        self,
        *,
        strength: Annotated[
            float, Field(gt=0, le=4, description="factor on every amount; 2 and more are rarely used in training")
        ] = 1.0,
        mirror: Annotated[bool, Field(description="mirror left to right every other time")] = True,
    ) -> None:
        self.strength = strength
        self.mirror = mirror

    def fit(self, data: TrainingData, context: Context) -> None:  # noqa: ARG002
        """Learn nothing; only make sure that there are images to change.

        Raises:
            BadInputError: if they are volumes.
        """
        if len(data.members.spatial) != 2:
            raise BadInputError("generator 'augment' changes images, the cohort has volumes\ngive the cohort slices")

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:  # noqa: ARG002
        """``n`` images in random order, as evenly over patients and images as can be (None: one per member image)."""
        members = data.members
        chosen = spread(members.patient, len(members) if n is None else n, context.rng("images"))
        chosen = context.rng("order").permutation(chosen)
        change = self._change(members.spatial, context.integer("changes"))
        shape = (len(chosen), *members.pixels.shape[1:])
        pixels: Pixels = open_memmap(context.folder / "drawn.pixels.npy", "w+", np.float32, shape)
        mask: Masks | None = None
        if members.mask is not None:
            mask = open_memmap(context.folder / "drawn.mask.npy", "w+", np.uint8, (len(chosen), *members.spatial))
        with context.progress.task("changing images", total=len(chosen)) as step:
            for i, k in enumerate(chosen):
                pixels[i], changed = change(members.pixels[k], None if members.mask is None else members.mask[k])
                if mask is not None and changed is not None:
                    mask[i] = changed
                step()
        images = ImageSet(
            pixels=pixels,
            patient=members.patient[chosen],
            label=None if members.label is None else members.label[chosen],
            mask=mask,
            center=None if members.center is None else members.center[chosen],
        )
        return released(images, members.patient[chosen])

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:  # noqa: ARG002
        """That real persons are shown."""
        return Declaration(
            notes=(f"each of the {len(samples)} images is a member's own image, changed: no model made it",)
        )

    def _change(self, spatial: tuple[int, ...], seed: int) -> Change:
        """Another change at each call, the same ones under the same seed."""
        from monai.transforms.compose import Compose
        from monai.transforms.intensity.dictionary import RandAdjustContrastd, RandGaussianNoised, RandScaleIntensityd
        from monai.transforms.spatial.dictionary import Rand2DElasticd, RandFlipd

        s, side = self.strength, max(spatial)
        both, image = ["image", "mask"], ["image"]
        steps = [
            RandFlipd(both, prob=0.5 if self.mirror else 0.0, spatial_axis=1, allow_missing_keys=True),
            Rand2DElasticd(
                both,
                prob=1.0,
                spacing=(spatial[0] / CONTROL_POINTS, spatial[1] / CONTROL_POINTS),
                magnitude_range=(0.0, BEND * side * s),
                rotate_range=np.deg2rad(DEGREES) * s,
                translate_range=MOVE * side * s,
                scale_range=min(ZOOM * s, 0.9),
                mode=["bilinear", "nearest"],
                padding_mode="border",
                allow_missing_keys=True,
            ),
            RandAdjustContrastd(image, prob=1.0, gamma=(2 ** (-OCTAVES * s), 2 ** (OCTAVES * s))),
            RandScaleIntensityd(image, prob=1.0, factors=GAIN * s),
            RandGaussianNoised(image, prob=1.0, std=NOISE * s, sample_std=False),
        ]
        transform = Compose(steps).set_random_state(seed=seed % 2**32)

        def change(pixels: Pixels, mask: Masks | None) -> tuple[Pixels, Masks | None]:
            given = {"image": np.array(pixels)} | ({} if mask is None else {"mask": np.array(mask[None])})
            found = transform(given)
            changed = np.clip(np.asarray(found["image"], np.float32), 0, 1)
            return changed, None if mask is None else np.asarray(found["mask"], np.uint8)[0]

        return change
