"""The kit finds what is wrong with a guard."""

import numpy as np
import pytest

import privbench as pb
from privbench.guards.min_distance import MinDistance
from privbench.testing import ConformanceError, check_guard


def spoiled(**methods):
    """A guard that is right but for ``methods``."""
    return pb.guard()(type("Spoiled", (MinDistance,), {"__doc__": MinDistance.__doc__, **methods}))


def lazy(self, draw, n, data, context):
    """Certifies a release that it never looked at."""
    images = draw(n)
    certificate = MinDistance.release(self, draw, n, data, context)[1]
    return images, certificate


def boasting(self, draw, n, data, context):
    images, certificate = MinDistance.release(self, draw, n, data, context)
    return images, certificate.model_copy(update={"rejected": 0, "drawn": certificate.released})


def overstating(self, draw, n, data, context):
    images, certificate = MinDistance.release(self, draw, n, data, context)
    return images, certificate.model_copy(update={"closest": certificate.closest * 1.01})


def blind(self, images, members, context):
    return np.full(len(images), 0.5)


def smoothing(self, draw, n, data, context):
    images, certificate = MinDistance.release(self, draw, n, data, context)
    images.pixels[:] = images.pixels * np.float32(0.99)
    return images, certificate


@pytest.mark.parametrize(
    ("methods", "check"),
    [
        ({"release": lazy}, "withholds every copy"),
        ({"release": boasting}, "certifies what it did"),
        ({"release": overstating}, "proves what it certified"),
        ({"prove": blind}, "proves what it certified"),
        ({"release": smoothing}, "releases what was drawn"),
    ],
)
def test_a_spoiled_guard_is_found(methods, check):
    with pytest.raises(ConformanceError, match=check):
        check_guard(spoiled(**methods), tau=0.04)
