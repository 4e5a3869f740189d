"""What an audit with canaries says of a claim of differential privacy. Imports no numpy: the gate reads it too."""

from ..record import Finding
from ..statistics.one_run import Judgement, judgement_of


def judgement_in(finding: Finding) -> Judgement | None:
    """What the finding of an attack with canaries says of the claim; None where it measured nothing."""
    found = [finding.estimate(f"epsilon_{name}") for name in ("lower", "ceiling", "claimed")]
    values = [e.value for e in found if e is not None and e.value is not None]
    return judgement_of(*values) if len(values) == len(found) else None
