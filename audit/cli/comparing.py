"""A comparison as tables on the terminal."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from ..comparison import Cell, Compared, Comparison, Entrant, leads_of
from .markup import escape

COLORS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
WIDE = 4
"""Entrants that stand side by side; of more each has a line."""
LINES = 12
"""Differences that are printed."""


def print_comparison(comparison: Comparison, folder: Path) -> None:
    """Who is compared, the leading figures with ranks, what differs, and where to read on, on standard output."""
    console = Console(highlight=False)
    note = " (simulated patients)" if comparison.simulated else ""
    seeds = f"seed{'s' * (len(comparison.seeds) > 1)} {', '.join(map(str, comparison.seeds))}"
    console.print(
        f"\n[bold]{len(comparison.entrants)} entrants[/bold] on {escape(comparison.cohort.name)}{note}, {seeds}"
    )
    for line in comparison.notes:
        console.print(line, style="dim", markup=False)
    leads = leads_of(comparison)
    table = _by_figure(comparison, leads) if len(comparison.entrants) <= WIDE else _by_entrant(comparison, leads)
    console.print(table)
    console.print(f"{comparison.confidence:.0%} intervals; #1: nobody is significantly better\n", style="dim")
    _print_differences(comparison, leads, console)
    _print_gaps(comparison, leads, console)
    for entrant in comparison.entrants:
        if entrant.failed:
            broken = escape(f"{entrant.label}: {', '.join(entrant.failed)}")
            console.print(f"  [red]broke       [/red] {broken}")
    console.print(f"\nreport:  {escape(str(folder / 'comparison.html'))}", soft_wrap=True)


def _by_figure(comparison: Comparison, leads: tuple[Compared, ...]) -> Table:
    """A line a figure, a column an entrant: for a few."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("", overflow="fold", min_width=17)
    for entrant in comparison.entrants:
        table.add_column(escape(entrant.label), overflow="fold", min_width=12)
    table.add_row("verdict", *(_verdict(entrant) for entrant in comparison.entrants))
    for compared in leads:
        name = f"{escape(_figure(compared))}\n[dim]{escape(compared.plugin)}[/dim]"
        table.add_row(name, *(_cell(cell) for cell in compared.cells))
    return table


def _by_entrant(comparison: Comparison, leads: tuple[Compared, ...]) -> Table:
    """A line an entrant, a column a figure without its interval: for many."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("", overflow="fold", min_width=14)
    table.add_column("verdict", overflow="fold")
    for compared in leads:
        table.add_column(escape(_figure(compared)), overflow="fold", min_width=6)
    for i, entrant in enumerate(comparison.entrants):
        values = (_cell(compared.cells[i]).partition("\n")[0] for compared in leads)
        table.add_row(escape(entrant.label), _verdict(entrant), *values)
    return table


def _print_differences(comparison: Comparison, leads: tuple[Compared, ...], console: Console) -> None:
    """The surest differences of the leading figures, worse entrant first; and the figures that show none."""
    labels = [escape(entrant.label) for entrant in comparison.entrants]
    shown = sorted(((d.adjusted, i, c, d) for i, c in enumerate(leads) for d in c.shown), key=lambda one: one[:2])
    computed = "no difference is shown" if any(c.differences for c in leads) else "no difference could be computed"
    console.print("differences, p corrected for the number of pairs" if shown else computed, style="bold")
    for _, _, compared, found in shown[:LINES]:
        worse, better = (found.first, found.second) if found.better == found.second else (found.second, found.first)
        turn = 1 if worse == found.first else -1
        ends = sorted((turn * found.low, turn * found.high))
        number = f"{turn * found.value:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}]"
        says = "leaks more than" if compared.kind == "attack" else "is worse than"
        p = "p < 0.001" if found.adjusted < 0.001 else f"p = {found.adjusted:.3f}"
        paired = "" if found.paired else ", taken for independent"
        console.print(f"  {escape(_figure(compared))}: {labels[worse]} {says} {labels[better]}")
        console.print(f"    {escape(number)}, {p}{paired}", style="dim")
    if len(shown) > LINES:
        console.print(f"  and {len(shown) - LINES} more, in the report")
    alike = [_figure(compared) for compared in leads if compared.differences and not compared.shown]
    if alike and shown:
        console.print(f"  no difference is shown in {escape(', '.join(alike))}")


def _print_gaps(comparison: Comparison, leads: tuple[Compared, ...], console: Console) -> None:
    """What could not be compared, and why: it is not a tie."""
    for compared in leads:
        if not compared.differences:
            console.print(f"  [yellow]not compared[/yellow] {escape(f'{_figure(compared)}: {compared.withheld}')}")
        for entrant, cell in zip(comparison.entrants, compared.cells, strict=True):
            if cell.status != "measured":
                words = f"{_figure(compared)} of {entrant.label}: {cell.reason}"
                console.print(f"  [yellow]{cell.status:<12}[/yellow] {escape(words)}")
            elif cell.reason and compared.differences:
                words = f"{_figure(compared)} of {entrant.label}: {cell.reason}"
                console.print(f"  [yellow]not compared[/yellow] {escape(words)}")


def _figure(compared: Compared) -> str:
    return (
        f"{compared.family} {compared.name}"
        if compared.kind == "attack"
        else f"{compared.name} {compared.group}".strip()
    )


def _verdict(entrant: Entrant) -> str:
    runs = sum(run.compared for run in entrant.runs)
    count = {"fail": entrant.fails, "inconclusive": entrant.opens}.get(entrant.outcome, runs)
    words = entrant.outcome + (f" {count} of {runs}" if runs > 1 else "")
    return f"[{COLORS[entrant.outcome]}]{words}[/{COLORS[entrant.outcome]}]"


def _cell(cell: Cell) -> str:
    if cell.status != "measured" or cell.value is None:
        return f"[yellow]{cell.status}[/yellow]"
    rank = f" #{cell.rank}" if cell.rank else ""
    interval = (
        "" if cell.low is None or cell.high is None else f"\n[dim]{_short(cell.low)} to {_short(cell.high)}[/dim]"
    )
    return f"{_short(cell.value)}{rank}{interval}"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
