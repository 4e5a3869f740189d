"""The shape of a verdict: told by its outline as well as by its colour."""

from typing import TYPE_CHECKING

from ...audit.record import Outcome

if TYPE_CHECKING:
    from markupsafe import Markup

R = 6


def shape_of(outcome: Outcome, x: float, y: float) -> "Markup":
    """A circle passes, a diamond is inconclusive, a square fails; an SVG element around ``(x, y)``."""
    from markupsafe import Markup

    if outcome == "pass":
        return Markup('<circle cx="{}" cy="{}" r="{}"/>').format(x, y, R)
    if outcome == "fail":
        return Markup('<rect x="{}" y="{}" width="{}" height="{}"/>').format(x - R, y - R, 2 * R, 2 * R)
    corners = " ".join(f"{x + a:g},{y + b:g}" for a, b in ((0, -8), (8, 0), (0, 8), (-8, 0)))
    return Markup('<polygon points="{}"/>').format(corners)
