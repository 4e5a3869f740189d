"""What a diffusion model adds is seen beside this: the same blends without one."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.plugin import generator
from ..audit.record import Declaration
from ..audit.types import ImageSet, Names, TrainingData
from .lesions.few_shot import check_patients, few_shot, trained
from .lesions.foreground import paste
from .lesions.windows import centers_of, own_backgrounds, public_of, side_for, turned_windows
from .real import neutral_names, spread

NOTE = (
    "every sample shows the lesion of a real patient; where no attack notices it, the attacks compare what turning, "
    "scaling and bending change, and the patient is shown all the same"
)


@generator(needs=("public", "mask"), releases_real=True)
class Blending:
    """Members' own lesions pasted into public healthy images, turned and harmonised: dfgm without its diffusion model.

    Each sample shows one member's own lesion, mirrored, turned, bent and scaled by up to 15%, its brightness matched to
    the tissue around it, at a random place inside the brain of a public image of the same centre. Around the lesion the
    sample is that image, to the bit. It is the ablation beside which to read ``dfgm``, and it releases what it should
    protect: the pixels of real lesions. ``source`` names the patient. An attack that finds nothing here has not looked
    in the right place: what it compares must not mind that a lesion is turned.
    """

    def __init__(
        self,
        *,
        patients: Annotated[
            int | Literal["all"],
            Field(description="patients whose lesions each centre uses, as many of each label; or all"),
        ] = 16,
        turn: Annotated[
            bool, Field(description="turn, mirror, scale and bend the lesions; false pastes them as they are")
        ] = True,
        side: Annotated[
            int | None,
            Field(ge=16, le=512, multiple_of=8, description="window on the lesion in pixels; None: 5/8 of the image"),
        ] = None,
    ) -> None:
        check_patients(patients, 1, "blending")
        self.patients = patients
        self.turn = turn
        self.side = side

    def trains_on(self, members: ImageSet, context: Context) -> Names:
        """The patients whose lesions are used."""
        return few_shot(members, self.patients, context.seed)

    def fit(self, data: TrainingData, context: Context) -> None:
        """Nothing to learn; only checks that it can blend.

        Raises:
            BadInputError: without public images, masks or lesions, or if the images are no 2-D images of 16 pixels.
        """
        side_for(public_of(data), self.side)
        self.trains_on(data.members, context)

    def sample(self, n: int | None, data: TrainingData, model: Path, context: Context) -> ImageSet:  # noqa: ARG002
        """``n`` images with a lesion each (None: one per image of a lesion), spread over the patients."""
        public = public_of(data)
        own = trained(data.members, self.trains_on(data.members, context))
        conditions = own.take(spread(own.patient, len(own) if n is None else n, context.rng("conditions")))
        pixels, mask = np.empty_like(conditions.pixels), np.zeros((len(conditions), *conditions.spatial), np.uint8)
        for center in np.unique(centers_of(conditions)).tolist():
            rows = np.flatnonzero(centers_of(conditions) == center)
            windows = turned_windows(
                conditions.take(rows),
                public,
                own_backgrounds(public, center),
                side_for(public, self.side),
                context.rng("places", center),
                turn=self.turn,
            )
            blended = zip(rows, windows.places, windows.backgrounds, windows.image.numpy(), strict=True)
            for row, at, image, lesion in blended:
                pixels[row] = paste(lesion, at.alpha, at.corner, np.asarray(public.pixels[image]))
                mask[row] = at.mask_in(mask.shape[1:])
        return ImageSet(
            pixels=pixels,
            patient=neutral_names(len(conditions)),
            label=conditions.label,
            mask=mask,
            center=conditions.center,
            source=conditions.patient,
        )

    def declare(self, samples: ImageSet, data: TrainingData, model: Path, context: Context) -> Declaration:  # noqa: ARG002
        """What the attacks may not notice."""
        return Declaration(notes=(NOTE,))
