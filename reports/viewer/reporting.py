"""The pages that reports draw: made anew from records, whatever files lie beside them."""

from collections.abc import Callable, Sequence
from typing import cast

from ...audit.comparison import Comparison, compare
from ...audit.errors import BadInputError
from ...audit.record import AuditRecord
from ...audit.registry import load
from ...audit.runs import RECORD, parse_record
from ...audit.types import ImageSet
from .folder import Found, content
from .gallery import gallery_of
from .pages import with_bar


def report_page(found: Found) -> str:
    """The report of one run, with the way back to the list.

    Raises:
        BadInputError: if it has no record that can be read.
    """
    write = cast("Callable[[AuditRecord, ImageSet | None], str]", load("report", "html").target)
    record = _record(found)
    return with_bar(write(record, gallery_of(found.path, record)))


def comparison_page(runs: Sequence[Found]) -> str:
    """The comparison of several runs, with the way back to the list.

    Raises:
        BadInputError: if they cannot be compared.
    """
    write = cast("Callable[[Comparison], str]", load("report", "comparison-html").target)
    return with_bar(write(compare([(run.label, _record(run)) for run in runs])))


def _record(found: Found) -> AuditRecord:
    if found.mark is None:
        raise BadInputError(f"'{found.label}' holds no {RECORD} yet\nit is running, or was stopped before its end")
    try:
        text = content(found.record).decode("utf-8", errors="replace")
    except OSError as error:
        raise BadInputError(f"'{found.label}': {RECORD} cannot be read: {error.strerror or error}") from None
    return parse_record(text, f"{found.label}/{RECORD}")
