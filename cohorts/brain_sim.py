"""Simulated multi-centre brain tumour MRI, grown from the MNI152 template: nothing to download, no real person.

A patient is a random deformation, folding and texture of the average brain, kept in every slice and visit, with a
tumour whose grade (0 low, 1 high) is the label. Public patients are healthy: empty mask, label 0 (not high-grade).
All parts are draws of one distribution, balanced over centres and grades; patient i of a part is the same however
many others there are.
"""

from string import ascii_uppercase
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.context import Context
from ..audit.plugin import cohort
from ..audit.types import ImageSet, Masks, Pixels, Split
from .anatomy import Anatomy, Template, template
from .scanner import FIELD_OF_VIEW, Position, Scanner, plane
from .tumour import Tumour, place_in
from .writing import PartWriter


@cohort(simulated=True)
def brain_sim(
    context: Context,
    *,
    size: Annotated[int, Field(ge=16, le=256, description="pixels along each side of a slice")] = 64,
    centers: Annotated[int, Field(ge=1, le=26, description="hospitals, each with a scanner of its own")] = 4,
    members: Annotated[int, Field(ge=1, description="patients that generators are trained on")] = 132,
    holdout: Annotated[int, Field(ge=1, description="patients that no generator sees")] = 132,
    reference: Annotated[int, Field(ge=1, description="patients that the attacker owns")] = 200,
    public: Annotated[int, Field(ge=0, description="healthy patients whose images may be shared")] = 80,
    reserve: Annotated[int, Field(ge=0, description="patients kept for generators with a known answer")] = 120,
    visits: Annotated[int, Field(ge=1, le=10, description="examinations of each patient")] = 2,
    slices: Annotated[int, Field(ge=1, le=20, description="slices through the tumour at each examination")] = 2,
    contrast: Annotated[float, Field(ge=0, le=5, description="how far apart the grades look; 0: not at all")] = 1.2,
) -> Split:
    """Simulated multi-centre brain tumour MRI grown from the MNI152 template (label: tumour grade)."""
    scanners = Scanner.draw(context.rng("centers"), centers)
    counts = {"members": members, "holdout": holdout, "reference": reference, "public": public, "reserve": reserve}
    average = template(FIELD_OF_VIEW / size)
    parts: dict[str, ImageSet] = {}
    with context.progress.task("simulating patients", total=sum(counts.values())) as step:
        for part, count in counts.items():
            if not count:
                continue
            each = visits * slices
            of = np.arange(count).repeat(each)  # the patient of each image
            names: list[str] = []
            with PartWriter(context.folder, part, (count * each, 1, size, size), masked=True) as writer:
                for i in range(count):
                    grade = None if part == "public" else i // centers % 2
                    rng = context.rng("patient", part, str(i))
                    names += [f"sim-{rng.integers(2**48):012x}"] * each  # a name must not tell the part
                    writer.add(*_patient(rng, average, scanners[i % centers], grade, size, visits, slices, contrast))
                    step(1, part)
                parts[part] = writer.finish(
                    names,
                    label=(of // centers % 2 * (part != "public")).tolist(),
                    center=[ascii_uppercase[c] for c in of % centers],
                    visit=np.tile(np.arange(visits).repeat(slices), count).tolist(),
                )
    return Split(**parts)


def _patient(
    rng: np.random.Generator,
    average: Template,
    scanner: Scanner,
    grade: int | None,
    size: int,
    visits: int,
    slices: int,
    contrast: float,
) -> tuple[Pixels, Masks]:
    """One patient's images ``(visits * slices, 1, size, size)`` and BraTS labels; ``grade`` None is a healthy one."""
    (noise,) = rng.spawn(1)  # its own stream, so that a patient is the same at any size
    anatomy = Anatomy.draw(rng)
    place = place_in(anatomy, average, rng)
    tumour = Tumour.draw(rng, grade or 0, place, contrast)
    pixels, masks = [], []
    for visit in range(visits):
        position = Position.draw(rng)
        seen = tumour.grown(1 + visit * rng.uniform(0, 0.12))
        spread = np.linspace(-0.45, 0.45, slices) if slices > 1 else np.zeros(1)
        heights = position.to_scanner(place)[2] + seen.radius * (spread + rng.uniform(-0.2, 0.2, slices))
        field = plane(size, heights)
        points = position.to_person(field)
        healthy = points if grade is None else seen.displaced(points)
        intensity, depth = anatomy.tissue(healthy, average)
        labels = (
            np.zeros(len(depth), np.uint8)
            if grade is None
            else seen.grow_in(intensity, depth, points, FIELD_OF_VIEW / size)
        )
        shape = (slices, size, size)
        bias = scanner.field(field, rng).reshape(shape)
        pixels.append(scanner.image(intensity.reshape(shape), depth.reshape(shape), bias, noise)[:, None])
        masks.append(labels.reshape(shape))
    return np.concatenate(pixels), np.concatenate(masks)
