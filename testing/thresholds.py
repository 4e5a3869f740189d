"""The checks of a statistic that chooses a threshold: anybody's true positive rate at a false positive rate."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..audit.types import FloatArray
from .conformance import Check, checked, require, run_all

TprAtFpr = Callable[[FloatArray, FloatArray, float], tuple[int, float]]
"""Scores of members and of others, and the target, to members called and the threshold.

Like ``audit.statistics.stats.tpr_at_fpr``.
"""

TARGETS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.29, 0.5, 1.0)
NOTHING: Mapping[str, str] = {}


def check_tpr_at_fpr(function: TprAtFpr) -> None:
    """Make every check of a function like ``audit.statistics.stats.tpr_at_fpr``.

    Raises:
        ConformanceError: listing every failed check, what was seen and what to do.
    """
    run_all(_label(function), tpr_at_fpr_checks(function))


def tpr_at_fpr_checks(function: TprAtFpr) -> Iterator[Check]:
    """The checks by name, for ``pytest.mark.parametrize``."""
    checks = {
        "never exceeds the false positive rate": lambda: _never_exceeds(function),
        "counts the members at or above its threshold": lambda: _counts(function),
        "takes the lowest threshold that is allowed": lambda: _lowest(function),
        "counts nobody where no threshold is allowed": lambda: _none_allowed(function),
        "only the order of scores counts": lambda: _order_only(function),
    }
    yield from checked(_label(function), checks, NOTHING)


def _cases() -> Iterator[tuple[FloatArray, FloatArray, float]]:
    """Continuous and tied scores, few and many people."""
    for seed, (m, n) in enumerate([(1, 1), (5, 3), (20, 15), (40, 100), (300, 299)]):
        rng = np.random.default_rng(seed)
        for decimals in (1, 12):
            member, other = rng.normal(0.7, 1, m).round(decimals), rng.normal(0, 1, n).round(decimals)
            for fpr in TARGETS:
                yield member, other, fpr


def _never_exceeds(function: TprAtFpr) -> None:
    for member, other, fpr in _cases():
        _, threshold = function(member.copy(), other.copy(), fpr)
        accused = int((other >= threshold).sum())
        require(
            accused <= fpr * len(other) + 1e-9,
            f"at a target of {fpr:g} it accused {accused} of {len(other)} non-members",
            "take a threshold whose empirical FPR does not exceed the target, not the nearest FPR",
        )


def _counts(function: TprAtFpr) -> None:
    for member, other, fpr in _cases():
        caught, threshold = function(member.copy(), other.copy(), fpr)
        above = int((member >= threshold).sum())
        require(caught == above, f"it says {caught} members, at or above its threshold are {above}", "count >=")


def _lowest(function: TprAtFpr) -> None:
    for member, other, fpr in _cases():
        levels = [*np.unique(np.concatenate([member, other])), np.inf]
        best = max(int((member >= t).sum()) for t in levels if (other >= t).sum() <= fpr * len(other) + 1e-9)
        caught, _ = function(member.copy(), other.copy(), fpr)
        require(
            caught >= best,
            f"at a target of {fpr:g} with {len(other)} non-members it caught {caught} members, {best} can be",
            "try every score as a threshold, also between tied ones and the last",
        )


def _none_allowed(function: TprAtFpr) -> None:
    caught, _ = function(np.array([0.1, 0.2]), np.array([0.9, 0.3]), 0.0)
    require(
        caught == 0, f"{caught} members called where a non-member scores highest and none may be accused", "call none"
    )


def _order_only(function: TprAtFpr) -> None:
    for member, other, fpr in _cases():
        before, _ = function(member.copy(), other.copy(), fpr)
        after, _ = function(np.exp(member / 2), np.exp(other / 2), fpr)
        require(before == after, f"{before} members called, {after} after exp of all scores", "use ranks, not a grid")


def _label(function: object) -> str:
    return f"statistic {getattr(function, '__name__', function)!r}"
