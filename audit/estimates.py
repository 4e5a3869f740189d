"""Names that a policy may use, and what was probably meant by one that nobody knows. Imports no plugin."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from .catalogue import Entry, available, did_you_mean
from .errors import BadInputError
from .policy import Pattern, Policy, PolicyRule
from .record import AuditRecord, Finding

MEMBERSHIP = ("auc", "tpr@fpr=0.1", "tpr@fpr=0.01", "tpr@fpr=0.001", "detectable_share")
RETRIEVAL = ("map@r", "r_precision", "precision@1")

ESTIMATES = {
    "memorization": (
        "copied_share",
        "exposed_patients",
        "exact_copies",
        "most_copies",
        "release_size",
        "dcr_share",
        "nndr",
        "relative_knn",
        "c_t",
        "authpct",
        "detectable_share",
    ),
    "membership": MEMBERSHIP,
    "reidentification": (
        "linked_excess",
        "linked_patients",
        *RETRIEVAL,
        *(f"{name}_lift" for name in RETRIEVAL),
        *(f"verifier_{name}" for name in ("auc", "recall", "map@r", "precision@1", "agreement")),
        "agreed_links",
        "detectable_share",
    ),
    "attribute": ("attribute_risk", "attribute_success", "detectable_share"),
    "canary": ("epsilon_lower", "epsilon_claimed", "epsilon_ceiling", "guesses_right"),
    "utility": (
        "dice",
        "dice-gain",
        "dice-worst-center",
        "dice-spread",
        "roc-auc",
        "roc-auc-difference",
        "fid",
        *(f"{name}-randconv" for name in ("fd", "kid", "precision", "density", "recall", "coverage")),
    ),
    "validity": (
        "shared_patients",
        "exact_duplicates",
        "near_duplicates",
        "closest_pixels",
        "closest_hash",
        "blind_auc",
        "cramers_v",
        "ks_distance",
    ),
    "guard": ("guard_closest", "guard_too_close"),
}
"""What built-in plugins report, by family."""

BY_ARM = {"dice", "dice-worst-center", "dice-spread", "roc-auc"}
"""Figures of utility of which there is one an arm and none overall."""

CHECKS = {"validity": ("patient-overlap", "duplicates", "blind-baseline", "shift"), "guard": ("certificate",)}


def check_names(policy: Policy, record: AuditRecord | None, file: str) -> None:
    """Refuse a policy with a rule that can be about nothing.

    What an installed plugin reports is known only where it ran: its estimates are taken on trust elsewhere.

    Args:
        policy: to check.
        record: of the audit that it will judge; None: the built-in names alone are known.
        file: what errors call the policy.

    Raises:
        BadInputError: naming the rule, the unknown part and the nearest name.
    """
    findings = record.findings if record else ()
    for number, rule in enumerate(policy.rule, 1):
        place = f"policy '{file}': rule {number} ({rule.estimate})"
        _check_family(rule.pattern, findings, place)
        _check_plugin(rule.pattern, findings, place)
        _check_estimate(rule, findings, place)


def _known(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _check_family(pattern: Pattern, findings: tuple[Finding, ...], place: str) -> None:
    families = list(dict.fromkeys((*ESTIMATES, *(f.family for f in findings))))
    if not _known(pattern.family, families):
        close = did_you_mean(pattern.family, families)
        raise BadInputError(f"{place}: no family '{pattern.family}'{close}\nfamilies: {', '.join(families)}")


def _check_plugin(pattern: Pattern, findings: tuple[Finding, ...], place: str) -> None:
    if pattern.plugin in {"", "*"} or any(pattern.asks(f) for f in findings):
        return
    names = _plugins(pattern.family)
    if not _known(pattern.plugin, names):
        close = did_you_mean(pattern.plugin, names)
        raise BadInputError(
            f"{place}: no plugin '{pattern.plugin}' in the family {pattern.family}{close}\n"
            f"there are: {', '.join(names)}"
        )


def _plugins(family: str) -> list[str]:
    """Those of a family; an installed attack's family is known only to itself, so it may be of any."""
    if family in CHECKS:
        return list(CHECKS[family])
    return [e.name for e in _entries(family) if e.family in {"", family} or "*" in family]


def _entries(family: str) -> list[Entry]:
    return list(available("metric" if family == "utility" else "attack").values())


def _foreign(pattern: Pattern, findings: tuple[Finding, ...]) -> bool:
    """Whether the rule may be about a plugin that is not built in, and did not get to say what it reports."""
    if pattern.family in CHECKS:
        return False
    named = {f.plugin for f in findings if pattern.asks(f) and f.status != "ok"}
    if pattern.plugin and "*" not in pattern.plugin and not any(pattern.asks(f) for f in findings):
        named.add(pattern.plugin)
    return bool(named - {e.name for e in _entries(pattern.family) if e.origin == "built-in"})


def _check_estimate(rule: PolicyRule, findings: tuple[Finding, ...], place: str) -> None:
    pattern = rule.pattern
    here = [e for f in findings if pattern.asks(f) for e in f.estimates]
    built_in = [name for family, own in ESTIMATES.items() if fnmatchcase(family, pattern.family) for name in own]
    names = list(dict.fromkeys((*built_in, *(e.name for e in here))))
    if not _known(pattern.name, names):
        if _foreign(pattern, findings):
            return
        close = did_you_mean(pattern.name, names)
        raise BadInputError(f"{place}: no estimate '{pattern.name}'{close}\nthere are: {', '.join(names)}")
    groups = [e.group for e in here if fnmatchcase(e.name, pattern.name)]
    if not groups and pattern.family == "utility" and pattern.name in BY_ARM:
        groups = ["synthetic"]  # a policy is to be found wrong before the audit, too
    if groups and not pattern.group and "" not in groups:
        first = next((g for g in groups if g == "synthetic"), groups[0])
        raise BadInputError(
            f'{place}: there is no overall figure; write for example "{rule.estimate}[{first}]"\n'
            f"groups: {', '.join(dict.fromkeys(groups))}"
        )
