"""A gate's verdict on the terminal: readable at eighty columns, what decides last, next to the prompt."""

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..gated import SAID, Gated, why_of
from ..printable import printable
from ..record import Rule

COLORS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
ORDER = ("pass", "inconclusive", "fail")
WIDTH = 80


def print_gated(gated: Gated, console: Console | None = None) -> None:
    """One block a rule: outcome, name, and the reason with value, interval, limit and what would have been found."""
    console = console or Console(highlight=False)
    console.print(
        Text.assemble((printable(gated.generator), "bold"), printable(f" on {gated.cohort}, audited {gated.started}"))
    )
    by = f" and baseline {gated.baseline.file}" if gated.baseline else ""
    console.print(Text(printable(f"judged by {gated.policy_file.file}{by}") + "\n", style="dim"), soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    said_already: set[str] = set()
    for rule in sorted(gated.verdict.rules, key=lambda rule: ORDER.index(rule.outcome)):
        why = why_of(rule, gated.policy) if rule.outcome != "pass" else ""
        said = "" if why in said_already else why
        said_already.add(why)
        grid.add_row(Text(rule.outcome, style=COLORS[rule.outcome]), _block(rule, said))
    for said in gated.broken:
        grid.add_row(Text("broken", style="bold red"), Text(printable(said)))
    for note in gated.notes:
        grid.add_row(Text("not judged", style="dim"), Text(printable(note), style="dim"))
    console.print(grid)
    color = COLORS["fail" if gated.word == "BROKEN" else gated.verdict.outcome]
    said = f": {SAID[gated.exit_code]} (exit code {gated.exit_code})"
    console.print(Text.assemble("\n", (gated.word, color), said))


def plain(gated: Gated) -> str:
    """The same without colours, for a file."""
    file = StringIO()
    print_gated(gated, Console(file=file, width=WIDTH, highlight=False, color_system=None))
    return file.getvalue()


def _block(rule: Rule, why: str) -> Text:
    """What passed on a line, what did not on two; the policy's reason is said once."""
    name, reason = printable(rule.name), printable(rule.reason)
    if rule.outcome == "pass":
        return Text.assemble(name, "  ", (reason, "dim"))
    text = Text.assemble((name, "bold"), "\n", reason)
    return text.append(f"\npolicy: {printable(why)}", style="dim") if why else text
