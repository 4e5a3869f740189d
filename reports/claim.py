"""A generator's claim of differential privacy in plain words: for whom, how computed, what it bounds."""

import math
from decimal import Decimal

from ..audit.measures.claim import judgement_in
from ..audit.record import AuditRecord, Privacy
from .criteria import counted
from .wording import number

CLAIM = (
    "This is a claim of the generator: an upper bound on what any attack can learn, if the training did what is stated "
    "here. The attacks of this audit give lower bounds only. They can contradict the claim; they cannot prove it."
)
WEAK = 10.0  # above it a formal bound counts as weak to none (Ponomareva et al. 2023, arXiv 2303.00654)
_COUNTLESS = 1e6  # a factor beyond this is no longer written out
_JUDGED = {
    "refuted": "The claim is refuted: training did not keep to what is stated here.",
    "consistent": "Consistent with the claim, which the test could have refuted; no proof of it.",
    "uninformative": "Uninformative: had training given every canary away, a claim this large would still have stood.",
}


def privacy_rows_of(privacy: Privacy) -> tuple[tuple[str, str], ...]:
    """What is claimed and how it was computed, as title and words, one a line."""
    unit, draws = privacy.unit, privacy.multiplicity
    most = f"at most {counted(privacy.images_per_patient, 'image')}"
    whom: tuple[tuple[str, str], ...] = (("For whom", f"one patient with all images ({most})"),)
    if unit == "image":
        figures = f"epsilon {number(privacy.patient_epsilon)}, delta {chance_of(privacy.patient_delta)}"
        whom = (("For whom", "one image"), ("For one patient", f"{figures}; by group privacy, {most} a patient"))
    source = "a cryptographic source" if privacy.secure_noise else "ordinary pseudo-random numbers, not a secure source"
    noise = f"{number(privacy.noise_multiplier)} times the clipping norm in each step, from {source}"
    sampling = f"each {unit} with a probability of {100 * privacy.sample_rate:.3g}% in each of {privacy.steps:,} steps"
    averaged = f"after averaging {counted(draws, 'draw')} of time and noise per image"
    clipping = f"each {unit}'s gradient to a norm of at most {number(privacy.max_grad_norm)}, {averaged}"
    return (
        ("Epsilon", number(privacy.epsilon)),
        ("Delta", chance_of(privacy.delta)),
        *whom,
        ("Accountant", privacy.accountant),
        ("Noise", noise),
        ("Sampling", sampling),
        ("Clipping", clipping),
        ("Learnt from public images only", ", ".join(privacy.public) or "nothing"),
    )


def audited_rows_of(record: AuditRecord) -> tuple[tuple[str, str], ...]:
    """What a training with canaries showed of the claim, as title and words; nothing where none was made."""
    rows = []
    for finding in record.findings:
        judgement = judgement_in(finding) if finding.family == "canary" and finding.status == "ok" else None
        bound, ceiling = (finding.estimate(f"epsilon_{name}") for name in ("lower", "ceiling"))
        if judgement and bound and ceiling:
            words = (
                f"epsilon is at least {number(bound.value or 0.0)}, with {record.spec.confidence:.0%} confidence "
                f"({bound.n:,} guesses about canaries put in by coins; the most that so many can "
                f"show is {number(ceiling.value or 0.0)}). {_JUDGED[judgement]}"
            )
            rows.append(("Audited lower bound", words))
    return tuple(rows)


def meaning_of(privacy: Privacy) -> str:
    """What epsilon and delta mean for one patient.

    The second sentence is the best accuracy of any test of membership, ``(e^epsilon + delta) / (e^epsilon + 1)``
    (Kairouz et al. 2015, arXiv 1311.0776).
    """
    epsilon, delta = privacy.patient_epsilon, privacy.patient_delta
    if delta >= 1:
        return f"For a patient the claim bounds nothing: with {number(epsilon)} as epsilon, delta is 1."
    large = epsilon > math.log(_COUNTLESS)
    factor = 0.0 if large else math.exp(epsilon)
    words = "more than a million" if large else f"{factor:,.0f}" if factor >= 100 else f"{factor:.3g}"
    right = min(1.0, (1 + delta * math.exp(-epsilon)) / (1 + math.exp(-epsilon)))
    times = math.ceil(1000 * right - 1e-9) / 10  # never less than the bound
    best = "could be right practically every time" if times >= 100 else f"is right at most {times:g} times out of 100"
    return (
        "For a patient: whatever an attacker knew before, the odds of this patient having been in the training change "
        f"by at most a factor of {words} (e to the power of epsilon {number(epsilon)}), except with a probability of "
        f"about delta. By this bound alone, an attacker who starts from a coin toss {best}."
    )


def cautions_of(privacy: Privacy, patients: int) -> tuple[str, ...]:
    """What keeps the claim from meaning as much as it seems to, worst first.

    Args:
        privacy: the claim.
        patients: how many the generator was trained on; 0 where unknown.
    """
    lines = []
    if privacy.unit == "image" and privacy.images_per_patient > 1:
        lines.append(
            f"The patient-level figure is what counts: epsilon {number(privacy.patient_epsilon)}, not "
            f"{number(privacy.epsilon)}. The smaller one holds for one image, and a patient has up to "
            f"{privacy.images_per_patient:,}."
        )
    if privacy.patient_delta >= 1:
        lines.append("With a delta of 1, every disclosure of a patient would keep to this claim.")
    elif patients and privacy.patient_delta >= 1 / patients:
        lines.append(
            f"Delta is not below one over the number of training patients (1 in {patients:,}): a training that "
            "discloses one of them outright could keep to it."
        )
    if privacy.patient_epsilon > WEAK:
        lines.append(
            f"An epsilon above {WEAK:g} gives little protection by itself: as a formal bound it counts as weak to none "
            "(arXiv 2303.00654). That is no proof of a leak; it leaves the question to the attacks."
        )
    return tuple(lines)


def trained_on(record: AuditRecord) -> int:
    """How many patients the generator was trained on; 0 where the record does not say."""
    return next((part.patients for part in record.data if part.part == "members"), 0)


def chance_of(delta: float) -> str:
    """``1e-05`` -> ``0.00001 (1 in 100,000)``."""
    if not 1e-12 < delta <= 0.5:
        return f"{delta:g}"
    return f"{Decimal(f'{delta:.3g}'):f} (1 in {1 / delta:,.0f})"
