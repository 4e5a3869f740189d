"""What a comparison leaves: one frozen, versioned JSON document. Its reports see nothing else."""

from typing import Literal

from pydantic import Field

from ..record import Fingerprint, Model, Outcome, PluginSpec

COMPARISON_VERSION: Literal[1] = 1

CellStatus = Literal["measured", "unmeasured", "skipped", "invalid", "error", "absent"]


class ComparedRun(Model):
    """One of the audits compared.

    Attributes:
        path: where it was read from, as it was given.
        seed: of everything random in it.
        compared: False if some entrant has no run of this seed, so that it has no part in the comparison.
        outcome: its verdict; not a pass where a plugin broke.
        failed: plugins that broke.
        started: ISO 8601, UTC.
        privbench: the version that wrote it.
        git_commit: of that version, if known.
        command: that runs it again.
        sha256: of the record, as it was read.
    """

    path: str
    seed: int
    compared: bool
    outcome: Outcome
    failed: tuple[str, ...]
    started: str
    privbench: str
    git_commit: str | None
    command: str
    sha256: str


class Entrant(Model):
    """One generator as it was audited, with one run a seed.

    Attributes:
        label: the shortest text that tells it from the others.
        generator: with all its options.
        guard: what withheld samples, if anything did.
        access: what the attacker was granted.
        releases_real: its samples are real images: a known-answer generator.
        runs: by seed.
        outcome: the worst verdict of the runs compared.
        fails: how many of them failed.
        opens: how many of them were inconclusive.
        failed: plugins that broke in any of them.
    """

    label: str
    generator: PluginSpec
    guard: PluginSpec | None
    access: str
    releases_real: bool
    runs: tuple[ComparedRun, ...]
    outcome: Outcome
    fails: int
    opens: int
    failed: tuple[str, ...]


class Cell(Model):
    """One estimate of one entrant, over its seeds.

    Attributes:
        status: ``measured``; ``unmeasured``: the plugin ran, and says why it has no number; ``skipped``, ``invalid``
            and ``error``: the finding's status, in at least one of the seeds; ``absent``: nobody asked.
        reason: why there is no number; of one that is there, why it stands alone: not compared, ranked or placed.
        value: the mean over seeds.
        low: end of its interval; None where the estimate states none.
        high: end of its interval.
        null: the mean of what no leak would give.
        leak: how far ``value`` lies on the bad side of ``null``; where both sides are bad, its distance from it.
        leak_low: end of its interval.
        leak_high: end of its interval.
        detectable: the largest, over seeds, of the smallest values that would have been found.
        n: the smallest number, over seeds, of units that the value rests on.
        note: the estimate's own words.
        method: how the interval was computed.
        rank: 1 + how many entrants are significantly better; None where nothing can be ranked.
    """

    status: CellStatus
    reason: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    null: float | None = None
    leak: float | None = None
    leak_low: float | None = None
    leak_high: float | None = None
    detectable: float | None = None
    n: int = 0
    note: str = ""
    method: str = ""
    rank: int | None = None


class PairDifference(Model):
    """One entrant's estimate minus another's, seed by seed on the same patients.

    Attributes:
        first: position of the entrant subtracted from.
        second: position of the entrant that is subtracted.
        value: the mean over seeds.
        low: end of its interval, which is not corrected for the number of pairs.
        high: end of its interval.
        p_value: two-sided, not corrected.
        adjusted: the p-value after Holm's correction for the pairs of this estimate.
        paired: whether it is known how far both numbers err together.
        better: position of the entrant that is significantly better; None where no difference is shown.
    """

    first: int
    second: int
    value: float
    low: float
    high: float
    p_value: float
    adjusted: float
    paired: bool
    better: int | None = None


class Compared(Model):
    """One estimate side by side.

    Attributes:
        kind: attack, metric or check.
        family: an attack's family, utility, validity or guard.
        plugin: whose estimate it is; ``strongest attack`` for what the best of a family's attacks reaches on patients
            that it was not chosen on.
        name: of the estimate.
        group: a space, centre or arm; empty for the overall figure.
        unit: what ``n`` counts.
        worse: which side is a leak, or a loss of utility.
        cells: one an entrant, in the comparison's order.
        differences: of every pair of entrants that may be compared; empty where there are none, and ``withheld`` says
            why.
        of: what is subtracted: the ``value`` itself, or the ``leak``, where both sides are bad or the null is not the
            same for all; of a metric's arms always the value.
        withheld: why there are no differences.
        method: how the intervals of the differences were computed.
    """

    kind: Literal["check", "attack", "metric"]
    family: str
    plugin: str
    name: str
    group: str
    unit: Literal["patient", "image", "pair"]
    worse: Literal["higher", "lower", "both", "none"]
    cells: tuple[Cell, ...]
    differences: tuple[PairDifference, ...] = ()
    of: Literal["value", "leak"] = "value"
    withheld: str = ""
    method: str = ""

    @property
    def shown(self) -> tuple[PairDifference, ...]:
        """The differences that are significant."""
        return tuple(d for d in self.differences if d.better is not None)


class ComparedPlugin(Model):
    """An attack, metric or check, and what became of it.

    Attributes:
        kind: attack, metric or check.
        family: an attack's family, utility, validity or guard.
        plugin: its name.
        summary: its one-line description.
        paper: where it is defined.
        statuses: one an entrant: the worst over the seeds compared.
        reasons: of those that are not ``measured``, one an entrant.
    """

    kind: Literal["check", "attack", "metric"]
    family: str
    plugin: str
    summary: str
    paper: str
    statuses: tuple[CellStatus, ...]
    reasons: tuple[str, ...]


class ComparedRule(Model):
    """One rule of the verdict, entrant by entrant: how often it came out how, over the seeds compared.

    Attributes:
        name: what was judged.
        tallies: passes, failures and inconclusive outcomes, one triple an entrant; all 0 where it has no such rule.
        reasons: of the worst outcome, one an entrant.
    """

    name: str
    tallies: tuple[tuple[int, int, int], ...]
    reasons: tuple[str, ...]


class SeedData(Model):
    """Which data all entrants were audited on, at one seed."""

    seed: int
    data: tuple[Fingerprint, ...]


class Comparison(Model):
    """Several generators, audited alike on the same cohort and split, held against one another.

    Attributes:
        schema_version: of this document.
        confidence: of all intervals; a difference is significant where its adjusted p-value is at most one minus it.
        cohort: that all were audited on.
        simulated: it shows no real person.
        budget: of all runs, or each budget once.
        seeds: that every entrant has.
        data: what they rested on, by seed.
        entrants: in the order in which they were given.
        plugins: every one that any entrant was audited with.
        estimates: every one that any entrant has.
        rules: of the verdicts.
        every_pair: False where there are so many entrants that only main figures were subtracted.
        notes: what a reader must know, such as runs that were left out.
    """

    schema_version: Literal[1] = COMPARISON_VERSION
    confidence: float = Field(gt=0.5, lt=1)
    cohort: PluginSpec
    simulated: bool
    budget: str
    seeds: tuple[int, ...]
    data: tuple[SeedData, ...]
    entrants: tuple[Entrant, ...]
    plugins: tuple[ComparedPlugin, ...]
    estimates: tuple[Compared, ...]
    rules: tuple[ComparedRule, ...]
    every_pair: bool
    notes: tuple[str, ...] = ()

    def find(self, plugin: str, name: str, group: str = "") -> Compared | None:
        """The estimate of that plugin, name and group, if any entrant has it."""
        return next((e for e in self.estimates if (e.plugin, e.name, e.group) == (plugin, name, group)), None)
