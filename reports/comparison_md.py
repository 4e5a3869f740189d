"""The comparison as Markdown, for a merge request or a job summary."""

from ..audit.comparison import Compared, Comparison, leads_of
from ..audit.plugin import report
from .comparing.plane import leak_axes, standings_of, unplaced_of, utility_axes
from .comparing.sentences import details_of, headline_of, missing_of
from .comparing.tables import pairs_of
from .comparing.words import (
    adjusted_of,
    difference_of,
    failed_of,
    interval_of,
    listed,
    prefixed,
    seeds_of,
    title_of_compared,
    value_of,
    verdict_of,
)
from .markdown import table, text


@report(suffix="md", of="comparison")
def comparison_md(comparison: Comparison) -> str:
    """A Markdown summary of a comparison: what can be said, leading figures with ranks, differences, the front."""
    labels = [entrant.label for entrant in comparison.entrants]
    lines = [f"# Comparison on {text(comparison.cohort.name)}: {text(', '.join(labels))}", ""]
    lines += [f"**{text(headline_of(comparison))}**", ""]
    if comparison.simulated:
        lines += ["> **Simulated data.** No image behind these numbers shows a real person.", ""]
    lines += [f"- {text(line)}" for line in (*details_of(comparison), *missing_of(comparison), *comparison.notes)]
    lines += ["", "## Leading figures", "", *_figures(comparison)]
    lines += [f"Intervals at {100 * comparison.confidence:g}%, {seeds_of(comparison)}; rank 1: nobody is better.", ""]
    lines += ["## Differences", "", *_differences(comparison)]
    lines += ["## Leak against utility", "", *_plane(comparison)]
    lines += ["## Runs", ""]
    lines += [
        "- "
        + text(f"{run.path}: {entrant.label}, seed {run.seed}, {run.outcome}{'' if run.compared else ', left out'}")
        for entrant in comparison.entrants
        for run in entrant.runs
    ]
    return "\n".join(lines) + "\n"


def _figures(comparison: Comparison) -> list[str]:
    """A row an entrant."""
    leads = leads_of(comparison)
    heads = ("entrant", "verdict", *(text(f"{prefixed(e)} ({e.plugin})") for e in leads))
    rows = [
        (
            entrant.label,
            "; ".join(filter(None, (verdict_of(entrant), failed_of(entrant)))),
            *(_cell(e, i) for e in leads),
        )
        for i, entrant in enumerate(comparison.entrants)
    ]
    return table(heads, rows)


def _cell(compared: Compared, entrant: int) -> str:
    cell = compared.cells[entrant]
    interval = interval_of(compared, cell)
    words = f"{value_of(compared, cell)}{f' [{interval}]' if interval else ''}"
    return words + (f", rank {cell.rank}" if cell.rank else "")


def _differences(comparison: Comparison) -> list[str]:
    labels = [entrant.label for entrant in comparison.entrants]
    rows = [
        (
            f"{title_of_compared(pair.compared)} ({pair.compared.plugin})",
            f"{labels[pair.found.first]} - {labels[pair.found.second]}",
            difference_of(pair.compared, pair.found),
            adjusted_of(pair.found),
            "paired" if pair.found.paired else "independent",
            "no difference shown" if pair.found.better is None else f"{labels[pair.found.better]} is better",
        )
        for pair in pairs_of(comparison)
    ]
    if not rows:
        return ["None could be computed.", ""]
    return table(("estimate", "first - second", "difference", "p, corrected", "taken as", "reading"), rows)


def _plane(comparison: Comparison) -> list[str]:
    """Whom nobody beats, on the default axes."""
    utility, leak = utility_axes(comparison), leak_axes(comparison)
    if not utility or not leak:
        return ["There is no pair of figures that two entrants have a number for.", ""]
    labels = [entrant.label for entrant in comparison.entrants]
    standing = standings_of(utility[0], leak[0])
    front = [labels[s.entrant] for s in standing if not s.beaten_by]
    lines = [
        text(f"{leak[0].title} against {utility[0].title}. On the Pareto front: {', '.join(front) or 'nobody'}."),
        "",
    ]
    surely = [
        "- " + text(f"{labels[s.entrant]} is significantly worse on both than {listed([labels[i] for i in s.surely])}")
        for s in standing
        if s.surely
    ]
    gaps = [f"- {text(labels[i])} cannot be placed: {text(why)}" for i, why in unplaced_of(utility[0], leak[0])]
    return [*lines, *surely, *gaps, ""]
