"""What was tested and, above all, what was not: threats without an attack, kinds of leak that no attack notices."""

from ..audit.gate import OPTIONAL
from ..audit.policy import default_policy
from ..audit.record import AuditRecord, Finding
from .criteria import QUESTIONS
from .fairness import voided
from .power import KINDS, UNKNOWN, best_of, found_from, kind_of, listed, planted_in
from .wording import share

# What no built-in attack covers unless one of the named plugins ran.
_THREATS = (
    ("Inferring attributes of a patient (a diagnosis, say) beyond membership.", {"attribute-inference"}),
    ("Membership inference with shadow models (LiRA, RMIA, gradient-based).", {"lira", "rmia", "gradient-norms"}),
    ("Extracting training images by directed querying or from the weights.", {"extraction"}),
    ("Several releases, or a retrained generator, from the same patients taken together.", {"releases"}),
    ("Combining the release with other sources an attacker may hold (reports, other scans).", {"linkage"}),
)


def tested_threats(record: AuditRecord) -> tuple[Finding, ...]:
    """The attacks that gave a result."""
    return tuple(f for f in record.findings if f.kind == "attack" and f.status == "ok")


def untested_threats(record: AuditRecord) -> tuple[str, ...]:
    """Threats this audit says nothing about.

    Attacks without a result, kinds of leak that would have been missed, access not granted, and what no attack covers.
    """
    attacks = [f for f in record.findings if f.kind == "attack"]
    done = {f.plugin for f in attacks if f.status == "ok" and not _all_gaps(f)}
    lines = [f"{f.plugin} ({f.summary.rstrip('.')}): {_why(f)}" for f in attacks if f.status != "ok"]
    asked = {f.family for f in attacks}
    lines += [
        f"{q.title}: no attack of this kind was asked for." for q in QUESTIONS if q.family not in {*asked, *OPTIONAL}
    ]
    lines += _blind_spots(tuple(f for f in tested_threats(record) if f.family != "canary"))
    if record.access.lower() == "samples":
        lines.append("An attacker who can query the model or holds its weights: only the released images were granted.")
    elif record.access.lower() == "denoiser":
        lines.append("An attacker who holds the model's weights: images and queries of the model were granted.")
    lines += [words for words, plugins in _THREATS if not plugins & done]
    if record.declaration.privacy and "dp-canary" not in done:
        lines.append("A claimed differential-privacy budget against an audited bound.")
    return tuple(lines)


def _all_gaps(finding: Finding) -> bool:
    """Whether an attack that a verdict can do without measured nothing that it rests on."""
    return finding.family in OPTIONAL and all(e.group or e.value is None for e in finding.estimates)


def _why(finding: Finding) -> str:
    return "not valid, for the comparison was not fair." if voided(finding) else f"{finding.status}. {finding.reason}"


def _blind_spots(attacks: tuple[Finding, ...]) -> list[str]:
    """Kinds of leak that no attack would have noticed, or only above the limit, or that were not tried."""
    best = best_of(attacks)
    if not best:
        return [UNKNOWN] if attacks else []
    lines = [
        f"Leaks of this kind would not have been found: {kind_of(e.group).noun} ({found_from(e)})."
        for e in best
        if e.value is None
    ]
    limit = _limit_on_images(attacks)
    late = [e for e in best if limit is not None and e.unit == "image" and e.value is not None and e.value > limit]
    if limit is not None and late:
        kinds = listed([f"{kind_of(e.group).noun} from {found_from(e)}" for e in late])
        lines.append(
            f"Leaks of these kinds would have been found only above the limit of {share(limit)} of the released "
            f"images: {kinds}."
        )
    tried = {e.group for e in best if e.unit == "image"}
    untried = [kind.noun for name, kind in KINDS.items() if tried and name not in {*tried, "overfitted"}]
    if untried:
        lines.append(f"Whether leaks of these kinds would have been found was not tried: {listed(untried)}.")
    blind = [f.plugin for f in attacks if not planted_in(f)]
    if blind:
        lines.append(f"How small a leak {listed(blind)} would have found was not measured.")
    return lines


def _limit_on_images(attacks: tuple[Finding, ...]) -> float | None:
    """The tightest limit that the verdict sets on a share of the released images; None where it sets none."""
    images = [(f, e) for f in attacks for e in f.estimates if e.unit == "image"]
    shares = [
        rule.max
        for rule in default_policy().rule
        if rule.max is not None and any(rule.pattern.asks(f) and rule.pattern.fits(e) for f, e in images)
    ]
    return min(shares, default=None)
