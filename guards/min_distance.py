"""Nothing too close to a member is released."""

import hashlib
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from ..audit.closest import closest, closest_by_brute_force, metric_of
from ..audit.context import Context
from ..audit.errors import BadInputError
from ..audit.persist import fingerprint
from ..audit.plugin import Draw, guard
from ..audit.record import GuardCertificate
from ..audit.types import FloatArray, ImageSet, TrainingData, concatenate

LABEL = "guard 'min-distance'"
MARGIN = 1e-12  # relative: whoever computes the distance again in float64, in any order, finds it no smaller than tau


@guard(paper="arXiv:2301.06604")
class MinDistance:
    """Rejects every sample closer than tau to a member's image and draws again (Shi et al. 2023).

    The distance is the root mean square difference of pixels, in units of the intensity range, to the closest image of
    any member, also mirrored and shifted by up to ``shift`` pixels; a border of ``shift`` pixels, which a shift moves
    out of view, does not count. It is exact: pairs that rounding leaves open are decided in float64, on the values that
    the released files hold. tau is given, or is the ``quantile`` of the distances of members' images to those of other
    members: what is closer than that is closer than patients are to one another.

    A guard is not anonymity: a member lies in a hole of the release, which can be noticed. Audits of guarded releases
    therefore ask membership in both directions, and ``decoys`` makes the same holes around people who are no members.
    """

    def __init__(
        self,
        *,
        tau: Annotated[
            float | None, Field(ge=0, le=1, description="smallest distance allowed; or give quantile")
        ] = None,
        quantile: Annotated[
            float | None,
            Field(ge=0, le=1, description="tau as this quantile of members' distances to other members; default 0.05"),
        ] = None,
        shift: Annotated[int, Field(ge=0, le=8, description="shifts looked at, in pixels along both axes")] = 1,
        mirror: Annotated[bool, Field(description="look at left-right mirrored members too")] = True,
        decoys: Annotated[
            bool, Field(description="keep as far from the reserve patients' images, so that a hole tells less")
        ] = False,
        tries: Annotated[int, Field(ge=1, le=1000, description="how often to draw at most")] = 10,
    ) -> None:
        if tau is not None and quantile is not None:
            raise BadInputError(f"{LABEL}: tau={tau:g} and quantile={quantile:g} are both given\ngive one of them")
        self.tau = tau
        self.quantile = 0.05 if quantile is None else quantile
        self.shift = shift
        self.mirror = mirror
        self.decoys = decoys
        self.tries = tries

    def check(self, data: TrainingData) -> None:
        """Refuse images that are too small, and options that the data cannot serve.

        Raises:
            BadInputError: if images are too small for ``shift``, if there is no other member to take a quantile from,
                or no reserve for decoys.
        """
        if len(data.members.spatial) != 2 or min(data.members.spatial) <= 2 * self.shift:
            size = "x".join(map(str, data.members.spatial))
            raise BadInputError(
                f"{LABEL}: images of {size} cannot be shifted by {self.shift} pixels\nlower the option shift"
            )
        if self.tau is None and len(data.members.patients) < 2:
            raise BadInputError(f"{LABEL}: quantile needs two member patients, there is one\ngive tau instead")
        if self.decoys and (data.reserve is None or not len(data.reserve)):
            raise BadInputError(f"{LABEL}: decoys=true, but the cohort has no reserve patients\nleave decoys out")

    def release(
        self, draw: Draw, n: int | None, data: TrainingData, context: Context
    ) -> tuple[ImageSet, GuardCertificate]:
        """Draw until there are ``n`` images at least tau away from every member's image.

        Raises:
            BadInputError: if there are not after ``tries`` draws.
        """
        members = data.members
        decoys = data.reserve if self.decoys else None
        tau, tau_from = self._threshold(members, context)
        kept: list[ImageSet] = []
        distances: list[FloatArray] = []
        seen: set[bytes] = set()
        missing, drawn, number = n, 0, 0
        while number < self.tries and missing != 0:
            number += 1
            images = draw(missing)
            missing = len(images) if missing is None else missing
            images = _new(images, seen)
            distance = self._distances(images, members, f"guarding draw {number}", context)
            far = distance >= tau * (1 + MARGIN)
            if decoys is not None:
                far &= self._distances(images, decoys, f"decoys, draw {number}", context) >= tau * (1 + MARGIN)
            kept.append(images.take(far))
            distances.append(distance[far])
            drawn += len(images)
            missing -= int(far.sum())
        found = sum(map(len, kept))
        if missing or not found:
            raise BadInputError(
                f"{LABEL}: after {number} draws only {found} images are {tau:.4g} or more from every member, "
                f"{drawn - found} of {drawn} were rejected\n"
                "lower tau or quantile, allow more tries, or ask for fewer samples"
            )
        samples = concatenate(*kept)
        names = np.array([f"synthetic-{i:06d}" for i in range(1, found + 1)], dtype=np.str_)
        return replace(samples, patient=names), GuardCertificate(
            guard="min-distance",
            metric=metric_of(self.shift, mirror=self.mirror),
            tau=tau,
            tau_from=tau_from,
            closest=float(np.concatenate(distances).min()),
            members=len(members),
            members_sha256=fingerprint("members", members).sha256,
            released=found,
            drawn=drawn,
            decoys=0 if decoys is None else len(decoys),
            rejected=drawn - found,
            rounds=number,
        )

    def prove(self, images: ImageSet, members: ImageSet, context: Context) -> FloatArray:
        """The distance ``(n,)`` of each image to the closest member image, every pair and pose compared in float64."""
        with context.progress.task("comparing with every member", len(members)) as step:
            return closest_by_brute_force(images, members, shift=self.shift, mirror=self.mirror, advance=step)

    def _threshold(self, members: ImageSet, context: Context) -> tuple[float, str]:
        if self.tau is not None:
            return self.tau, "given"
        others = self._distances(members, members, "distances among members", context, own=False)
        tau = float(np.quantile(others, self.quantile))
        return tau, f"{self.quantile:g} quantile of members' distances to other members"

    def _distances(
        self, images: ImageSet, members: ImageSet, task: str, context: Context, *, own: bool = True
    ) -> FloatArray:
        with context.progress.task(task, len(members)) as step:
            return closest(
                images, members, shift=self.shift, mirror=self.mirror, own=own, device=context.device, advance=step
            )


def _new(images: ImageSet, seen: set[bytes]) -> ImageSet:
    """``images`` without those that were drawn before: a generator with few images would release one again."""
    marks = [hashlib.blake2b(np.ascontiguousarray(image).tobytes()).digest() for image in images.pixels]
    fresh = np.array([mark not in seen for mark in marks], dtype=bool)
    seen.update(marks)
    return images.take(fresh)
