"""``privbench compare``: several finished runs held against one another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from ..comparison import Comparison
    from ..record import AuditRecord

FAILED = 4
PREFIX = "comparison-"


def compare(
    run: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders, record.json files, or folders of runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for comparison.html and comparison.json, or the file with --format"),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Print html, md, json, csv or differences-csv instead of tables."),
    ] = None,
) -> None:
    """Compare finished runs: what leaks more than what, what is more useful, and how surely.

    All runs of one generator with the same options are one entrant, over its seeds. Entrants are compared seed by seed
    on the same patients: give runs of the same cohort, split and seeds, else the comparison is refused and says what
    differs. Ranks stand only where differences are significant. What could not be measured is never ranked.

    Examples:
      privbench compare runs/

      privbench compare runs/brain-sim-ldm-1f0c77a2 runs/brain-sim-dfgm-f85d6086 --out reports/ldm-or-dfgm

      privbench compare runs/ --format md > comparison.md

    Exit codes: 0 compared, whatever the verdicts; 2 the runs cannot be compared; 4 plugins broke in a compared run.
    """
    failed = write_comparison(run, out) if form is None else _write_format(run, out, form)
    if failed:
        raise typer.Exit(FAILED)


def write_comparison(folders: list[Path], out: Path | None, *, quiet: bool = False) -> bool:
    """Compare the runs in ``folders``, print tables, and write ``comparison.html`` and ``comparison.json``.

    Args:
        folders: of runs, record files, or folders of runs.
        out: where to write; None: ``runs/comparison-`` and a key of the runs.
        quiet: print no tables.

    Returns:
        Whether plugins broke in a run that was compared.

    Raises:
        BadInputError: if the runs cannot be compared, or if the folder cannot be written.
    """
    from ..comparison import compare as compared
    from .comparing import print_comparison
    from .whole import write_or_say

    records = _read(folders)
    comparison = compared(records)
    folder = out or Path("runs") / f"comparison-{_key(comparison)}"
    for form in ("json", "html"):
        write_or_say(folder / f"comparison.{form}", _reported(comparison, form), [Path(path) for path, _ in records])
    if not quiet:
        print_comparison(comparison, folder)
    return any(entrant.failed for entrant in comparison.entrants)


def _write_format(runs: list[Path], out: Path | None, form: str) -> bool:
    """One format, on standard output or into a file."""
    from ..comparison import compare as compared
    from .whole import write_or_say

    _refuse_unknown(form)
    records = _read(runs)
    comparison = compared(records)
    text = _reported(comparison, form)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_or_say(out, text, [Path(path) for path, _ in records])
        typer.echo(f"wrote {out}", err=True)
    return any(entrant.failed for entrant in comparison.entrants)


def _read(paths: list[Path]) -> "list[tuple[str, AuditRecord]]":
    """The records of runs, of files, and of all runs in folders; one that is named twice is read twice.

    Raises:
        BadInputError: for a folder without a run, and for a record that cannot be read.
    """
    from ..errors import BadInputError
    from ..runs import RECORD, find_runs, load_record

    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir() and not (path / RECORD).exists():
            inside = list(find_runs(path))
            if not inside:
                raise BadInputError(f"'{path}' holds no run\ngive folders that privbench run has written")
        found += inside
    _refuse_twice(found)
    return [(str(path), load_record(path)) for path in found]


def _refuse_twice(paths: list[Path]) -> None:
    from ..errors import BadInputError
    from ..runs import RECORD

    seen: dict[Path, Path] = {}
    for path in paths:
        folder = path.resolve().parent if path.name == RECORD else path.resolve()
        if folder in seen:
            raise BadInputError(f"'{seen[folder]}' and '{path}' are the same run\ngive each run once")
        seen[folder] = path


def _reported(comparison: "Comparison", form: str) -> str:
    from collections.abc import Callable

    from ..registry import load

    write = cast("Callable[[Comparison], str]", load("report", f"{PREFIX}{form}").target)
    return write(comparison)


def _refuse_unknown(form: str) -> None:
    """Raises BadInputError for a format that no report of a comparison has."""
    from ..catalogue import available, did_you_mean
    from ..errors import BadInputError

    formats = [name.removeprefix(PREFIX) for name in available("report") if name.startswith(PREFIX)]
    if form not in formats:
        close = did_you_mean(form, formats)
        raise BadInputError(f"unknown format '{form}' of a comparison{close}\navailable: {', '.join(formats)}")


def _key(comparison: "Comparison") -> str:
    """The same for the same runs, in whatever order they were given."""
    import hashlib

    runs = sorted(run.sha256 for entrant in comparison.entrants for run in entrant.runs)
    return hashlib.sha256("".join(runs).encode()).hexdigest()[:8]
