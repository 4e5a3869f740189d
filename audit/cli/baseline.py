"""``privbench baseline``: the record of the last release, kept in git."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..acceptance import Accepted, Change

app = typer.Typer(no_args_is_help=True, help="The audit that later ones are held against.", rich_markup_mode="rich")


@app.callback()
def _group() -> None:
    """Keep ``update`` a command of its own, though it is the only one."""


@app.command("update")
def update(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a record.json.")],
    why: Annotated[str, typer.Option(help="Why this audit is the one to compare with.")],
    out: Annotated[Path, typer.Option(help="The baseline, a file for git.")] = Path("baseline.json"),
    by: Annotated[str | None, typer.Option(help="Who decides (default: git's user.name)")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Rules that it must not fail (default: the policy that ships)")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="In spite of a rule or a plugin that failed; the baseline says so.")
    ] = False,
) -> None:
    """Make a run the baseline: its whole record, with who decided it, when and why.

    A run of which a rule or a plugin failed is refused. What changes against the former baseline is shown, and the
    former decision kept as history. Commit the file: privbench gate --baseline reads it.

    Examples:
      privbench baseline update runs/release-1 --why "first release"

      privbench baseline update runs/release-2 --policy policy.toml --by "A. Ito" --why "new scanners"
    """
    from datetime import UTC, datetime

    from ..acceptance import accept
    from ..errors import BadInputError
    from .whole import write_or_say

    if not why.strip():
        raise BadInputError('--why is empty\nsay why this audit is the one to compare with: --why "first release"')
    when = datetime.now(UTC).isoformat(timespec="seconds")
    accepted = accept(run, out, (_who(by), when, why.strip()), policy, force=force)
    write_or_say(out, accepted.baseline.model_dump_json(indent=1) + "\n", [run])
    _show(accepted, out)


def _who(by: str | None) -> str:
    """As given, or as git knows the user.

    Raises:
        BadInputError: if neither is there.
    """
    import subprocess

    from ..errors import BadInputError

    if by is None:
        try:
            found = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)  # noqa: S607
            by = found.stdout
        except OSError:
            by = ""
    if not by.strip():
        raise BadInputError('nobody decides: git knows no user.name here\nsay who does: --by "A. Ito"')
    return by.strip()


def _show(accepted: "Accepted", out: Path) -> None:
    from rich.console import Console

    from .markup import escape

    console = Console(highlight=False)
    decision = accepted.baseline.decision
    for change in accepted.changes:
        console.print(f"  {escape(change.name)}: {_said(change)}", soft_wrap=True)
    if accepted.unlike:
        console.print(f"  of another cohort or split, so not compared: {escape(accepted.unlike)}", soft_wrap=True)
    if decision.forced:
        console.print(f"  [yellow]in spite of[/yellow] {escape(decision.forced)}", soft_wrap=True)
    former = "replaces the former one" if accepted.former else "the first"
    said = f"by {decision.by}, {decision.when}: {decision.why} (verdict: {decision.verdict}; {former})"
    console.print(f"wrote {escape(str(out))} {escape(said)}", soft_wrap=True)


def _said(change: "Change") -> str:
    before, after = ("not measured" if v is None else f"{v:.3f}" for v in (change.before, change.after))
    said = f"{before} before, {after} now"
    if change.worse:
        w = change.worse
        return f"{said}; worse by {w.value:.3f} \\[{w.low:.3f}, {w.high:.3f}]" + ("" if w.paired else ", not paired")
    return f"{said}; {change.why}" if change.why else said
