"""The verdict in one sentence: what came out, what was tested, what was not."""

from collections.abc import Iterable

from ..audit.record import AuditRecord, Finding, Outcome, Rule
from .criteria import TITLES, counted
from .fairness import voided
from .power import listed
from .threats import tested_threats, untested_threats

_ATTACKER = {
    "samples": "an attacker who sees the released images",
    "denoiser": "an attacker who can also query the model",
    "weights": "an attacker who holds the model itself",
}
_BEYOND = {
    "samples": "attackers who can query the model or hold it",
    "denoiser": "attackers who hold the model itself",
}
_CRITERIA = ("memorization", "reidentification", "membership")


def verdict_sentence(record: AuditRecord) -> str:
    """One sentence without jargon; what it leaves out is counted, and listed elsewhere."""
    return f"{_came_out(record)}; {_tested(record)}{_untested(record)}."


def _came_out(record: AuditRecord) -> str:
    rules = record.verdict.rules
    failed = sum(r.outcome == "fail" for r in rules)
    open_ = sum(r.outcome == "inconclusive" for r in rules)
    if record.verdict.outcome == "fail":
        where = _criteria_of(rules, "fail")
        return f"This audit found leakage above its limits ({where}): {failed} of {counted(len(rules), 'rule')} failed"
    if record.verdict.outcome == "pass":
        return (
            "No leakage above the limits was found by the tests that were run: "
            f"all {counted(len(rules), 'rule')} passed"
        )
    if not rules:
        return "This audit could not decide, which is not a pass: no rule was evaluated"
    where = _criteria_of(rules, "inconclusive")
    return (
        f"This audit could not decide ({where}), which is not a pass: {open_} of {counted(len(rules), 'rule')} "
        "remained open"
    )


def _tested(record: AuditRecord) -> str:
    attacks = tested_threats(record)
    if not attacks:
        return "no attack gave a valid result"
    done = {f.family for f in attacks}
    families = listed(_titles(family for family in TITLES if family in done))
    who = _ATTACKER.get(record.access.lower(), "an attacker as granted")
    were = "were" if " and " in families else "was"
    return f"{families or 'its risk'} {were} tested with {counted(len(attacks), 'attack')} by {who}"


def _untested(record: AuditRecord) -> str:
    """What is missing most, and how much else is."""
    done = {f.family for f in tested_threats(record)}
    own = [f for f in record.findings if f.kind == "attack"]
    gaps = [f"{title} ({_why(own, family)})" for family, title in _missing(done)]
    beyond = _BEYOND.get(record.access.lower())
    gaps += [beyond] if beyond else []
    broken = sum(f.status == "error" for f in record.findings)
    more = max(len(untested_threats(record)) - len(gaps), 0)
    said = gaps + ([f"{counted(more, 'further risk')} listed below"] if more else [])
    broke = f", and {counted(broken, 'test')} broke" if broken else ""
    if not said:
        return f", and no risk that it knows of was left out{broke}"
    return f"; not tested: {listed(said)}{broke}"


def _missing(done: set[str]) -> list[tuple[str, str]]:
    return [(family, TITLES[family].lower()) for family in _CRITERIA if family not in done]


def _why(attacks: list[Finding], family: str) -> str:
    own = [f for f in attacks if f.family == family]
    if not own:
        return "no attack was asked for"
    if any(voided(f) for f in own):
        return "the comparison was not fair"
    return "its tests gave no valid result"


def _criteria_of(rules: tuple[Rule, ...], outcome: Outcome) -> str:
    """``singling out and linkability``: the criteria whose rules came out so."""
    return listed(_titles(rule.name.partition(".")[0] for rule in rules if rule.outcome == outcome))


def _titles(families: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(TITLES.get(family, family).lower() for family in families))
