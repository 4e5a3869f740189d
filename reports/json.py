"""The record itself, for machines."""

from ..audit.plugin import report
from ..audit.record import AuditRecord
from ..audit.types import ImageSet


@report(suffix="json")
def json(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """The whole record as JSON, for scripts."""
    return record.model_dump_json(indent=2) + "\n"
