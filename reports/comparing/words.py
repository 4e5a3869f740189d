"""How a comparison's numbers are said: cells, differences, verdicts over several seeds."""

from ...audit.comparison import STRONGEST, Cell, Compared, Comparison, Entrant, PairDifference
from ...audit.record import Outcome
from ..measures import group_of, measure_of
from ..wording import MINUS, NONE, number, p_value, title_of

OUTCOMES: dict[Outcome, str] = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive"}
STATUSES = {
    "unmeasured": "could not be measured",
    "skipped": "skipped",
    "invalid": "not valid",
    "error": "broke",
    "absent": "not asked",
}
FAMILIES = {
    "memorization": "Singling out",
    "reidentification": "Linkability",
    "membership": "Membership",
    "attribute": "Attributes",
    "canary": "Claim of privacy",
    "guard": "Guard",
    "utility": "Utility",
    "validity": "Fair comparison",
}
POINTS = " pp"
"""What a difference of two shares is counted in."""


def prefixed(compared: Compared) -> str:
    """``Singling out: Copied share``; without the family where the title begins like it."""
    family, title = family_of(compared.family), title_of_compared(compared)
    return title if title.startswith(family) or compared.kind == "metric" else f"{family}: {title}"


def family_of(family: str) -> str:
    """A family of attacks, or of metrics, in plain words; an unknown one as it is."""
    return FAMILIES.get(family, family)


def title_of_compared(compared: Compared) -> str:
    """``Dice overlap, synthetic``."""
    group = f", {group_of(compared.group)}" if compared.group else ""
    return f"{title_of(compared.name)}{group}"


def by_of(compared: Compared) -> str:
    """Which attack or metric, in a sentence: ``strongest attack``, ``nearest``."""
    return "the strongest attack" if compared.plugin == STRONGEST else compared.plugin


def value_of(compared: Compared, cell: Cell) -> str:
    """The value, or what became of it."""
    if cell.status != "measured":
        if "not resolvable" in cell.reason:
            return "not resolvable"
        return STATUSES[cell.status]
    return number(cell.value, measure_of(compared.name).scale)


def interval_of(compared: Compared, cell: Cell) -> str:
    """``0.41 to 0.60``; empty where there is none."""
    if cell.low is None or cell.high is None:
        return ""
    scale = measure_of(compared.name).scale
    return f"{number(cell.low, scale)} to {number(cell.high, scale)}"


def context_of(compared: Compared, cell: Cell) -> str:
    """``null 0.500, shows from 0.641, 128 patients``: what a value is read against."""
    if cell.status != "measured":
        return ""
    parts = [f"null {null_of(compared, cell)}"] if cell.null is not None else []
    parts += [f"shows from {detectable_of(compared, cell)}"] if cell.detectable is not None else []
    return ", ".join((*parts, rests_of(compared, cell)))


def shared_of(compared: Compared) -> str:
    """What all entrants' values are read against; empty where that differs."""
    contexts = {context_of(compared, cell) for cell in compared.cells if cell.status == "measured"}
    return contexts.pop() if len(contexts) == 1 else ""


def null_of(compared: Compared, cell: Cell) -> str:
    """What no leak would give, or a metric's reference."""
    return number(cell.null, measure_of(compared.name).scale)


def detectable_of(compared: Compared, cell: Cell) -> str:
    """The smallest value that would have been found."""
    return number(cell.detectable, measure_of(compared.name).scale)


def rests_of(compared: Compared, cell: Cell) -> str:
    """``128 patients``."""
    return f"{cell.n:,} {compared.unit}{'' if cell.n == 1 else 's'}" if cell.n else NONE


def signed(compared: Compared, value: float) -> str:
    """A difference with its sign; of shares in percentage points."""
    share = measure_of(compared.name).scale == "share"
    text = (
        f"{100 * value:.1f}" if share else number(value, "score" if abs(value) < 10 else "number").replace(MINUS, "-")
    )
    bare = text.lstrip("-")
    sign = "" if not bare.strip("0.") else MINUS if value < 0 else "+"
    return f"{sign}{bare}{POINTS if share else ''}"


def difference_of(compared: Compared, found: PairDifference) -> str:
    """``+0.480 [+0.312, +0.648]``, ``+38.5 pp [+34.9, +42.2]``."""
    low, high = (signed(compared, end).removesuffix(POINTS) for end in (found.low, found.high))
    return f"{signed(compared, found.value)} [{low}, {high}]"


def adjusted_of(found: PairDifference) -> str:
    """``p < 0.001``, after correction."""
    text = p_value(found.adjusted)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def verdict_of(entrant: Entrant) -> str:
    """``Fail``, or over several seeds ``Fail in 2 of 3``."""
    runs = sum(run.compared for run in entrant.runs)
    many = {"fail": entrant.fails, "inconclusive": entrant.opens}.get(entrant.outcome, runs)
    return OUTCOMES[entrant.outcome] + (f" in {many} of {runs}" if runs > 1 else "")


def failed_of(entrant: Entrant) -> str:
    """Which plugins broke; empty where none did."""
    return f"broke: {', '.join(entrant.failed)}" if entrant.failed else ""


def seeds_of(comparison: Comparison) -> str:
    """``seed 0`` or ``seeds 0, 1, 2``."""
    return f"seed{'s' * (len(comparison.seeds) > 1)} {', '.join(map(str, comparison.seeds))}"


def listed(some: list[str], most: int = 4) -> str:
    """``a, b and c``; of many the first, and how many more."""
    if len(some) > most:
        return f"{', '.join(some[: most - 1])} and {len(some) - most + 1} others"
    return " and ".join(filter(None, (", ".join(some[:-1]), some[-1]))) if some else ""
