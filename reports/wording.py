"""How numbers are said: with interval, null and n, in words that a reader without statistics understands."""

from dataclasses import dataclass
from typing import Literal

from ..audit.record import Estimate

Scale = Literal["share", "score", "ratio", "number"]
Reading = Literal["differs", "no difference", "unmeasured", "context"]
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EM DASH}"


@dataclass(frozen=True, slots=True)
class Measure:
    """What an estimate's name means.

    Attributes:
        title: its name in a table.
        scale: ``share`` prints as a percentage, ``score`` lies in 0 to 1, ``ratio`` is a multiple, ``number`` is free.
        meaning: one sentence for the glossary.
        plain: a sentence with ``{value}``, ``{null}`` and ``{rate}`` for the reader who has never seen a ROC curve.
        primary: whether it stands on the criterion's card.
    """

    title: str
    scale: Scale
    meaning: str
    plain: str = ""
    primary: bool = False


MEASURES = {
    "copied_share": Measure(
        "Copied share",
        "share",
        "Share of released images that lie closer to a training image than real images of strangers do, minus the same "
        "share counted against holdout patients, who cannot have been copied.",
        "Of the released images, {value} resemble a training patient's image more closely than a stranger's would, "
        "beyond what is also seen for patients the generator never met.",
        primary=True,
    ),
    "exposed_patients": Measure(
        "Exposed patients",
        "share",
        "Share of training patients with at least one image in the release that counts as a copy, minus the same share "
        "of holdout patients.",
        "{value} of the training patients have at least one such look-alike in the release, beyond the same count for "
        "patients the generator never met.",
        primary=True,
    ),
    "exact_copies": Measure(
        "Exact copies",
        "share",
        "Share of released images that equal a training image up to 8-bit rounding.",
        "{value} of the released images equal a training image, pixel by pixel.",
        primary=True,
    ),
    "dcr_share": Measure(
        "Closer to training (DCR)",
        "share",
        "Distance to closest record: share of released images that lie closer to a training patient than to a holdout "
        "patient. 50% without copying. Passing it does not rule out membership inference (arXiv 2505.01524).",
    ),
    "nndr": Measure(
        "Nearest-neighbour ratio (NNDR)",
        "ratio",
        "Distance to the nearest training patient over that to the second nearest, median over released images. "
        "Far below the holdout's ratio means that images sit on top of one patient.",
    ),
    "auc": Measure(
        "Membership AUC",
        "score",
        "How often an attack ranks a training patient above a patient who was not trained on. 0.5 is a coin toss; "
        "values far below 0.5 are informative too, for the answer only has to be turned around.",
        "Shown one training patient and one patient who was not trained on, the attack points to the training patient "
        "{value} times out of 100; a coin toss gives {null}.",
        primary=True,
    ),
    "tpr@fpr": Measure(
        "Recognised at a fixed false-alarm rate",
        "share",
        "Share of training patients an attack recognises while it wrongly accuses at most the stated share of patients "
        "who were not trained on (true-positive rate at a false-positive rate).",
        "While wrongly accusing at most {rate} of other patients, the attack recognises {value} of the training "
        "patients; accusing at random gives {null}.",
        primary=True,
    ),
    "linked_excess": Measure(
        "Linked images",
        "share",
        "Share of released images that a re-identification model matches to a training patient, minus the share it "
        "matches to a holdout patient.",
        "A re-identification model matches {value} of the released images to a training patient, beyond its matches to "
        "patients the generator never met.",
        primary=True,
    ),
    "linked_patients": Measure(
        "Linked patients",
        "share",
        "Share of training patients matched by at least one released image, minus the same share of holdout patients.",
        "{value} of the training patients are matched by at least one released image, beyond the same count for "
        "patients the generator never met.",
        primary=True,
    ),
    "map@r": Measure(
        "Retrieval score (mAP@R)",
        "score",
        "How high the patient whose record conditioned a released image ranks among all training images; to be read "
        "against its chance level, which depends on the size of the gallery.",
        "Searching all training images for the patient behind a released image succeeds with a score of {value}, where "
        "1 is always and {null} is what a random ranking gives.",
        primary=True,
    ),
    "map@r_lift": Measure(
        "Retrieval lift", "ratio", "The retrieval score divided by its chance level: 1 is a random ranking."
    ),
    "verifier_auc": Measure(
        "Power of the verifier (AUC)",
        "score",
        "Whether the re-identification model works at all: how well it tells pairs of real images of one patient from "
        "pairs of two patients, on people it was not trained on. It says nothing about the generator.",
        "To know whether the test works at all: on real images of unseen people, the model recognises the same person "
        "{value} times out of 100; a coin toss gives {null}.",
        primary=True,
    ),
    "dice": Measure(
        "Dice overlap",
        "score",
        "Overlap of a segmentation with the expert's on real holdout patients: 1 is perfect, 0 is none.",
    ),
    "roc_auc": Measure(
        "Classifier ROC-AUC",
        "score",
        "How well a diagnostic classifier works on real holdout patients: 1 is perfect, 0.5 is a coin toss.",
    ),
    "fid": Measure(
        "FID",
        "number",
        "Frechet inception distance between released and real images: lower is more alike. Not a privacy figure.",
    ),
}


def measure_of(name: str) -> Measure:
    """What an estimate's name means; for a name nobody knows, the name itself."""
    key = name.replace("-", "_").partition("=")[0]
    return MEASURES.get(key) or Measure(title_of(name), "number", "")


def title_of(name: str) -> str:
    """``tpr@fpr=0.1`` -> ``Recognised at 10% false alarms``; an unknown name is shown as it is."""
    stem, _, rate = name.partition("=")
    if stem == "tpr@fpr" and rate:
        return f"Recognised at {share(float(rate), 1)} false alarms"
    known = MEASURES.get(name.replace("-", "_"))
    return known.title if known else name.replace("_", " ")


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
        return _signed(f"{value:.2f}")
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
    if estimate.worse == "none" or estimate.null is None or estimate.low is None or estimate.high is None:
        return "context"
    above, below = estimate.low > estimate.null, estimate.high < estimate.null
    worse = {"higher": above, "lower": below, "both": above or below}[estimate.worse]
    return "differs" if worse else "no difference"


READINGS: dict[Reading, str] = {
    "differs": "worse than null",
    "no difference": "not worse",
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
    if not measure.plain:
        return ""
    hundred = measure.scale == "score" and "out of 100" in measure.plain

    def said(value: float | None) -> str:
        return f"{100 * value:.0f}" if hundred and value is not None else number(value, measure.scale)

    rate = estimate.name.partition("=")[2]
    text = measure.plain.format(
        value=said(estimate.value), null=said(estimate.null), rate=share(float(rate)) if rate else ""
    )
    if estimate.name == "auc" and reading_of(estimate) == "differs" and estimate.value < 0.5:
        text += " Far fewer than 50 tells members apart as well: the answer only has to be turned around."
    return text
