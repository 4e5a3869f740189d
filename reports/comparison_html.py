"""The comparison that people decide by, as one page that works offline."""

import hashlib
import shlex

from ..audit.comparison import ComparedRule, Comparison, Entrant, leads_of
from ..audit.plugin import report
from .comparing import words
from .comparing.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, drawing_of
from .comparing.drawn import drawn_of
from .comparing.plane import Axis, Standing, leak_axes, standings_of, unplaced_of, utility_axes
from .comparing.sentences import details_of, headline_of, missing_of
from .comparing.shapes import shape_of
from .comparing.tables import counts_of, folds_of, pairs_of
from .measures import measure_of
from .offline import asset, environment, plotly, policy
from .wording import number, p_value

KNOWN_ANSWERS = {"copycat", "fresh"}


@report(suffix="html", of="comparison")
def comparison_html(comparison: Comparison) -> str:
    """One self-contained page: what can be said, plane of leak and utility, differences, all findings, provenance.

    Everything that comes from data is escaped; the page's own scripts are named by hash in its Content-Security-Policy,
    so nothing else runs and nothing is fetched.

    Args:
        comparison: what is reported.
    """
    labels = [entrant.label for entrant in comparison.entrants]
    x_axes, y_axes = utility_axes(comparison), leak_axes(comparison)
    drawn = drawn_of(comparison, x_axes, y_axes)
    plane = bool(x_axes and y_axes and standings_of(x_axes[0], y_axes[0]))
    library = plotly() if plane or drawn["estimates"] else ""
    script = asset("comparing/comparison.js")
    computed, shown = counts_of(comparison)
    return (
        environment("comparing")
        .get_template("comparison.html.jinja")
        .render(
            c=comparison,
            names=words.listed(labels),
            confidence=f"{100 * comparison.confidence:g}%",
            runs=[(entrant, run) for entrant in comparison.entrants for run in entrant.runs],
            fingerprint=hashlib.sha256(comparison.model_dump_json().encode()).hexdigest(),
            known=words.listed([e.label for e in comparison.entrants if _known_answer(e)]),
            seeds=words.seeds_of(comparison),
            outcomes=words.OUTCOMES,
            STATUSES=words.STATUSES,
            headline=headline_of(comparison),
            details=details_of(comparison),
            missing=missing_of(comparison),
            computed=computed,
            shown=shown,
            x_axes=x_axes,
            y_axes=y_axes,
            drawing=drawing_of(comparison, x_axes[0], y_axes[0]) if plane else None,
            standings=standings_of(x_axes[0], y_axes[0]) if plane else (),
            unplaced=unplaced_of(x_axes[0], y_axes[0]) if plane else (),
            size=(WIDTH, HEIGHT),
            frame={"left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM},
            leads=leads_of(comparison),
            pairs=pairs_of(comparison),
            folds=folds_of(comparison),
            drawn=drawn,
            specified=_specified(comparison),
            command=shlex.join(["privbench", "compare", *(run.path for e in comparison.entrants for run in e.runs)]),
            style=asset("report.css") + asset("comparing/comparison.css"),
            script=script,
            plotly=library,
            policy=policy(script, library),
            shape=shape_of,
            placed=_placed,
            stands=lambda standing: _stands(comparison, standing),
            tally=_tally,
            sides=_sides,
            failing=lambda rule: [label for label, t in zip(labels, rule.tallies, strict=True) if t[1]],
            verdict_of=words.verdict_of,
            failed_of=words.failed_of,
            family_of=words.family_of,
            title_of=words.title_of_compared,
            value_of=words.value_of,
            interval_of=words.interval_of,
            null_of=words.null_of,
            detectable_of=words.detectable_of,
            context_of=words.context_of,
            shared_of=words.shared_of,
            prefixed=words.prefixed,
            difference_of=words.difference_of,
            adjusted_of=words.adjusted_of,
            signed=words.signed,
            p_value=p_value,
        )
    )


def _known_answer(entrant: Entrant) -> bool:
    return entrant.releases_real or entrant.generator.name in KNOWN_ANSWERS


def _placed(axis: Axis, value: float) -> str:
    return number(value, measure_of(axis.compared.name).scale)


def _stands(comparison: Comparison, standing: Standing) -> str:
    """``on the front``, or who is better and how surely."""
    if not standing.beaten_by:
        return "on the front"
    if standing.surely:
        who = words.listed([comparison.entrants[i].label for i in standing.surely], 3)
        return f"significantly worse on both than {who}"
    who = words.listed([comparison.entrants[i].label for i in standing.beaten_by], 3)
    return f"behind {who}, not significantly on both"


def _tally(tally: tuple[int, int, int]) -> str:
    """``2 pass, 1 fail``; of one audit only the word."""
    some = [(n, word) for n, word in zip(tally, ("pass", "fail", "inconclusive"), strict=True) if n]
    if not some:
        return "no such rule"
    return some[0][1] if sum(tally) == 1 else ", ".join(f"{n} {word}" for n, word in some)


def _sides(rule: ComparedRule) -> tuple[int, int, int]:
    """How many entrants pass in all audits, fail in one, and neither."""
    asked = [tally for tally in rule.tallies if sum(tally)]
    fails = sum(tally[1] > 0 for tally in asked)
    passes = sum(tally[0] == sum(tally) for tally in asked)
    return passes, fails, len(asked) - fails - passes


def _specified(comparison: Comparison) -> str:
    """Cohort and entrants with all options, as JSON."""
    cohort = f"cohort: {comparison.cohort.model_dump_json()}"
    entrants = [
        f"{e.label}: {e.generator.model_dump_json()}" + (f", guard: {e.guard.model_dump_json()}" if e.guard else "")
        for e in comparison.entrants
    ]
    return "\n".join([cohort, *entrants])
