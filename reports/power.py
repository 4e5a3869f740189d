"""How small a leak would have been found: the power certificate in words, for everybody who reads "no leak found"."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..audit.record import AuditRecord, Estimate, Finding
from .wording import NONE, share

NAME = "detectable_share"
UNKNOWN = "How small a leak would have been found was not measured."
_TRIED = re.compile(r"up to (\d+(?:\.\d+)?%)")
_OF = {"image": "of the released images", "patient": "of the training patients", "pair": "of the pairs"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of leak that is planted.

    Attributes:
        noun: what a planted leak of this kind is called, in the plural.
        planted: what was done to the training image.
    """

    noun: str
    planted: str


KINDS = {
    "exact": Kind("exact copies", "training images, unchanged"),
    "noise": Kind("noisy copies", "white noise of sigma 0.05 added"),
    "shift": Kind("shifted copies", "moved by up to 3 pixels"),
    "intensity": Kind("copies of other contrast", "gamma, gain and offset changed"),
    "rotation": Kind("rotated copies", "turned by 2 to 8 degrees"),
    "elastic": Kind("bent copies", "smoothly deformed"),
    "foreground": Kind("copied lesions", "a lesion pasted onto another patient's image"),
    "turned": Kind("turned lesions", "a lesion turned by any angle, mirrored, pasted onto another patient's image"),
    "mixture": Kind("mixtures of two patients", "the mean of two training patients' images"),
    "hole": Kind("holes around members", "released images near some of the patients withheld, as a guard does"),
    "overfitted": Kind("overfitting", "a model trained to excess on some of the training patients"),
}
_FAITHFUL = ("exact", "noise")
_FOREMOST = (*_FAITHFUL, "overfitted")


def kind_of(group: str) -> Kind:
    """A planted kind in plain words; one that nobody knows is shown as it is."""
    return KINDS.get(group) or Kind(f"leaks of the kind '{group}'", "")


def planted_in(finding: Finding) -> tuple[Estimate, ...]:
    """What the certificate says of this attack, kind by kind."""
    return tuple(e for e in finding.estimates if e.name == NAME)


def reach_of(finding: Finding) -> str:
    """The smallest leaks that this attack would have found, in one sentence a unit; else that nobody measured it."""
    return _said(planted_in(finding)) if finding.status == "ok" else UNKNOWN


def brief_of(finding: Finding) -> str:
    """The same of the most faithful leaks alone: exact and noisy copies, or overfitting."""
    return _said(_foremost(finding)) if finding.status == "ok" else UNKNOWN


def mark_of(finding: Finding) -> tuple[str, str]:
    """``brief_of`` as a label and a value, to stand beside a number."""
    planted = _foremost(finding) if finding.status == "ok" else ()
    if not planted:
        return "Smallest leak that would show", "was not measured"
    nouns = listed([_noun(e) for e in planted], "or")
    lost = [e for e in planted if e.value is None]
    if lost:
        return f"{_capital(nouns)} noticed", f"at no share {_tried(lost[0])}"
    worst = max(planted, key=_share)
    return f"{_capital(nouns)} noticed from", f"{share(_share(worst))} of {worst.unit}s"


def best_of(findings: Iterable[Finding]) -> tuple[Estimate, ...]:
    """For each planted kind the attack that notices the smallest share of it, or one that does not notice it."""
    best: dict[tuple[str, str], Estimate] = {}
    for estimate in (e for f in findings if f.status == "ok" for e in planted_in(f)):
        key = estimate.group, estimate.unit
        known = best.get(key)
        if known is None or (estimate.value is not None and (known.value is None or estimate.value < known.value)):
            best[key] = estimate
    return tuple(best.values())


def reach_of_all(record: AuditRecord) -> str:
    """The smallest leaks that at least one attack of this audit would have found, and for which attacks nobody knows.

    Empty where no attack gave a result, for then nothing is said of leaks at all.
    """
    attacks = [f for f in record.findings if f.kind == "attack" and f.status == "ok"]
    return reach_of_several(attacks) if attacks else ""


def reach_of_several(attacks: list[Finding]) -> str:
    """The same for some attacks."""
    without = [f.plugin for f in attacks if not planted_in(f)]
    if len(without) == len(attacks):
        return UNKNOWN
    said = _said(best_of(attacks))
    if len(attacks) - len(without) > 1:
        said += " Each figure is that of the attack that sees this kind best."
    return f"{said} How small a leak {listed(without)} would have found was not measured." if without else said


def interval_of(estimate: Estimate) -> str:
    """``0.9% to 1.4%``; a dash where there is none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NONE
    return f"{share(estimate.low)} to {share(estimate.high)}"


def found_from(estimate: Estimate) -> str:
    """``1.1%``, or that the kind was noticed at no share that was tried."""
    return f"not found {_tried(estimate)}" if estimate.value is None else share(estimate.value)


def _foremost(finding: Finding) -> tuple[Estimate, ...]:
    planted = planted_in(finding)
    return tuple(e for e in planted if e.group in _FOREMOST) or planted


def _said(planted: tuple[Estimate, ...]) -> str:
    """One sentence for each unit."""
    units = dict.fromkeys(e.unit for e in planted)
    return " ".join(_sentence([e for e in planted if e.unit == unit]) for unit in units) or UNKNOWN


def _sentence(planted: list[Estimate]) -> str:
    found = sorted((e for e in planted if e.value is not None), key=_share)
    parts: list[str] = []
    faithful = [e for kind in _FAITHFUL for e in found if e.group == kind]
    if found:
        first = faithful or found[:1]
        worst = max(first, key=_share)
        within = "" if interval_of(worst) == NONE else f" [{interval_of(worst)}]"
        nouns = listed([_noun(e) for e in first], "or")
        parts.append(f"{nouns} would have been noticed from {share(_share(worst))}{within} {_OF[worst.unit]}")
        shares: dict[str, list[str]] = {}
        for e in (e for e in found if e not in first):
            shares.setdefault(share(_share(e)), []).append(_noun(e))
        parts += [f"{listed(nouns)} from {text}" for text, nouns in shares.items()]
    lost: dict[str, list[str]] = {}
    for e in planted:
        if e.value is None:
            lost.setdefault(_tried(e), []).append(_noun(e))
    parts += [f"not noticed at any share {tried}: {listed(nouns)}" for tried, nouns in lost.items()]
    return f"{_capital('; '.join(parts))}."


def _noun(estimate: Estimate) -> str:
    return kind_of(estimate.group).noun


def _share(estimate: Estimate) -> float:
    return 1.0 if estimate.value is None else estimate.value


def _tried(estimate: Estimate) -> str:
    """``up to 40%``, as far as the note says so."""
    found = _TRIED.search(estimate.note)
    return f"up to {found[1]}" if found else "that was tried"


def listed(nouns: list[str], joined: str = "and") -> str:
    """``a, b and c``; ``exact or noisy copies`` where two nouns share their last word."""
    if nouns == [KINDS[kind].noun for kind in _FAITHFUL]:
        return f"exact {joined} noisy copies"
    return f" {joined} ".join(p for p in (", ".join(nouns[:-1]), *nouns[-1:]) if p)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
