"""Is one patient in two parts under two spellings of a name?"""

import re
import unicodedata
from collections import Counter
from itertools import combinations

from ..record import Estimate
from .inputs import Comparison, Tested, Twins

NAME = "patient-overlap"


def check_overlap(comparison: Comparison) -> Tested:
    """Patients of two parts whose names differ in nothing but spelling. Equal names no ``Split`` lets through."""
    known: dict[str, list[tuple[str, str]]] = {}
    patients = 0
    for part, images in comparison.split.parts():
        for name in images.patients.tolist():
            known.setdefault(plain_name(name), []).append((part, name))
            patients += 1
    twins = [
        Twins(NAME, (part_a, part_b), (name_a, name_b))
        for same in known.values()
        for (part_a, name_a), (part_b, name_b) in combinations(same, 2)
        if part_a != part_b
    ]
    where = Counter(twin.parts for twin in twins)
    listed = ", ".join(f"{count} in {a} and {b}" for (a, b), count in where.items())
    shared = sum(len({part for part, _ in same}) > 1 for same in known.values())
    return Tested(
        estimates=(
            Estimate(
                name="shared_patients",
                value=float(shared),
                null=0.0,
                n=patients,
                unit="patient",
                worse="higher",
                method="complete count: names without case, accents' encoding, blanks, punctuation, leading zeros",
                note=f"{shared} persons, by {patients} names",
            ),
        ),
        said=("",),
        failed=f"{len(twins)} pairs of names in two parts differ only in spelling ({listed})" if twins else "",
        advice="if both are one person, give them one name in metadata.csv and so put all their images into one part; "
        "if not, rename one of them; confidential/checks.csv lists them",
        twins=tuple(twins),
    )


def plain_name(name: str) -> str:
    """``name`` without what two people who type it may do differently: "Pat-007", "pat 7" and "PAT7" are one.

    Blanks and punctuation become one separator and are not deleted, for "p1-2" is not "p12".
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    visible = "".join(c for c in folded if unicodedata.category(c) != "Cf")  # zero-width blanks, soft hyphens
    words: list[str] = []
    for word in re.split(r"[\W_]+", visible):
        # Only where a word is letters, then digits: inside "a05b", a hash perhaps, a zero may be all the difference.
        lettered = re.fullmatch(r"([^\d]*)(\d+)", word)
        words += [part for part in (lettered[1], lettered[2].lstrip("0") or "0") if part] if lettered else [word]
    return "-".join(word for word in words if word) or name
