"""The comparison itself, for machines."""

from ..audit.comparison import Comparison
from ..audit.plugin import report


@report(suffix="json", of="comparison")
def comparison_json(comparison: Comparison) -> str:
    """The whole comparison as JSON, for scripts: every estimate with ranks, every difference with its p-value."""
    return comparison.model_dump_json(indent=1 if comparison.every_pair else None) + "\n"
