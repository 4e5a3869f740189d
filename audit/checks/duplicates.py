"""Is an image of a member also in the holdout, as it is or altered?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..record import Estimate
from ..types import FloatArray, ImageSet
from .copies import Closest, Sketch, closest, digests
from .inputs import Comparison, Tested, Twins

NAME = "duplicates"
ADVICE = (
    "put all images of one person, and all copies of one image, into one part under one patient name in "
    "metadata.csv, or remove the copies; confidential/checks.csv lists them"
)
PIXELS = "share of variance unexplained"
HASH = "share of hash bits that differ"


@dataclass(frozen=True, slots=True)
class Bounds:
    """When two images count as one.

    Half as far apart as the two most similar images of different patients within a part. Never more than ``most``,
    and always where they are closer than ``least``: so close that they are not taken for different patients' images.

    Attributes:
        least: for any cohort.
        most: for any cohort.
    """

    least: float
    most: float

    def limit(self, strangers: FloatArray) -> tuple[float, float]:
        """The largest distance that counts, and the smallest between ``strangers`` (inf where there are none)."""
        apart = strangers[np.isfinite(strangers) & (strangers > self.least)]
        smallest = float(apart.min()) if len(apart) else np.inf
        return (min(max(smallest / 2, self.least), self.most) if len(apart) else self.least), smallest


BY_PIXELS = Bounds(0.005, 0.15)
BY_HASH = Bounds(0.02, 0.2)


def check_duplicates(comparison: Comparison) -> Tested:
    """Exact and near copies across all members and all holdout patients."""
    split = comparison.split
    members, holdout, reference = (Sketch.of(part) for part in (split.members, split.holdout, split.reference))
    if not len(members.at) or not len(holdout.at):
        return Tested(skipped="all members' or all holdout images are empty: every pixel has the same value")
    exact = _exact(split.holdout, split.members)
    notes = [_left_out(members.empty + holdout.empty)] if members.empty + holdout.empty else []
    estimates = [_share("exact_duplicates", exact >= 0, len(holdout.at), "equal after rounding to 8 bits")]
    twins = [_twins(comparison, int(row), int(exact[row]), 0.0, "equal") for row in np.flatnonzero(exact >= 0)]
    near = np.zeros(len(split.holdout), bool)
    if members.comparable:
        across = closest(holdout, members)
        within = [closest(part, part) for part in (members, holdout, reference)]
        for distance, match, strangers, bounds, measure, name in (
            (across.pixels, across.pixels_match, [w.pixels for w in within], BY_PIXELS, PIXELS, "closest_pixels"),
            (across.hash, across.hash_match, [w.hash for w in within], BY_HASH, HASH, "closest_hash"),
        ):
            if not np.isfinite(distance).any():
                continue
            limit, smallest = bounds.limit(np.concatenate(strangers))
            copied = (distance <= limit) & (exact[holdout.at] < 0)
            new = np.flatnonzero(copied & ~near[holdout.at])
            near[holdout.at[copied]] = True
            twins += [
                _twins(comparison, int(holdout.at[i]), int(members.at[match[i]]), float(distance[i]), measure)
                for i in new
            ]
            estimates.append(_nearest(name, distance, limit, smallest, measure))
        estimates.insert(
            1,
            _share("near_duplicates", near, len(holdout.at), f"{PIXELS} or {HASH} at most half of strangers' smallest"),
        )
        notes += _alike_within(within)
    else:
        notes.append("the images are too small to tell copies from chance: only exact duplicates were looked for")
    found = (int((exact >= 0).sum()), int(near.sum()))
    return Tested(
        estimates=tuple(estimates),
        said=("",) * len(estimates),
        failed=f"{found[0]} exact and {found[1]} near duplicates of members' images are among the {len(holdout.at)} "
        f"holdout images ({len({t.patients[1] for t in twins})} holdout patients)"
        if any(found)
        else "",
        advice=ADVICE,
        notes=tuple(notes),
        twins=tuple(twins),
    )


def _exact(asked: ImageSet, gallery: ImageSet) -> NDArray[np.intp]:
    """The position in ``gallery`` of an image equal to each of ``asked``, or -1."""
    first: dict[bytes, int] = {}
    for i, digest in enumerate(digests(gallery)):
        first.setdefault(digest, i)
    first.pop(b"", None)
    return np.array([first.get(digest, -1) for digest in digests(asked)], dtype=np.intp)


def _twins(comparison: Comparison, holdout: int, member: int, distance: float, measure: str) -> Twins:
    split = comparison.split
    names = str(split.members.patient[member]), str(split.holdout.patient[holdout])
    return Twins(NAME, ("members", "holdout"), names, (member, int(holdout)), distance, measure)


def _share(name: str, found: NDArray[np.bool_], n: int, what: str) -> Estimate:
    return Estimate(
        name=name,
        value=float(found.sum()) / n,
        null=0.0,
        n=n,
        unit="image",
        worse="higher",
        method=f"{what}; complete count of holdout images with such an image among members",
        note=f"{int(found.sum())} of {n} holdout images",
    )


def _nearest(name: str, distance: FloatArray, limit: float, smallest: float, measure: str) -> Estimate:
    known = np.isfinite(smallest)
    return Estimate(
        name=name,
        value=float(distance.min()),
        null=smallest if known else None,
        n=int(np.isfinite(distance).sum()),
        unit="image",
        worse="lower",
        method=f"{measure}, between a holdout image and its closest member; null: the same between different patients "
        "of one part",
        note=f"at most {limit:.3f} counts as a duplicate"
        + ("" if known else "; no two patients of one part to compare it with, so only close copies are found"),
    )


def _alike_within(within: list[Closest]) -> list[str]:
    alike = int(sum((w.pixels <= BY_PIXELS.least).sum() for w in within))
    if not alike:
        return []
    return [f"{alike} images have a copy under another patient's name within their own part"]


def _left_out(empty: int) -> str:
    return f"{empty} images whose pixels are all equal were left out"
