"""What stands in the tables of a comparison, and how much of it where there are many entrants."""

from dataclasses import dataclass

from ...audit.comparison import (
    STRONGEST,
    Compared,
    ComparedPlugin,
    Comparison,
    PairDifference,
    leads_of,
    main_figures,
    overall,
)

ORDER = ("membership", "memorization", "reidentification", "attribute", "canary", "guard", "utility", "validity")
PAIRS_EACH, PAIRS_OTHER = 20, 80
"""Pairs of one leading figure, and of all others, that the table of differences shows where there are many."""


@dataclass(frozen=True, slots=True)
class Section:
    """All that one plugin found.

    Attributes:
        family: of the plugin.
        name: of the plugin.
        plugin: what became of it; None for the strongest attack, which is none of its own.
        estimates: what it measured, of any entrant; none where it gave no number to anybody.
    """

    family: str
    name: str
    plugin: ComparedPlugin | None
    estimates: tuple[Compared, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """All that the plugins of one family found, folded away under one line.

    Attributes:
        family: of them all.
        sections: one a plugin.
        figures: how many estimates these have.
        differing: in how many of them a difference is shown.
    """

    family: str
    sections: tuple[Section, ...]
    figures: int
    differing: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of the table of differences."""

    compared: Compared
    found: PairDifference


def sections_of(comparison: Comparison) -> tuple[Section, ...]:
    """Every plugin with its estimates, by family; with many entrants main figures only."""
    by_plugin: dict[tuple[str, str], list[Compared]] = {}
    for compared in comparison.estimates if comparison.every_pair else main_figures(comparison.estimates):
        by_plugin.setdefault((compared.family, compared.plugin), []).append(compared)
    found = [Section(p.family, p.plugin, p, tuple(by_plugin.get((p.family, p.plugin), ()))) for p in comparison.plugins]
    best = [Section(family, name, None, tuple(own)) for (family, name), own in by_plugin.items() if name == STRONGEST]
    return tuple(sorted((*best, *found), key=lambda section: _place(section.family)))


def folds_of(comparison: Comparison) -> tuple[Fold, ...]:
    """The sections by family."""
    by_family: dict[str, list[Section]] = {}
    for section in sections_of(comparison):
        by_family.setdefault(section.family, []).append(section)
    folds = []
    for family, own in by_family.items():
        figures = [e for section in own for e in section.estimates]
        folds.append(Fold(family, tuple(own), len(figures), sum(bool(e.shown) for e in figures)))
    return tuple(folds)


def pairs_of(comparison: Comparison) -> tuple[Pair, ...]:
    """Differences worth a line: every pair of the leading figures, and what is shown elsewhere; of many the surest."""
    leads = leads_of(comparison)
    found: list[Pair] = []
    for compared in leads:
        own = compared.differences
        if not comparison.every_pair:
            own = tuple(sorted(compared.shown, key=lambda d: d.adjusted)[:PAIRS_EACH])
        found += [Pair(compared, d) for d in own]
    others = [
        Pair(compared, d)
        for compared in comparison.estimates
        if overall(compared) and not any(compared is lead for lead in leads)
        for d in compared.shown
    ]
    return (*found, *sorted(others, key=lambda pair: pair.found.adjusted)[:PAIRS_OTHER])


def counts_of(comparison: Comparison) -> tuple[int, int]:
    """How many differences were computed, and how many of them are significant."""
    every = [d for e in comparison.estimates for d in e.differences]
    return len(every), sum(d.better is not None for d in every)


def _place(family: str) -> int:
    return ORDER.index(family) if family in ORDER else len(ORDER)
