"""Why the verdict is what it is, and what to do next: for the reader who has to act on it."""

from ..audit.record import AuditRecord, Finding, Rule
from .criteria import TITLES as CRITERIA
from .criteria import known_answer
from .wording import title_of

_ATTACKS = {"memorization": "nearest", "reidentification": "siamese", "membership": "gan-leaks"}
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
_FILES = {
    "memorization": "names the nearest training patient of every released image",
    "reidentification": "names the best match of every released image",
    "membership": "holds the score of every patient",
}


def name_of(rule: Rule) -> str:
    """``memorization.nearest.copied_share`` -> ``Singling out: copied share (nearest)``."""
    family, _, rest = rule.name.partition(".")
    plugin, _, estimate = rest.partition(".")
    criterion = CRITERIA.get(family, family)
    if not plugin:
        return criterion
    if not estimate:
        return f"{criterion}: {plugin}"
    title = title_of(estimate)
    return f"{criterion}: {title if title[:2].isupper() else title[0].lower() + title[1:]} ({plugin})"


def reasons_of(record: AuditRecord) -> tuple[str, ...]:
    """The rules that decided the verdict, with their numbers."""
    return tuple(
        f"{name_of(rule)}: {rule.reason}" for rule in record.verdict.rules if rule.outcome == record.verdict.outcome
    )


def next_steps_of(record: AuditRecord) -> tuple[str, ...]:
    """What a reader should do about this verdict."""
    if known_answer(record):
        return (_KNOWN,)
    decisive = [r for r in record.verdict.rules if r.outcome == record.verdict.outcome]
    if record.verdict.outcome == "fail":
        return _after_a_fail(decisive)
    if record.verdict.outcome == "inconclusive":
        steps = dict.fromkeys(_missing(rule, record) for rule in decisive)
        return ("Do not release on the strength of this audit: an open question is not a pass.", *steps)
    return (_DECIDE,)


def _after_a_fail(failed: list[Rule]) -> tuple[str, ...]:
    looks = []
    for family, plugin in dict.fromkeys((*r.name.split(".")[:2], "")[:2] for r in failed):
        if family in _FILES and plugin:
            looks.append(
                f"Look at confidential/{plugin}.csv in the folder of this run: it {_FILES[family]}. "
                "It identifies patients and is for the owner of the data only."
            )
    return (
        "Do not release these images or the generator.",
        *looks,
        _CURE,
    )


def _missing(rule: Rule, record: AuditRecord) -> str:
    family, _, rest = rule.name.partition(".")
    plugin, _, name = rest.partition(".")
    criterion = CRITERIA.get(family, family)
    finding = _finding(record, family, plugin)
    if finding is None:
        attack = f"--attack {_ATTACKS[family]}" if family in _ATTACKS else "an attack of this kind"
        return f"{criterion} was not tested: run {attack}, with the access and data it needs."
    if finding.status == "error":
        return f"{criterion}, {plugin}: it broke. Repair what the error names and audit again."
    if finding.status == "invalid":
        return f"{criterion}, {plugin}: the test's own check failed. It needs more reference patients or more training."
    estimate = finding.estimate(name) if name else None
    if estimate is None or estimate.value is None:
        return f"{criterion}, {plugin}: no number could be measured. The reason above says what it lacks."
    more = "more training and holdout patients" if estimate.unit == "patient" else "more released images or patients"
    return (
        f"{criterion}, {plugin}: {more} are needed; with these a leak at the limit can be neither shown nor excluded."
    )


def _finding(record: AuditRecord, family: str, plugin: str) -> Finding | None:
    return next((f for f in record.findings if f.plugin == plugin and f.family == family), None)
