"""Several audits one after another: all are checked before the first trains, and what they found is compared."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from ..errors import BadInputError
from .auditing import BAD_INPUT, FAILED, broke, interrupted, log, typed

if TYPE_CHECKING:
    from ..record import AuditRecord, AuditSpec
    from ..tracking import Tracker
    from .console import TerminalProgress

LINE = "\n"
Ending = Literal["done", "failed", "bad input"]


def audit_several(
    specs: "Sequence[AuditSpec]",
    *,
    out: Path | None,
    store: Path | None,
    json: bool,
    quiet: bool,
    debug: bool,
    tracker: "Tracker | None" = None,
) -> None:
    """Run the audits in order, print how each ended, and compare them; one that fails does not stop the others.

    Args:
        specs: at least two.
        out: the folder around the run folders; by default ``runs``.
        store: as for one audit.
        json: print the records as one JSON array, and nothing else on standard output.
        quiet: no progress.
        debug: let what went wrong through.
        tracker: where finished audits are logged.

    Raises:
        BadInputError: for anything the user can mend in any of the audits, before the first trains.
        typer.Exit: with 2 if there was such a thing later, with 4 if a plugin or an audit failed, or could not be
            logged; with 130 if the user broke off.
    """
    from ..matrix import labels_of
    from ..outputs import run_name
    from .console import TerminalProgress

    one_by_one = _OneByOne(out or Path("runs"), store, TerminalProgress(quiet=quiet), tracker, quiet=quiet, debug=debug)
    try:
        settled = one_by_one.checked(specs)
        for number, (spec, label) in enumerate(zip(settled, labels_of(settled), strict=True), 1):
            said = one_by_one.run(spec, f"[{number}/{len(settled)}] {label}", one_by_one.parent / run_name(spec))
            if said and not json:
                typer.echo(f"{said[0]:<12}  {label}  ({said[1]})  {one_by_one.parent / run_name(spec)}")
    except KeyboardInterrupt:
        raise interrupted() from None
    if json:
        typer.echo("[" + ",\n".join(record.model_dump_json(indent=1) for record in one_by_one.records) + "]")
    one_by_one.compare(tables=not json)
    if one_by_one.code:
        raise typer.Exit(one_by_one.code)


@dataclass
class _OneByOne:
    """The audits that have ended, and what all share.

    Attributes:
        parent: the folder around the run folders.
        store: where stages are kept.
        progress: shown on stderr.
        tracker: where finished audits are logged.
        quiet: no messages.
        debug: let what went wrong through.
        records: of the audits that came to a verdict.
        folders: where these lie.
        endings: of all.
    """

    parent: Path
    store: Path | None
    progress: "TerminalProgress"
    tracker: "Tracker | None"
    quiet: bool = field(kw_only=True)
    debug: bool = field(kw_only=True)
    records: "list[AuditRecord]" = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    endings: set[Ending] = field(default_factory=set)

    @property
    def code(self) -> int:
        """The exit code: 2 where something can be mended, 4 where something failed."""
        return BAD_INPUT if "bad input" in self.endings else FAILED if "failed" in self.endings else 0

    def checked(self, specs: "Sequence[AuditSpec]") -> "list[AuditSpec]":
        """The specs resolved: options first, which takes no time, then the cohorts.

        Raises:
            BadInputError: for anything that would stop one of them before it trains.
        """
        from ..matrix import refuse_repeats
        from ..runner import check, settle
        from ..runs import RECORD, SPEC

        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise BadInputError(
                "several audits cannot share the processes of accelerate launch or torchrun\nstart them one by one"
            )
        if any((self.parent / name).exists() for name in (SPEC, RECORD)):
            raise BadInputError(
                f"'{self.parent}' is the run folder of one audit; several need a folder around theirs\n"
                "choose another with --out"
            )
        settled = [settle(spec, store=self.store) for spec in specs]
        refuse_repeats(settled)
        self.progress.message(f"checking {len(settled)} audits")
        for spec in settled:
            check(spec, store=self.store, progress=self.progress)
        return settled

    def run(self, spec: "AuditSpec", headline: str, folder: Path) -> tuple[str, str] | None:
        """One audit: its verdict and how long it took; None where there is no record, which is said."""
        from ..runner import run

        self.progress.headline(headline)
        began = time.perf_counter()
        try:
            record = run(spec, out=folder, store=self.store, progress=self.progress, command=typed())
        except BadInputError as error:
            self.endings.add("bad input")
            typer.echo(f"error: {headline}: {error}", err=True)
            return None
        except Exception as error:
            if self.debug:
                raise
            self.endings.add("failed")
            why = f"{type(error).__name__}: {error}"
            typer.echo(f"error: {headline} stopped: {why}\nrun again with --debug", err=True)
            return None
        self.records.append(record)
        self.folders.append(folder)
        logged = self.tracker is None or log(self.tracker, record, folder, quiet=self.quiet)
        self.endings.add("failed" if broke(record) or not logged else "done")
        return record.verdict.outcome, _lasted(time.perf_counter() - began)

    def compare(self, *, tables: bool) -> None:
        """Compare what has finished, beside the run folders; where there is nothing to compare, say so."""
        from ..store import Store
        from .compare import write_comparison

        folder = self.parent / f"comparison-{Store.key({'runs': sorted(f.name for f in self.folders)})[:8]}"
        try:
            write_comparison(self.folders, folder, quiet=not tables)
        except BadInputError as error:
            self.progress.message(f"no comparison: {str(error).partition(LINE)[0]}")
        except Exception as error:
            if self.debug:
                raise
            self.endings.add("failed")
            typer.echo(f"error: no comparison: {type(error).__name__}: {error}\nrun again with --debug", err=True)
        else:
            if not tables:
                self.progress.message(f"comparison: {folder}")


def _lasted(seconds: float) -> str:
    """``42 s``, ``3 min 07 s`` or ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
