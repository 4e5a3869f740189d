"""How numbers are said: with interval, null and n, in words that a reader without statistics understands."""

import re
from typing import Literal

from ..audit.record import Estimate
from .measure import Scale
from .measures import measure_of

Reading = Literal["differs", "no difference", "centre", "unmeasured", "context"]
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EM DASH}"
ALPHA = 0.05
_ACCESS = {
    "samples": "the released images",
    "denoiser": "images and queries to the model",
    "weights": "the model itself",
}
_COUNTS = re.compile(r"^(\d+) of (\d+) [^,]*, (\d+)(?: of (\d+))? ")


def title_of(name: str) -> str:
    """``tpr@fpr=0.1`` -> ``Recognised at 10% false alarms``; an unknown name is shown as it is."""
    stem, _, rate = name.partition("=")
    if stem == "tpr@fpr" and rate:
        return f"Recognised at {share(float(rate), 1)} false alarms"
    return measure_of(name).title


def access_of(granted: str) -> str:
    """``DENOISER`` -> ``images and queries to the model``; an unknown grant is shown as it is."""
    return _ACCESS.get(granted.lower(), granted.lower())


def share(value: float, digits: int = 1) -> str:
    """``0.203`` -> ``20.3%``."""
    text = f"{100 * value:.{digits}f}"
    return _signed(text.removesuffix(".0") if digits == 1 else text) + "%"


def number(value: float | None, scale: Scale = "number") -> str:
    """A value as its scale wants it; a dash for None."""
    if value is None:
        return NONE
    if scale == "share":
        return share(value)
    if scale == "ratio":
        return _signed(f"{value:.2f}" if abs(value) >= 2 else f"{value:.3f}")
    if scale == "change":
        return ("+" if value > 0 and f"{value:.3f}".strip("0.") else "") + _signed(f"{value:.3f}")
    if scale == "score":
        return _signed(f"{value:.4f}" if 0 < abs(value) < 0.05 else f"{value:.3f}")
    return _signed(f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}")


def _signed(text: str) -> str:
    bare = text.lstrip("-")
    return MINUS + bare if text.startswith("-") and bare.strip("0.") else bare


def p_value(value: float | None) -> str:
    """``0.0004`` -> ``< 0.001``."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def unmeasured(estimate: Estimate) -> str:
    """What stands in place of a number that could not be measured."""
    return "not resolvable" if "not resolvable" in estimate.note else "could not be measured"


def value_of(estimate: Estimate) -> str:
    """The value alone, or that there is none."""
    return unmeasured(estimate) if estimate.value is None else number(estimate.value, measure_of(estimate.name).scale)


def figure_of(estimate: Estimate) -> str:
    """The large figure of a card: words where a share does not exceed what holdout patients give."""
    measure = measure_of(estimate.name)
    if "{counts}" in measure.none and no_excess(estimate):
        return "No excess"
    return value_of(estimate)


def no_excess(estimate: Estimate) -> bool:
    """Whether the value does not go beyond its null at all, where a leak would raise it."""
    return estimate.value is not None and estimate.null is not None and estimate.value <= estimate.null


def interval_of(estimate: Estimate) -> str:
    """``17.9% to 22.9%``; a dash where there is none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NONE
    scale = measure_of(estimate.name).scale
    return f"{number(estimate.low, scale)} to {number(estimate.high, scale)}"


def null_of(estimate: Estimate) -> str:
    """What a generator without leakage would give."""
    return number(estimate.null, measure_of(estimate.name).scale)


def detectable_of(estimate: Estimate) -> str:
    """The smallest leak that would have been found."""
    return number(estimate.detectable, measure_of(estimate.name).scale)


def count_of(estimate: Estimate) -> str:
    """``1,000 images``."""
    return f"{estimate.n:,} {estimate.unit}{'' if estimate.n == 1 else 's'}"


def reading_of(estimate: Estimate) -> Reading:
    """How the interval lies to the null. It is a description, not the verdict: that is the rules' business."""
    if estimate.value is None:
        return "unmeasured"
    reads = measure_of(estimate.name).reads
    if reads == "never" or estimate.worse == "none" or None in {estimate.null, estimate.low, estimate.high}:
        return "context"
    assert estimate.null is not None
    assert estimate.low is not None
    assert estimate.high is not None
    above, below = estimate.low > estimate.null, estimate.high < estimate.null
    worse = {"higher": above, "lower": below, "both": above or below}[estimate.worse]
    if worse and reads == "p" and (estimate.p_value is None or estimate.p_value >= ALPHA):
        return "centre"
    if reads == "both" and (estimate.p_value is None or estimate.p_value >= ALPHA):
        return "no difference"
    return "differs" if worse else "no difference"


READINGS: dict[Reading, str] = {
    "differs": "worse than null",
    "no difference": "not worse",
    "centre": "not beyond centre",
    "unmeasured": "not measured",
    "context": NONE,
}


def sentence_of(estimate: Estimate) -> str:
    """The estimate in plain words; empty where no words are known."""
    measure = measure_of(estimate.name)
    if estimate.value is None:
        why = estimate.note or "no reason was given"
        return (
            f"{why[0].upper()}{why[1:]}."
            if unmeasured(estimate) in why
            else f"{unmeasured(estimate).capitalize()}: {why}."
        )
    if measure.none and no_excess(estimate):
        return measure.none.format(counts=_counts(estimate.note))
    if not measure.plain:
        return ""
    hundred = measure.scale == "score" and "out of 100" in measure.plain

    def said(value: float | None) -> str:
        return f"{100 * value:.0f}" if hundred and value is not None else number(value, measure.scale)

    rate = estimate.name.partition("=")[2]
    text = measure.plain.format(
        value=said(estimate.value),
        null=said(estimate.null),
        rate=share(float(rate)) if rate else "",
        interval=f"[{interval_of(estimate)}]",
        effect=_effect(estimate),
    )
    reading = reading_of(estimate)
    if measure.none and reading == "no difference":
        text += " An excess of this size is within what chance gives."
    if reading == "centre":
        text += " Here it does not: what is above a random ranking can come from the centre alone."
    if measure.reads == "p" and reading == "differs":
        text += " Here it does."
    if estimate.name == "auc" and reading == "differs" and estimate.value < 0.5:
        text += " Far fewer than 50 tells members apart as well: the answer only has to be turned around."
    return text


def counted_in_sentence(estimate: Estimate) -> bool:
    """Whether the sentence already holds the counts of the note."""
    return "{counts}" in measure_of(estimate.name).none and no_excess(estimate)


def _counts(note: str) -> str:
    """``1 of 528 released images ..., 4 to holdout`` -> ``: 1 of 528 against 4 of 528``; else the note as it is."""
    found = _COUNTS.match(note)
    if not found:
        return f": {note.rstrip('.')}" if note else ""
    caught, n, control, others = found.groups()
    return f": {caught} of {n} against {control} of {others or n}"


def _effect(estimate: Estimate) -> str:
    """What a change with a null of 0 did, as far as its interval tells; higher is better."""
    if estimate.low is None or estimate.high is None or estimate.low <= 0 <= estimate.high:
        return "no difference could be shown in"
    return "it worsened" if estimate.high < 0 else "it improved"
