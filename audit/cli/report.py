"""``privbench report``: a finished run in another format."""

from pathlib import Path
from typing import Annotated, cast

import typer

CONFIDENTIAL = "report-confidential.html"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a record.json.")],
    form: Annotated[str, typer.Option("--format", "-f", help="See: privbench list report")] = "html",
    out: Annotated[Path | None, typer.Option(help="File to write (default: standard output)")] = None,
    show_real: Annotated[
        bool,
        typer.Option(
            "--show-real",
            help="Show released images beside the real ones they come closest to. The page is then CONFIDENTIAL; "
            f"by default it is written to RUN/confidential/{CONFIDENTIAL}.",
        ),
    ] = False,
    store: Annotated[Path | None, typer.Option(help="Where the run's cohort is kept (default: cache folder)")] = None,
) -> None:
    """Write the report of a finished run: html, md, json, junit or an installed format."""
    from collections.abc import Callable

    from ..errors import BadInputError
    from ..outputs import load_gallery
    from ..record import AuditRecord
    from ..registry import load
    from ..runs import load_record
    from ..types import ImageSet
    from .whole import write_or_say

    record = load_record(run)
    plugin = load("report", form)
    if plugin.facts.of == "comparison":
        short = form.removeprefix("comparison-")
        raise BadInputError(f"format '{form}' compares several runs\nuse: privbench compare RUN RUN --format {short}")
    if show_real:
        text, out = _with_real_images(run, form, out, store)
    else:
        write = cast("Callable[[AuditRecord, ImageSet | None], str]", plugin.target)
        text = write(record, load_gallery(run))
    if out is None:
        typer.echo(text)
        return
    write_or_say(out, text, [run])
    typer.echo(f"wrote {out}{': images of training patients, do not share' if show_real else ''}", err=True)


def _with_real_images(run: Path, form: str, out: Path | None, store: Path | None) -> tuple[str, Path]:
    """The confidential page, and where it goes: never to where the page that may be shared stands."""
    from collections.abc import Callable

    from ..errors import BadInputError
    from ..outputs import load_gallery
    from ..pairs import RealPairs, real_pairs
    from ..record import AuditRecord
    from ..registry import load
    from ..runs import load_record
    from ..types import ImageSet

    if form != "html":
        raise BadInputError(f"--show-real: format '{form}' shows no images\nuse --format html")
    if not run.is_dir():
        raise BadInputError(f"--show-real: '{run}' is a file\ngive the run folder: distances and images stand there")
    out = out or run / "confidential" / CONFIDENTIAL
    if out.name == "report.html":
        raise BadInputError(
            "--show-real: 'report.html' is the name of the page that may be shared\n"
            f"choose another name, e.g. {CONFIDENTIAL}"
        )
    write = cast("Callable[[AuditRecord, ImageSet | None, RealPairs], str]", load("report", "html").target)
    return write(load_record(run), load_gallery(run), real_pairs(run, store=store)), out
