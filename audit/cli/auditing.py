"""What the commands that audit share: run, show, and say clearly how it ended."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..record import AuditRecord, AuditSpec
    from ..tracking import Tracker

BAD_INPUT, FAILED, INTERRUPTED = 2, 4, 130


def audit(
    spec: "AuditSpec",
    *,
    out: Path | None,
    store: Path | None,
    json: bool,
    quiet: bool,
    debug: bool,
    tracker: "Tracker | None" = None,
) -> None:
    """Run the audit, print its record, and exit with 4 if a plugin failed, or if it could not be logged.

    Raises:
        BadInputError: for anything the user can mend.
    """
    from ..errors import BadInputError
    from ..outputs import run_path
    from ..processes import rank
    from ..runner import assist, run
    from .console import TerminalProgress
    from .tables import print_record

    if rank():
        assist(spec, store=store)
        return
    try:
        record = run(spec, out=out, store=store, progress=TerminalProgress(quiet=quiet), command=typed())
    except KeyboardInterrupt:
        raise interrupted() from None
    except BadInputError:
        raise
    except Exception as error:
        if debug:
            raise
        typer.echo(f"error: the audit stopped: {type(error).__name__}: {error}\nrun again with --debug", err=True)
        raise typer.Exit(FAILED) from error
    folder = run_path(out, record.spec)
    if json:
        typer.echo(record.model_dump_json(indent=1))
    else:
        print_record(record, folder)
    logged = tracker is None or log(tracker, record, folder, quiet=quiet)
    if broke(record) or not logged:
        raise typer.Exit(FAILED)


def typed() -> str:
    """The command line, to be kept in the record."""
    return shlex.join(["privbench", *sys.argv[1:]])


def broke(record: "AuditRecord") -> bool:
    """Whether a plugin failed."""
    return any(finding.status == "error" for finding in record.findings)


def interrupted() -> typer.Exit:
    """Say that nothing is lost; the exit to raise."""
    typer.echo("interrupted; the same command continues where it was", err=True)
    return typer.Exit(INTERRUPTED)


def log(tracker: "Tracker", record: "AuditRecord", folder: Path, *, quiet: bool) -> bool:
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
    if not quiet:
        typer.echo(f"{folder}: {'logged to' if logged else 'is logged already in'} {tracker.uri}", err=True)
    return True
