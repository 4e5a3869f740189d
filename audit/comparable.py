"""Whether two audits asked about the same people: only then is a difference between them about the generators."""

from .record import AuditRecord, Finding, Fingerprint

SHOWN = 12
ALL_MEMBERS = "all members"


def differing(first: AuditRecord, second: AuditRecord, names: tuple[str, str] = ("first", "second")) -> str:
    """The first thing by which cohort or split of two audits differ, in words; "" where they are the same.

    The fingerprints decide: they cover pixels, patients, labels, masks and centres of each part. Cohort, its options
    and the seed only explain why fingerprints differ, so that a cohort that lies under another path, or a generator
    trained with another seed on the same patients, remains comparable. Of a generator that trains on some members only
    all members count, where the record knows them.

    Args:
        first: one audit.
        second: the other one.
        names: what to call the two in the answer.
    """
    one, other = (_parts(record) for record in (first, second))
    if not one and not other:
        return "there are no fingerprints of the data in either"
    unlike = [part for part in dict.fromkeys((*one, *other)) if _digest(one.get(part)) != _digest(other.get(part))]
    if not unlike:
        return ""
    if why := _why(first, second, names):
        return why
    part = unlike[0]
    for mark, name in ((one.get(part), names[0]), (other.get(part), names[1])):
        if mark is None:
            return f"there is no '{part}' ({name})"
    digests = [f"{_digest(parts.get(part))[:SHOWN]} ({name})" for parts, name in zip((one, other), names, strict=True)]
    return f"'{part}' has SHA-256 {digests[0]} and {digests[1]}"


def differing_attack(first: AuditRecord, second: AuditRecord, finding: Finding) -> str:
    """Why what this plugin measured in two audits of the same people cannot be held against each other, or ""."""
    if first.spec.confidence != second.spec.confidence:
        return f"intervals are of confidence {first.spec.confidence:g} and {second.spec.confidence:g}"
    there = next((f for f in second.findings if (f.family, f.plugin) == (finding.family, finding.plugin)), None)
    if there is not None and there.access != finding.access:
        return f"{finding.plugin} ran with {finding.access} and with {there.access}"
    one, other = (_options(record, finding) for record in (first, second))
    for key, value in one.items():
        if key in other and other[key] != value:  # one that only a later version knows says nothing of the earlier
            return f"{finding.plugin} ran with {key}={value} and with {key}={other[key]}"
    return ""


def _parts(record: AuditRecord) -> dict[str, Fingerprint]:
    """The parts of the split, ``members`` being all of them."""
    marks = {mark.part: mark for mark in record.data}
    if ALL_MEMBERS in marks:
        marks["members"] = marks.pop(ALL_MEMBERS)
    return marks


def _digest(mark: Fingerprint | None) -> str:
    return "" if mark is None else mark.sha256


def _why(first: AuditRecord, second: AuditRecord, names: tuple[str, str]) -> str:
    """What was asked for differently, so that other data were to be expected."""
    one, other = first.spec.cohort, second.spec.cohort
    if one.name != other.name:
        return f"cohort '{one.name}' ({names[0]}) and '{other.name}' ({names[1]})"
    for key in (*one.options, *other.options):
        values = [plugin.options.get(key, "not given") for plugin in (one, other)]
        if values[0] != values[1]:
            return f"cohort option {key}={values[0]} ({names[0]}) and {key}={values[1]} ({names[1]})"
    if first.spec.seed != second.spec.seed:
        return f"seed {first.spec.seed} ({names[0]}) and {second.spec.seed} ({names[1]}), and so another split"
    return ""


def _options(record: AuditRecord, finding: Finding) -> dict[str, object]:
    asked = record.spec.attacks if finding.kind == "attack" else record.spec.metrics
    return next((plugin.options for plugin in asked if plugin.name == finding.plugin), {})
