"""A record as tables on the terminal."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..record import AuditRecord, Estimate

COLORS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def print_record(record: AuditRecord, folder: Path) -> None:
    """Findings, verdict and where to read on, on standard output."""
    console = Console(highlight=False)
    note = " (simulated patients)" if record.simulated else ""
    console.print(
        f"\n[bold]{escape(record.spec.generator.name)}[/bold] on {escape(record.spec.cohort.name)}{note}, "
        f"attacker granted {record.access}, seed {record.spec.seed}"
    )
    percent = f"{record.spec.confidence:.0%}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("finding", f"value [{percent} interval]", "null", "detects", "n"):
        table.add_column(title, justify="right" if title in {"null", "detects"} else "left", overflow="fold")
    for finding in record.findings:
        table.add_section()
        state = "" if finding.status == "ok" else f"[yellow]{finding.status}[/yellow], see below"
        table.add_row(f"[bold]{escape(finding.plugin)}[/bold] [dim]{finding.family}[/dim]", state)
        for estimate in (e for e in finding.estimates if _headline(e, finding.estimates)):
            table.add_row(*_cells(estimate))
    console.print(table)
    console.print(
        "null: without a leak; detects: smallest value found with 80% power at 5% false alarms\n", style="dim"
    )
    for finding in (f for f in record.findings if f.status != "ok"):
        console.print(f"  [yellow]{finding.status:<12}[/yellow] {escape(f'{finding.plugin}: {finding.reason}')}")
    for rule in record.verdict.rules:
        color = COLORS[rule.outcome]
        console.print(f"  [{color}]{rule.outcome:<12}[/{color}] {escape(rule.name)}: {escape(rule.reason)}")
    color = COLORS[record.verdict.outcome]
    console.print(f"\nverdict: [bold {color}]{record.verdict.outcome.upper()}[/bold {color}]")
    console.print(f"report:  {escape(str(folder / 'report.html'))}", soft_wrap=True)


def _headline(estimate: Estimate, among: tuple[Estimate, ...]) -> bool:
    """Overall figures; where a name has none, its first group, unless the groups are arms to be compared."""
    same = [e for e in among if e.name == estimate.name]
    if any(not e.group for e in same):
        return not estimate.group
    return estimate is same[0] or estimate.worse == "none" or estimate.null is None


def _cells(estimate: Estimate) -> tuple[str, ...]:
    name = "  " + escape(f"{estimate.name} {estimate.group}".strip())
    n = f"{estimate.n} {estimate.unit}s"
    if estimate.value is None:
        return name, f"[dim]{escape(estimate.note)}[/dim]"
    value = _short(estimate.value)
    if estimate.low is not None and estimate.high is not None:
        value += escape(f" [{_short(estimate.low)}, {_short(estimate.high)}]")
    return name, value, *("" if v is None else _short(v) for v in (estimate.null, estimate.detectable)), n


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
