"""Why the verdict is what it is, and what to do next: for the reader who has to act on it."""

import re

from ..audit.record import AuditRecord, Finding, Rule
from .criteria import TITLES as CRITERIA
from .criteria import counted, known_answer
from .fairness import checks_of, title_of_check, voided
from .measures import measure_of
from .power import brief_of, listed, planted_in
from .wording import number, share, title_of

_ATTACKS = {
    "memorization": "nearest",
    "reidentification": "siamese",
    "membership": "gan-leaks",
    "attribute": "attribute-inference",
}
_DECIMAL = re.compile(r"-?\b\d+\.\d+\b")
_DECIDE = (
    "Compare what was not tested with what the recipients could do, then decide and sign. "
    "The audit informs that decision and does not replace it."
)
_KNOWN = (
    "Compare the verdict with the answer that is known for this generator. This run checks the audit itself: "
    "no release depends on it."
)
_CURE = (
    "Remove the cause, not the images that were caught: look for duplicated patients in the training data, train "
    "for fewer steps or with a smaller model, on more patients, or with differential privacy. Then audit again."
)
_UNFAIR = "Mend the comparison and audit again: until its checks pass, the results that rest on it are not valid."
_FILES = {
    "memorization": "names the nearest training patient of every released image",
    "reidentification": "names the best match of every released image",
    "membership": "holds the score of every patient",
    "attribute": "holds what was guessed of every patient",
}


def name_of(rule: Rule) -> str:
    """``memorization.nearest.copied_share`` -> ``Singling out: copied share (nearest)``."""
    family, _, rest = rule.name.partition(".")
    plugin, _, estimate = rest.partition(".")
    criterion = CRITERIA.get(family, family)
    if not plugin:
        return criterion
    if family == "validity":
        return f"{criterion} ({lowered(title_of_check(plugin))})"
    if not estimate:
        return f"{criterion}: {plugin}"
    title = title_of(estimate)
    return f"{criterion}: {lowered(title)} ({plugin})"


def lowered(title: str) -> str:
    """A title within a sentence; an abbreviation at its start stays one."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def reason_of(rule: Rule, record: AuditRecord) -> str:
    """Why a rule came out as it did; where an attack found nothing, with the smallest leak it would have found."""
    family, _, rest = rule.name.partition(".")
    finding = _finding(record, family, rest.partition(".")[0])
    if rule.outcome != "pass" or finding is None or finding.kind != "attack" or family == "canary":
        return said_of(rule)
    return f"{said_of(rule).rstrip('.')}. {brief_of(finding)}"


def reasons_of(record: AuditRecord) -> tuple[str, ...]:
    """The rules that decided the verdict, with their numbers; what all checks, or one, did to many is said once."""
    decisive = [r for r in record.verdict.rules if r.outcome == record.verdict.outcome]
    checks = {c.finding.plugin: c for c in checks_of(record)}
    passed = [r for r in decisive if r.outcome == "pass" and r.name.startswith("validity.")]
    lines = [f"{CRITERIA['validity']}: {counted(len(passed), 'check')} passed"] if passed else []
    void: list[str] = []
    alike: dict[tuple[str, str], list[Rule]] = {}
    for rule in (r for r in decisive if r not in passed):
        family, plugin = (*rule.name.split(".")[:2], "")[:2]
        finding = _finding(record, family, plugin)
        if family == "validity" and plugin in checks:
            lines.append(f"{name_of(rule)}: {' '.join(checks[plugin].says)}")
        elif finding and voided(finding) and rule.outcome == "inconclusive":
            void.append(plugin)
        else:
            estimate = rule.name.rpartition(".")[2]
            limit = said_of(rule).partition(", allowed: ")[2] or rule.name
            alike.setdefault((f"{family}.{estimate}", limit), []).append(rule)
    lines += [_said_of_all(rules, limit) for (_, limit), rules in alike.items()]
    if void:
        lines.append(
            f"Not valid, because the comparison is not fair: the results of {listed(list(dict.fromkeys(void)))}"
        )
    return tuple(lines)


def said_of(rule: Rule) -> str:
    """Its reason, with shares as the rest of a report says them: ``0.004 [-0.021, 0.03]`` is 0.4% [-2.1%, 3%]."""
    if rule.value is None or measure_of(rule.name.rpartition(".")[2]).scale != "share":
        return rule.reason
    return _DECIMAL.sub(lambda found: share(float(found[0])), rule.reason)


def _said_of_all(rules: list[Rule], limit: str) -> str:
    """One line for rules about the same estimate of several attacks that came out alike."""
    first, *rest = rules
    values = [rule.value for rule in rules if rule.value is not None]
    if not rest or len(values) < len(rules):
        return f"{name_of(first)}: {said_of(first)}"
    plugin, estimate = first.name.split(".")[1], first.name.rpartition(".")[2]
    title = name_of(first).removesuffix(f" ({plugin})")
    scale = measure_of(estimate).scale
    span = " to ".join(dict.fromkeys(number(value, scale) for value in (min(values), max(values))))
    names = listed([rule.name.split(".")[1] for rule in rules])
    said = limit.replace("the interval", "each interval")
    return f"{title} of {len(rules)} attacks: values {span}, allowed: {said} ({names})"


def next_steps_of(record: AuditRecord) -> tuple[str, ...]:
    """What a reader should do about this verdict."""
    if known_answer(record):
        return (_KNOWN,)
    decisive = [r for r in record.verdict.rules if r.outcome == record.verdict.outcome]
    if record.verdict.outcome == "fail":
        unfair = [r for r in record.verdict.rules if r.name.startswith("validity.") and r.outcome != "pass"]
        return (*_after_a_fail(decisive), *_missing_of(unfair, record))
    if record.verdict.outcome == "inconclusive":
        steps = _missing_of(decisive, record)
        return ("Do not release on the strength of this audit: an open question is not a pass.", *steps)
    return (_DECIDE,)


def _after_a_fail(failed: list[Rule]) -> tuple[str, ...]:
    files: dict[str, list[str]] = {}
    for family, plugin in dict.fromkeys((*r.name.split(".")[:2], "")[:2] for r in failed):
        if family in _FILES and plugin:
            files.setdefault(family, []).append(f"confidential/{plugin}.csv")
    looks = [
        f"Look at {listed(own)} in the folder of this run: {'it' if len(own) == 1 else 'each'} {_FILES[family]}. "
        "It identifies patients and is for the owner of the data only."
        for family, own in files.items()
    ]
    return (
        "Do not release these images or the generator.",
        *looks,
        _CURE,
    )


def _missing_of(rules: list[Rule], record: AuditRecord) -> tuple[str, ...]:
    """What these rules lack; what several attacks lack alike is said once."""
    lacks: dict[tuple[str, str], dict[str, None]] = {}
    for rule in rules:
        plugin, said = _missing(rule, record)
        family = rule.name.partition(".")[0]
        whose = CRITERIA.get(family, family.capitalize()) if plugin else ""
        lacks.setdefault((whose, said), {})[plugin] = None
    return tuple(
        f"{whose}, {listed(list(plugins))}: {said}" if whose else said for (whose, said), plugins in lacks.items()
    )


def _missing(rule: Rule, record: AuditRecord) -> tuple[str, str]:
    """The plugin that lacks something, or "" where no single one does, and what is to be done."""
    family, _, rest = rule.name.partition(".")
    plugin, _, name = rest.partition(".")
    criterion = CRITERIA.get(family, family)
    finding = _finding(record, family, plugin)
    if family == "validity" and not plugin:
        return "", "Nobody checked whether the comparison is fair: audit again, with the checks."
    if family == "validity":
        advice = next((c.advice for c in checks_of(record) if c.finding.plugin == plugin), "")
        return "", f"{name_of(rule)}: {advice or rule.reason}"
    if finding is None:
        attack = f"--attack {_ATTACKS[family]}" if family in _ATTACKS else "an attack of this kind"
        return "", f"{criterion} was not tested: run {attack}, with the access and data it needs."
    if voided(finding):
        return "", _UNFAIR
    return plugin, _lacks(finding, name)


def _lacks(finding: Finding, name: str) -> str:
    """What an attack needs before its rule can be decided."""
    if finding.status == "error":
        return "it broke. Repair what the error names and audit again."
    if finding.status == "invalid":
        return "the test's own check failed. It needs more reference patients or more training."
    estimate = finding.estimate(name) if name else None
    if estimate is None or estimate.value is None:
        return "no number could be measured. The reason above says what it lacks."
    if not planted_in(finding):
        return "how small a leak would show was not measured. Run privbench certify on the folder of this run."
    more = "more training and holdout patients" if estimate.unit == "patient" else "more released images or patients"
    return f"{more} are needed; with these a leak at the limit can be neither shown nor excluded."


def _finding(record: AuditRecord, family: str, plugin: str) -> Finding | None:
    return next((f for f in record.findings if f.plugin == plugin and f.family == family), None)
