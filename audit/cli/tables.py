"""A record as tables on the terminal."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from ..record import AuditRecord, Estimate, Finding
from .markup import escape

COLORS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
PLANTED = "detectable_share"
FAMILIES = ("memorization", "membership", "reidentification", "attribute", "canary", "guard", "utility")


def print_record(record: AuditRecord, folder: Path) -> None:
    """Checks, findings, what would have been found, verdict and where to read on, on standard output."""
    console = Console(highlight=False)
    note = " (simulated patients)" if record.simulated else ""
    console.print(
        f"\n[bold]{escape(record.spec.generator.name)}[/bold] on {escape(record.spec.cohort.name)}{note}, "
        f"attacker granted {escape(record.access)}, seed {record.spec.seed}"
    )
    _print_checks(record, console)
    _print_findings(record, console)
    console.print(
        "null: without a leak; detects: smallest value found with 80% power at 5% false alarms\n", style="dim"
    )
    _print_strongest(record, console)
    _print_power(record, console)
    for title, words in _stated(record):
        console.print(f"{title:<9}{escape(words)}", soft_wrap=True)
    for finding in (f for f in record.findings if f.status != "ok" and f.family != "validity"):
        console.print(f"  [yellow]{finding.status:<12}[/yellow] {escape(f'{finding.plugin}: {finding.reason}')}")
    checked = any(f.kind == "check" and f.family == "validity" for f in record.findings)
    if not any(finding.family == "attribute" for finding in record.findings):
        console.print("  [yellow]not tested  [/yellow] inference of attributes: no attack was asked for")
    for rule in record.verdict.rules:
        if checked and rule.name.startswith("validity.") and rule.outcome == "pass":
            continue  # said above
        color = COLORS[rule.outcome]
        console.print(f"  [{color}]{rule.outcome:<12}[/{color}] {escape(rule.name)}: {escape(rule.reason)}")
    color = COLORS[record.verdict.outcome]
    console.print(f"\nverdict: [bold {color}]{record.verdict.outcome.upper()}[/bold {color}]")
    console.print(f"report:  {escape(str(folder / 'report.html'))}", soft_wrap=True)


def _print_checks(record: AuditRecord, console: Console) -> None:
    """One line a check: whether the comparison is fair comes before what it gave."""
    checks = [f for f in record.findings if f.kind == "check" and f.family == "validity"]
    console.print("is the comparison fair?" if checks else "is the comparison fair? no check was made", style="bold")
    for check in checks:
        passed = check.status == "ok"
        word = "ok" if passed else "FAILED" if check.status == "invalid" else check.status
        color = "green" if passed else "yellow"
        said = check.summary if passed else check.reason
        console.print(f"  [{color}]{word:<12}[/{color}] {escape(f'{check.plugin}: {said}')}")


def _print_findings(record: AuditRecord, console: Console) -> None:
    """The overall figures, family by family; what several plugins could not measure alike is said once, below."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("finding", f"value [{record.spec.confidence:.0%} interval]", "null", "detects", "n"):
        table.add_column(title, justify="right" if title in {"null", "detects"} else "left", overflow="fold")
    gaps: dict[str, dict[str, None]] = {}
    shown = [f for f in record.findings if f.family != "validity" and f.status != "skipped"]
    for finding in sorted(shown, key=lambda f: FAMILIES.index(f.family) if f.family in FAMILIES else len(FAMILIES)):
        table.add_section()
        state = "" if finding.status == "ok" else f"[yellow]{finding.status}[/yellow], see below"
        table.add_row(f"[bold]{escape(finding.plugin)}[/bold] [dim]{escape(finding.family)}[/dim]", state)
        unfair = finding.status == "invalid" and finding.reason.startswith("the check '")
        for estimate in (e for e in finding.estimates if e.name != PLANTED and _headline(e, finding)):
            if estimate.value is None:
                gaps.setdefault(estimate.note, {})[estimate.name] = None
                continue
            table.add_row(*_cells(estimate), style="strike dim" if unfair and estimate.name != "exact_copies" else None)
    console.print(table)
    for note, names in gaps.items():
        console.print(f"{', '.join(names)}: {note}", style="dim", markup=False)


def _print_strongest(record: AuditRecord, console: Console) -> None:
    """One line a family."""
    if not record.strongest:
        return
    console.print("strongest attack, chosen on half of the patients, AUC on the other half", style="bold")
    for found in record.strongest:
        turned = ", inverted" if found.inverted else ""
        which = f"{found.attack}{turned}" + (f", of {len(found.tried)}" if len(found.tried) > 1 else "")
        console.print(f"  {escape(f'{found.family:<16} {which:<34}')} {_valued(found.auc)}", soft_wrap=True)
    console.print()


def _print_power(record: AuditRecord, console: Console) -> None:
    """The smallest share of each planted kind of leak that a family's attacks would have found, and which of them."""
    attacks = [f for f in record.findings if f.kind == "attack" and f.status == "ok"]
    planted = [(e, f) for f in attacks for e in f.estimates if e.name == PLANTED]
    if planted:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        table.add_column("smallest leak found", overflow="fold")
        families = list(dict.fromkeys(f.family for _, f in planted))
        several = {family for family in families if len({f.plugin for _, f in planted if f.family == family}) > 1}
        for family in families:
            table.add_column(escape(family), overflow="fold")
        for kind in dict.fromkeys(e.group for e, _ in planted):
            of_kind = [(e, f) for e, f in planted if e.group == kind]
            table.add_row(
                escape(kind), *(_best([p for p in of_kind if p[1].family == f], f in several) for f in families)
            )
        console.print(table)
        console.print(
            "share of released images that are such copies (overfitted: of member patients), found with 80% power at "
            "5% false alarms; attack by attack in the report\n",
            style="dim",
        )
    without = [f.plugin for f in attacks if not any(e.name == PLANTED for e in f.estimates)]
    if without:
        names = escape(", ".join(without))
        console.print(
            f"how small a leak would have been found was not measured: {names} (privbench certify RUN does so)\n",
            style="yellow",
        )


def _best(planted: list[tuple[Estimate, Finding]], several: bool) -> str:
    """The smallest share and, of several attacks, the one that finds it; or that none does."""
    noticed = [(e.value, f.plugin) for e, f in planted if e.value is not None]
    if noticed:
        value, attack = min(noticed)
        return f"{value:.1%}" + (f" [dim]{escape(attack)}[/dim]" if several else "")
    return f"[yellow]{escape(planted[0][0].note.partition(' of ')[0])}[/yellow]" if planted else ""


def _stated(record: AuditRecord) -> list[tuple[str, str]]:
    """What the generator claims, and what its guard certifies, in a line each; nothing where there is neither."""
    declared, guard = record.declaration, record.guard
    said = []
    if declared.privacy:
        claim = declared.privacy
        image = f"epsilon {claim.epsilon:.4g} for one image, " if claim.unit == "image" else ""
        said.append(f"{image}epsilon {claim.patient_epsilon:.4g} at delta {claim.patient_delta:.3g} for one patient")
    if declared.crossings:
        centers = len({crossing.center for crossing in declared.crossings})
        said.append(f"{_counted(len(declared.crossings), 'crossing')} at {_counted(centers, 'centre')}")
    if declared.notes:
        said.append(_counted(len(declared.notes), "note"))
    lines = [("states:", f"{'; '.join(said)} (not proved; see the report)")] if said else []
    if guard:
        smallest = f"smallest distance to a member {guard.closest:.4g}, tau {guard.tau:.4g}"
        rejected = f"{guard.rejected} of {guard.drawn} drawn were rejected"
        lines.append(("guard:", f"{guard.guard}, {smallest}, {rejected} (privbench verify-guard RUN proves it)"))
    return lines


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _headline(estimate: Estimate, finding: Finding) -> bool:
    """Overall figures; where a name has none, its first group, unless the groups are arms to be compared.

    Of an attack with overall figures only these, and its verifier's power: what comes by space, attribute or alteration
    is for the report.
    """
    same = [e for e in finding.estimates if e.name == estimate.name]
    if any(not e.group for e in same):
        return not estimate.group
    if finding.kind == "attack" and any(not e.group for e in finding.estimates):
        return estimate is same[0] and estimate.name.startswith("verifier_")
    return estimate is same[0] or estimate.worse == "none" or estimate.null is None


def _cells(estimate: Estimate) -> tuple[str, ...]:
    name = "  " + escape(f"{estimate.name} {estimate.group}".strip())
    said = ("" if v is None else _short(v) for v in (estimate.null, estimate.detectable))
    return name, _valued(estimate), *said, f"{estimate.n} {estimate.unit}s"


def _valued(estimate: Estimate) -> str:
    assert estimate.value is not None
    value = _short(estimate.value)
    if estimate.low is not None and estimate.high is not None:
        value += escape(f" [{_short(estimate.low)}, {_short(estimate.high)}]")
    return value


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
