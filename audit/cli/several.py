"""Several audits one after another: all are checked before the first trains, and what they found is compared."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from ..errors import BadInputError
from ..record import AuditRecord, AuditSpec
from .console import TerminalProgress

if TYPE_CHECKING:
    from ..tracking import Tracker

BAD_INPUT, FAILED, INTERRUPTED = 2, 4, 130
Ending = Literal["done", "failed plugins", "stopped", "bad input"]


@dataclass
class Ended:
    """How the audits ended so far.

    Attributes:
        records: of those that came to a verdict.
        folders: where these lie.
        endings: of every audit.
    """

    records: list[AuditRecord] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    endings: set[Ending] = field(default_factory=set)

    @property
    def code(self) -> int:
        """The exit code: 2 where something can be mended, 4 where a plugin or a whole audit failed."""
        return BAD_INPUT if "bad input" in self.endings else FAILED if self.endings - {"done"} else 0


def audit_several(
    specs: Sequence[AuditSpec],
    *,
    out: Path | None,
    store: Path | None,
    tracker: "Tracker | None",
    json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Run the audits in order, one that fails does not stop the others; print how each ended, and compare them.

    Args:
        specs: at least two.
        out: the folder around the run folders; by default ``runs``.
        store: as for one audit.
        tracker: where finished audits are logged.
        json: print the records as one JSON array, and nothing else on standard output.
        quiet: no progress.
        debug: let what went wrong through.

    Raises:
        BadInputError: for anything the user can mend in any of the audits, before the first trains.
    """
    ended = Ended()
    try:
        _all(specs, out or Path("runs"), store, tracker, ended, TerminalProgress(quiet=quiet), json=json, debug=debug)
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command continues where it was", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if json:
        typer.echo("[" + ",\n".join(record.model_dump_json(indent=1) for record in ended.records) + "]")
    if ended.code:
        raise typer.Exit(ended.code)


def _all(
    specs: Sequence[AuditSpec],
    parent: Path,
    store: Path | None,
    tracker: "Tracker | None",
    ended: Ended,
    progress: TerminalProgress,
    *,
    json: bool,
    debug: bool,
) -> None:
    """Check them all, then run each."""
    from ..matrix import labels_of
    from ..outputs import run_name

    settled = _checked(specs, parent, store, progress)
    for number, (spec, label) in enumerate(zip(settled, labels_of(settled), strict=True), 1):
        headline = f"[{number}/{len(settled)}] {label}"
        progress.headline(headline)
        began, folder = time.perf_counter(), parent / run_name(spec)
        record = _one(spec, headline, folder, store, progress, ended, debug=debug)
        if record is None:
            continue
        ended.records.append(record)
        ended.folders.append(folder)
        ended.endings.add("failed plugins" if failed(record) else "done")
        if not json:
            typer.echo(f"{record.verdict.outcome:<12}  {label}  ({_lasted(time.perf_counter() - began)})  {folder}")
        if tracker and not track(tracker, record, folder):
            ended.endings.add("stopped")


def failed(record: AuditRecord) -> bool:
    """Whether a plugin broke."""
    return any(finding.status == "error" for finding in record.findings)


def track(tracker: "Tracker", record: AuditRecord, folder: Path) -> bool:
    """Log a finished audit, and say where; False if that failed, which loses nothing of the audit."""
    from ..tracking import TrackingError

    try:
        logged = tracker.log(record, folder)
    except TrackingError as error:
        typer.echo(
            f"error: {folder} is complete, but was not logged: {error}\nlog it later with: privbench track {folder}",
            err=True,
        )
        return False
    typer.echo(f"{'logged to' if logged else 'was logged before to'} MLflow: {tracker.uri}", err=True)
    return True


def _checked(
    specs: Sequence[AuditSpec], parent: Path, store: Path | None, progress: TerminalProgress
) -> list[AuditSpec]:
    """The specs resolved: options first, which takes no time, then the cohorts."""
    from ..matrix import refuse_repeats
    from ..outputs import SPEC
    from ..runner import check, settle
    from ..runs import RECORD

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise BadInputError(
            "several audits cannot share processes of accelerate launch or torchrun\nstart them one by one"
        )
    if any((parent / name).exists() for name in (SPEC, RECORD)):
        raise BadInputError(
            f"'{parent}' is the run folder of one audit; several need a folder around theirs\nchoose another with --out"
        )
    settled = [settle(spec, store=store) for spec in specs]
    refuse_repeats(settled)
    progress.message(f"checking {len(settled)} audits")
    for spec in settled:
        check(spec, store=store, progress=progress)
    return settled


def _one(
    spec: AuditSpec,
    headline: str,
    folder: Path,
    store: Path | None,
    progress: TerminalProgress,
    ended: Ended,
    *,
    debug: bool,
) -> AuditRecord | None:
    """One audit; None, with its ending noted and said, where there is no record."""
    from ..runner import run
    from .auditing import typed

    try:
        return run(spec, out=folder, store=store, progress=progress, command=typed())
    except BadInputError as error:
        ended.endings.add("bad input")
        typer.echo(f"error: {headline}: {error}", err=True)
    except Exception as error:
        if debug:
            raise
        ended.endings.add("stopped")
        typer.echo(f"error: {headline} stopped: {type(error).__name__}: {error}\nrun again with --debug", err=True)
    return None


def _lasted(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
