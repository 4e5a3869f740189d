"""Membership from the holes that a guard leaves in a release."""

import numpy as np

from ..audit.closest import clearance, poses_of
from ..audit.context import Auxiliary
from ..audit.errors import BadInputError, SkippedError
from ..audit.plugin import attack
from ..audit.target import Target
from ..audit.types import ImageSet, MembershipScores


@attack(family="membership", paper="arXiv:2301.06604")
def guard_hole(target: Target, candidates: ImageSet, aux: Auxiliary) -> MembershipScores:
    """Hole around a candidate in a guarded release: a guard keeps released images away from members only.

    Minimum-distance guards (Shi et al. 2023, arXiv:2301.06604) reject what comes closer than tau to a member. So each
    member lies in a hole of the release, while a stranger of whom any image has a released one within tau is certainly
    no member. The score of an image is how far the closest released image is from *any* image of its patient, in the
    metric that the guard's certificate names: far is member-like. A generator that memorises behind a guard piles up
    just outside tau instead, so the AUC is read in both directions.

    With a perfect generator of Gaussian points, 20 to 50 released ones for each member and tau at the 5% quantile of
    strangers' distances to members, the AUC is 0.65 to 0.88; with 5, it is 0.55 to 0.6: a hole shows only where others
    have company.
    """
    if target.guarded is None:
        raise SkippedError("the release was not guarded")
    if not len(target.samples):
        raise BadInputError("there are no images to compare\nrelease at least one image")
    known = poses_of(target.guarded.metric)
    shift, mirror = known or (0, False)
    with aux.context.progress.task("looking for holes", total=len(candidates)) as step:
        distance = clearance(
            candidates, target.samples, shift=shift, mirror=mirror, device=aux.context.device, advance=step
        )
    patients, owner = np.unique(candidates.patient, return_inverse=True)
    hole = np.full(len(patients), np.inf)
    np.minimum.at(hole, owner, distance)
    unknown = "the guard's own metric is not known here: distances are root mean square differences of pixels"
    return MembershipScores(hole[owner], () if known else (unknown,))
