"""What the commands that audit share: run, show, and say clearly how it ended."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..record import AuditSpec

if TYPE_CHECKING:
    from ..tracking import Tracker


def audit(
    spec: AuditSpec,
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
    from .several import failed, track
    from .tables import print_record

    if rank():
        assist(spec, store=store)
        return
    try:
        record = run(spec, out=out, store=store, progress=TerminalProgress(quiet=quiet), command=typed())
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command continues where it was", err=True)
        raise typer.Exit(130) from None
    except BadInputError:
        raise
    except Exception as error:
        if debug:
            raise
        typer.echo(f"error: the audit stopped: {type(error).__name__}: {error}\nrun again with --debug", err=True)
        raise typer.Exit(4) from error
    folder = run_path(out, record.spec)
    if json:
        typer.echo(record.model_dump_json(indent=1))
    else:
        print_record(record, folder)
    logged = tracker is None or track(tracker, record, folder)
    if failed(record) or not logged:
        raise typer.Exit(4)


def typed() -> str:
    """The command line, to be kept in the record."""
    return shlex.join(["privbench", *sys.argv[1:]])
