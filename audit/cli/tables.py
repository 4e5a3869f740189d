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
    note = " on simulated patients" if record.simulated else ""
    console.print(
        f"\n[bold]{escape(record.spec.generator.name)}[/bold] on {escape(record.spec.cohort.name)}{note}, "
        f"attacker granted {record.access}, seed {record.spec.seed}"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, side in (
        ("finding", "left"),
        ("estimate", "left"),
        ("value", "right"),
        ("interval", "left"),
        ("null", "right"),
        ("smallest seen", "right"),
        ("n", "right"),
    ):
        table.add_column(title, justify="right" if side == "right" else "left", overflow="fold")
    for finding in record.findings:
        name = escape(f"{finding.plugin} ({finding.family})")
        if finding.status != "ok":
            table.add_row(name, f"[yellow]{finding.status}[/yellow]: {escape(finding.reason)}")
        for estimate in (e for e in finding.estimates if _headline(e, finding.estimates)):
            table.add_row(name, *_cells(estimate))
            name = ""
        table.add_section()
    console.print(table)
    console.print("'smallest seen': the smallest value found with 80% power at 5% false alarms\n", style="dim")
    for rule in record.verdict.rules:
        color = COLORS[rule.outcome]
        console.print(f"  [{color}]{rule.outcome:<12}[/{color}] {escape(rule.name)}: {escape(rule.reason)}")
    color = COLORS[record.verdict.outcome]
    console.print(f"\nverdict: [bold {color}]{record.verdict.outcome.upper()}[/bold {color}]")
    console.print(f"report:  {escape(str(folder / 'report.html'))}", soft_wrap=True)


def _headline(estimate: Estimate, among: tuple[Estimate, ...]) -> bool:
    """Overall figures; groups only where there is no overall figure of that name."""
    return not estimate.group or all(e.group for e in among if e.name == estimate.name)


def _cells(estimate: Estimate) -> tuple[str, ...]:
    name = escape(f"{estimate.name} {estimate.group}".strip())
    if estimate.value is None:
        return name, "-", escape(estimate.note)
    interval = (
        "" if estimate.low is None or estimate.high is None else f"{_short(estimate.low)} .. {_short(estimate.high)}"
    )
    return (
        name,
        _short(estimate.value),
        interval,
        "" if estimate.null is None else _short(estimate.null),
        "" if estimate.detectable is None else _short(estimate.detectable),
        f"{estimate.n} {estimate.unit}s",
    )


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
