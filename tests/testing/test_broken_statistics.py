"""The threshold statistic: the built-in keeps its word, others are caught."""

import math

import numpy as np
import pytest

from privbench.audit.statistics.stats import tpr_at_fpr
from privbench.testing import ConformanceError, check_tpr_at_fpr, tpr_at_fpr_checks


def test_the_built_in_is_conservative():
    check_tpr_at_fpr(tpr_at_fpr)


def nearest_fpr(member, other, fpr):
    levels = np.unique(np.concatenate([member, other, [np.inf]]))
    rates = np.array([(other >= t).mean() for t in levels])
    threshold = levels[np.abs(rates - fpr).argmin()]
    return int((member >= threshold).sum()), float(threshold)


def interpolated(member, other, fpr):
    threshold = float(np.quantile(other, 1 - fpr))
    return int((member >= threshold).sum()), threshold


def last_threshold_dropped(member, other, fpr):
    _, threshold = tpr_at_fpr(member, other, fpr)
    levels = np.sort(other[other >= threshold])
    higher = math.nextafter(levels[0], math.inf) if len(levels) else threshold
    return int((member >= higher).sum()), higher


def miscounting(member, other, fpr):
    caught, threshold = tpr_at_fpr(member, other, fpr)
    return caught + 1, threshold


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (nearest_fpr, "never exceeds the false positive rate"),
        (interpolated, "never exceeds the false positive rate"),
        (last_threshold_dropped, "takes the lowest threshold that is allowed"),
        (miscounting, "counts the members at or above its threshold"),
    ],
)
def test_a_broken_threshold_is_caught(broken, check):
    with pytest.raises(ConformanceError) as error:
        dict(tpr_at_fpr_checks(broken))[check]()
    assert [f.check for f in error.value.failures] == [check]
    with pytest.raises(ConformanceError, match=check):
        check_tpr_at_fpr(broken)
