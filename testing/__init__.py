"""Checks that a plugin keeps privbench's contract, in the spirit of scikit-learn's ``check_estimator``.

>>> from privbench.testing import check_attack
>>> from privbench.attacks.gan_leaks import gan_leaks
>>> check_attack(gan_leaks, seeds=4, calibrated=False)
"""

from .attacks import attack_checks, check_attack
from .cohorts import check_cohort, cohort_checks
from .conformance import Check, ConformanceError, Failure
from .denoisers import Memorizer
from .generators import check_generator, generator_checks
from .guards import check_guard, guard_checks
from .metrics import check_metric, metric_checks
from .thresholds import check_tpr_at_fpr, tpr_at_fpr_checks
from .worlds import World, release

__all__ = [
    "Check",
    "ConformanceError",
    "Failure",
    "Memorizer",
    "World",
    "attack_checks",
    "check_attack",
    "check_cohort",
    "check_generator",
    "check_guard",
    "check_metric",
    "check_tpr_at_fpr",
    "cohort_checks",
    "generator_checks",
    "guard_checks",
    "metric_checks",
    "release",
    "tpr_at_fpr_checks",
]
