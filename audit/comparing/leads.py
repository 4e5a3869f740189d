"""The figures that a comparison is read by: one or two a criterion, and what the images are good for."""

from collections.abc import Callable

from .model import Compared, Comparison
from .rows import STRONGEST

PRIVACY = ("memorization", "reidentification", "membership", "attribute")
FIGURES = {"memorization": "copied_share", "reidentification": "linked_excess", "attribute": "attribute_risk"}
ARM = "synthetic"


def leads_of(comparison: Comparison) -> tuple[Compared, ...]:
    """Of each criterion the figure that its rule judges, of membership the strongest attack, and overall utility."""
    return (*privacy_of(comparison), *utility_of(comparison))


def privacy_of(comparison: Comparison) -> tuple[Compared, ...]:
    """The leading figures of privacy; of membership every attack's AUC where no strongest attack is known."""
    found: list[Compared] = []
    for family in PRIVACY:
        own = [e for e in comparison.estimates if e.kind == "attack" and e.family == family and not e.group]
        if family == "membership":
            strongest = [e for e in own if e.plugin == STRONGEST]
            found += strongest or [e for e in own if e.name == "auc"]
        else:
            found += [e for e in own if e.name == FIGURES[family] and e.plugin != STRONGEST]
    return tuple(found)


def utility_of(comparison: Comparison) -> tuple[Compared, ...]:
    """What the released images alone are good for, and how much they are like real ones."""
    return tuple(_first(comparison, asks) for asks in _USEFUL if any(map(asks, comparison.estimates)))


def _first(comparison: Comparison, asks: Callable[[Compared], bool]) -> Compared:
    return next(filter(asks, comparison.estimates))


def _of(name: str, group: str) -> Callable[[Compared], bool]:
    def asks(compared: Compared) -> bool:
        stem = compared.name.replace("-", "_")
        known = stem == name or (name == "fd" and stem.startswith("fd_"))
        return compared.kind == "metric" and known and compared.group == group and compared.worse in {"lower", "higher"}

    return asks


_USEFUL = tuple(_of(*names) for names in (("dice", ARM), ("roc_auc", ARM), ("fid", ""), ("fd", "")))
