"""The section of a Hugging Face model card, with results that machines read."""

import re
from importlib.metadata import PackageNotFoundError, metadata

from huggingface_hub.repocard_data import EvalResult, ModelCardData

from ..audit.plugin import report
from ..audit.record import AuditRecord, Estimate, Finding
from ..audit.types import ImageSet
from . import wording
from .criteria import Criterion, criteria_of, known_answer
from .markdown import table, text
from .measures import group_of
from .power import reach_of_all
from .sentence import verdict_sentence
from .stated import stated_of
from .threats import tested_threats, untested_threats

TASK = ("unconditional-image-generation", "Synthetic medical images")
TAGS = ["medical-imaging", "synthetic-data", "privacy", "privbench"]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@report(suffix="md")
def model_card(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """A section for a Hugging Face model card: verdict, what was and was not tested, results as a model-index.

    The YAML block holds each headline figure that was measured; what could not be measured is said in the text alone.
    """
    spec, made = record.spec, record.provenance
    card = ModelCardData(model_name=_line(spec.generator.name), tags=TAGS, eval_results=results_of(record) or None)
    if not card.eval_results:
        del card.model_name
    reach = "" if record.verdict.outcome == "fail" else reach_of_all(record)
    lines = ["---", card.to_yaml(), "---", "", "## Privacy audit", ""]
    lines += [f"**{record.verdict.outcome.upper()}.** {text(f'{verdict_sentence(record)} {reach}')}", ""]
    if record.simulated:
        lines += ["> **Simulated data.** The audited model was trained on simulated patients, not on real ones.", ""]
    if known_answer(record):
        lines += ["> **Known-answer generator.** Its leakage is known beforehand: this checks the audit itself.", ""]
    guard = f" behind the guard {spec.guard.name}" if spec.guard else ""
    lines += [
        text(
            f"{spec.generator.name}{guard}, trained on {spec.cohort.name}, was audited with privbench {made.privbench} "
            f"(seed {spec.seed}, budget {spec.budget}); the attacker was granted: {record.access.lower()}."
        ),
        "",
    ]
    lines += ["### Criteria", "", *_criteria(record), "### Utility", "", *_utility(record)]
    lines += [*_stated(record), "### What was tested", "", *_listed(_tested(record), "No attack gave a result.")]
    lines += ["### What was not tested", "", *_listed(untested_threats(record), "")]
    lines += ["Attacks find leakage; they cannot prove that there is none. What was not measured is not a pass.", ""]
    return "\n".join([*lines, *_reproduce(record)]) + "\n"


def results_of(record: AuditRecord) -> list[EvalResult]:
    """The headline figures that were measured, as a model-index has them."""
    cohort = _line(record.spec.cohort.name)
    split: dict[str, object] = {
        _line(mark.part): {"images": mark.images, "patients": mark.patients, "sha256": _line(mark.sha256)}
        for mark in record.data
    }
    name, url = _source()
    return [
        EvalResult(
            task_type=TASK[0],
            task_name=TASK[1],
            dataset_type=_slug(cohort),
            dataset_name=f"{cohort} (simulated patients)" if record.simulated else cohort,
            dataset_args={"simulated": record.simulated, "seed": record.spec.seed, "parts": split},
            metric_type=_slug(estimate.name),
            metric_name=_line(_title(finding, estimate)),
            metric_value=estimate.value,
            metric_args=_args(record, finding, estimate),
            verified=False,
            source_name=name,
            source_url=url,
        )
        for finding, estimate in _headlines(record)
        if estimate.value is not None
    ]


def _headlines(record: AuditRecord) -> list[tuple[Finding, Estimate]]:
    """What stands large in the report: a criterion's primary figures, a metric's overall ones or its arms."""
    found = [pair for criterion in criteria_of(record) for pair in criterion.measured]
    for finding in (f for f in record.findings if f.kind == "metric" and f.status == "ok"):
        overall = {e.name for e in finding.estimates if not e.group}
        found += [
            (finding, e) for e in finding.estimates if e.worse != "none" and (not e.group or e.name not in overall)
        ]
    return found


def _args(record: AuditRecord, finding: Finding, estimate: Estimate) -> dict[str, object]:
    said: dict[str, object | None] = {
        "plugin": _line(finding.plugin),
        "access": _line(finding.access),
        "group": _line(estimate.group) or None,
        "low": estimate.low,
        "high": estimate.high,
        "confidence": record.spec.confidence,
        "null": estimate.null,
        "worse": estimate.worse,
        "detectable": estimate.detectable,
        "n": estimate.n,
        "unit": estimate.unit,
    }
    return {key: value for key, value in said.items() if value is not None}


def _criteria(record: AuditRecord) -> list[str]:
    heads = ("criterion", "measure", "value", _interval(record), "no leakage", "would have been found", "rests on")
    rows = [row for c in criteria_of(record) for part in c.parts or (c,) for row in _rows(part)]
    return table(heads, rows)


def _rows(criterion: Criterion) -> list[tuple[str, ...]]:
    first = criterion.name, f"Verdict: {criterion.badge}"
    measured = [_row(criterion.name, f, e) for f, e in criterion.measured if e.value is not None]
    gaps = [
        (
            criterion.name,
            f"{', '.join(wording.title_of(e.name) for e in estimates)} ({plugin})",
            "could not be measured",
        )
        for (plugin, _), estimates in criterion.gaps.items()
    ]
    missing = [(criterion.name, f.plugin, f"{f.status}: {f.reason}") for f in criterion.missing]
    return [(*row, *("",) * (7 - len(row))) for row in (first, *measured, *gaps, *missing)]


def _row(name: str, finding: Finding, estimate: Estimate) -> tuple[str, ...]:
    return (
        name,
        _title(finding, estimate),
        wording.value_of(estimate),
        wording.interval_of(estimate),
        wording.null_of(estimate),
        wording.detectable_of(estimate),
        wording.count_of(estimate),
    )


def _utility(record: AuditRecord) -> list[str]:
    found = [(f, e) for f, e in _headlines(record) if f.kind == "metric"]
    missing = [f"- {text(f'{f.plugin}: {f.status}. {f.reason}')}" for f in record.findings if _unmeasured(f)]
    if not found and not missing:
        return ["Utility was not measured.", ""]
    heads = ("measure", "value", _interval(record), "reference", "rests on")
    rows = []
    for finding, estimate in found:
        _, title, value, interval, null, _, n = _row("", finding, estimate)
        rows.append((title, value, interval, null, n))
    return [*(table(heads, rows) if rows else []), *missing, *([""] if missing else [])]


def _unmeasured(finding: Finding) -> bool:
    return finding.kind == "metric" and finding.status != "ok"


def _stated(record: AuditRecord) -> list[str]:
    """The generator's claim of differential privacy, if it makes one."""
    stated = stated_of(record)
    if stated is None or not stated.privacy:
        return []
    claim = [text(stated.meaning), "", text(stated.claim), "", *(f"- {text(line)}" for line in stated.cautions)]
    return ["### Claim of differential privacy", "", *claim, *([""] if stated.cautions else [])]


def _tested(record: AuditRecord) -> tuple[str, ...]:
    return tuple(
        f"{f.plugin}: {f.summary}" + (f" ({f.paper})" if f.paper else "") + f" Access: {f.access.lower()}."
        for f in tested_threats(record)
    )


def _listed(lines: tuple[str, ...], otherwise: str) -> list[str]:
    return [*([f"- {text(line)}" for line in lines] or [otherwise]), ""]


def _reproduce(record: AuditRecord) -> list[str]:
    made = record.provenance
    command = _line(made.command)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    commit = f", commit {made.git_commit}{' with local changes' if made.git_dirty else ''}" if made.git_commit else ""
    libraries = ", ".join(f"{name} {version}" for name, version in made.libraries.items())
    on = f"privbench {made.privbench}{commit}, Python {made.python}, {made.platform}, {made.device}; {libraries}"
    rows = [
        (mark.part, f"{mark.images:,}", f"{mark.patients:,}", "x".join(map(str, mark.shape)), mark.sha256)
        for mark in record.data
    ]
    heads = ("data", "images", "patients", "shape", "SHA-256")
    return ["### How to reproduce", "", fence, command, fence, "", text(on), "", *table(heads, rows)[:-1]]


def _interval(record: AuditRecord) -> str:
    return f"{100 * record.spec.confidence:g}% interval"


def _title(finding: Finding, estimate: Estimate) -> str:
    group = f", {group_of(estimate.group)}" if estimate.group else ""
    return f"{wording.title_of(estimate.name)}{group} ({finding.plugin})"


def _source() -> tuple[str | None, str | None]:
    """Who says so, where the installed package names a page of its own: a model-index has no source without one."""
    try:
        pages = metadata("privbench").get_all("Project-URL") or []
    except PackageNotFoundError:
        pages = []
    url = next((page.partition(",")[2].strip() for page in pages), None)
    return ("privbench" if url else None), url


def _line(said: str) -> str:
    """One line without control characters; YAML's own quoting does the rest."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(said.split()))


def _slug(name: str) -> str:
    """An identifier as model cards have it: lower case, without spaces or markup."""
    return re.sub(r"[^a-z0-9_.@=+-]+", "-", name.lower()).strip("-")[:80] or "unnamed"
