"""Privacy audit and benchmark for generative models of medical images.

>>> import privbench
>>> record = privbench.run({"generator": "dfgm"})  # doctest: +SKIP
>>> record.verdict.outcome  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audit.comparison import Comparison, compare
    from .audit.context import Auxiliary, Context
    from .audit.errors import AccessError, BadInputError, InvalidError, SkippedError
    from .audit.persist import fingerprint
    from .audit.plugin import attack, cohort, generator, guard, metric, report
    from .audit.record import (
        AuditRecord,
        AuditSpec,
        Crossing,
        Declaration,
        Estimate,
        Finding,
        GuardCertificate,
        Measurement,
        Privacy,
        Verdict,
    )
    from .audit.runner import run
    from .audit.runs import load_record
    from .audit.target import Access, Denoiser, Queries, Target
    from .audit.types import (
        GalleryScores,
        ImageSet,
        LinkageScores,
        MembershipScores,
        MemorizationScores,
        PairScores,
        Ranking,
        SpaceDistances,
        Split,
        TrainingData,
    )

_HOME = {
    "audit.comparison": ("Comparison", "compare"),
    "audit.context": ("Auxiliary", "Context"),
    "audit.errors": ("AccessError", "BadInputError", "InvalidError", "SkippedError"),
    "audit.persist": ("fingerprint",),
    "audit.plugin": ("attack", "cohort", "generator", "guard", "metric", "report"),
    "audit.record": (
        "AuditRecord",
        "AuditSpec",
        "Crossing",
        "Declaration",
        "Estimate",
        "Finding",
        "GuardCertificate",
        "Measurement",
        "Privacy",
        "Verdict",
    ),
    "audit.runner": ("run",),
    "audit.runs": ("load_record",),
    "audit.target": ("Access", "Denoiser", "Queries", "Target"),
    "audit.types": (
        "GalleryScores",
        "ImageSet",
        "LinkageScores",
        "MembershipScores",
        "MemorizationScores",
        "PairScores",
        "Ranking",
        "SpaceDistances",
        "Split",
        "TrainingData",
    ),
}

__all__ = [
    "Access",
    "AccessError",
    "AuditRecord",
    "AuditSpec",
    "Auxiliary",
    "BadInputError",
    "Comparison",
    "Context",
    "Crossing",
    "Declaration",
    "Denoiser",
    "Estimate",
    "Finding",
    "GalleryScores",
    "GuardCertificate",
    "ImageSet",
    "InvalidError",
    "LinkageScores",
    "Measurement",
    "MembershipScores",
    "MemorizationScores",
    "PairScores",
    "Privacy",
    "Queries",
    "Ranking",
    "SkippedError",
    "SpaceDistances",
    "Split",
    "Target",
    "TrainingData",
    "Verdict",
    "attack",
    "cohort",
    "compare",
    "fingerprint",
    "generator",
    "guard",
    "load_record",
    "metric",
    "report",
    "run",
]


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
