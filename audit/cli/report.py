"""``privbench report``: a finished run in another format."""

from pathlib import Path
from typing import Annotated, cast

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a record.json.")],
    form: Annotated[str, typer.Option("--format", "-f", help="See: privbench list report")] = "html",
    out: Annotated[Path | None, typer.Option(help="File to write (default: standard output)")] = None,
) -> None:
    """Write the report of a finished run: html, md, json, junit or an installed format."""
    from collections.abc import Callable

    from ..outputs import load_gallery
    from ..record import AuditRecord
    from ..registry import load
    from ..runs import load_record
    from ..store import unwritable
    from ..types import ImageSet
    from ..whole import write_text_whole

    record = load_record(run)
    write = cast("Callable[[AuditRecord, ImageSet | None], str]", load("report", form).target)
    text = write(record, load_gallery(run))
    if out is None:
        typer.echo(text)
        return
    try:
        write_text_whole(out, text)
    except OSError as error:
        raise unwritable("output", out, error) or error from error
    typer.echo(f"wrote {out}", err=True)
