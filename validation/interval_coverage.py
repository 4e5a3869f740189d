"""How often 95% intervals cover the truth: simulated audits of 20, 60 and 200 patients a side."""

from collections.abc import Iterator

import numpy as np
import simulated
from simulated import EFFECTS, Effect, Side
from tables import Row, arguments, audits, write_table

from privbench.audit.statistics import auc, clustered, resampling, risk, stats, strongest
from privbench.audit.statistics.auc import auc_interval
from privbench.audit.statistics.clustered import mean_interval, split_interval
from privbench.audit.statistics.resampling import bootstrap, draws, resampled_auc
from privbench.audit.statistics.risk import risk_interval
from privbench.audit.statistics.stats import Interval, difference_interval, proportion_interval, tpr_at_fpr
from privbench.audit.types import FloatArray, Names

SIZES = (20, 60, 200)
CONFIDENCE = 0.95
WANTED = (0.93, 0.97)
RESAMPLES = 1000
SHARES = (0.05, 0.3, 0.9)
RISKS = (0.0, 0.1, 0.9)
# the smallest false positive rate that so many holdout patients resolve
RATES = {20: 0.2, 60: 0.1, 200: 0.02}

Outcome = tuple[str, str, Interval, float]
"""Quantity, effect, interval and truth."""


def names(owner: np.ndarray) -> Names:
    """Patients as the audit has them."""
    return owner.astype(str)


def plain_percentiles(member: Side, other: Side, rng: np.random.Generator) -> Interval:
    """What intervals of the AUC used to be: for comparison."""
    drawn = (draws(names(side.owner))(rng, 400) for side in (member, other))
    low, high = np.quantile(resampled_auc(member.score, other.score)(*drawn), [0.025, 0.975])
    return Interval(float(low), float(high))


def of_scores(effect: Effect, n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """Membership: AUC by patient and by image, TPR at a given threshold."""
    member, other = effect.draw(n, rng), EFFECTS[0].draw(n, rng)
    singles = (names(np.arange(n)), names(np.arange(n)))
    owners = (names(member.owner), names(other.owner))
    patients = auc_interval(member.best, other.best, singles, CONFIDENCE)
    yield "AUC by patient", effect.name, patients, effect.auc_by_patient()
    images = auc_interval(member.score, other.score, owners, CONFIDENCE)
    yield "AUC by image", effect.name, images, effect.auc_by_image()
    resampled = bootstrap(resampled_auc(member.score, other.score), owners, rng, CONFIDENCE, RESAMPLES)
    yield "(AUC by image, bootstrap)", effect.name, resampled, effect.auc_by_image()
    plain = plain_percentiles(member, other, rng)
    yield "(AUC by image, plain percentiles)", effect.name, plain, effect.auc_by_image()
    caught, threshold = tpr_at_fpr(member.best, other.best, RATES[n])
    reached = 1 - float(effect.best_below(threshold))
    yield "TPR at FPR", effect.name, proportion_interval(caught, n, CONFIDENCE, "wilson"), reached
    yield "(TPR at FPR, Clopper-Pearson)", effect.name, proportion_interval(caught, n, CONFIDENCE), reached


def of_shares(share: float, n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """A share of images, some patients' more than others'."""
    side = EFFECTS[0].draw(n, rng)
    hit = (simulated.ndtr(side.score) < share).astype(np.float64)
    yield "share of images", f"{share:g}", mean_interval(hit, names(side.owner), CONFIDENCE), share


def of_means(n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """A mean over images, symmetric and skewed, by the bootstrap."""
    side = EFFECTS[0].draw(n, rng)
    for name, value, truth in (
        ("normal", side.score, 0.0),
        ("in [0, 1]", simulated.ndtr(side.score), 0.5),
        ("log-normal", np.exp(side.score), float(np.exp(0.5))),
    ):

        def mean(drawn: resampling.Multiplicities, value: FloatArray = value) -> FloatArray:
            found: FloatArray = drawn @ value / drawn.sum(axis=1)
            return found

        yield "mean, bootstrap", name, bootstrap(mean, (names(side.owner),), rng, CONFIDENCE, RESAMPLES), truth


def of_releases(copied: float, n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """Control-normalised risk of released images; where nothing was copied, also what else is then exchangeable."""
    found = simulated.release(n, copied, rng)
    interval = risk_interval(found.member, found.holdout, CONFIDENCE, found.nearest_holdout)
    yield "control-normalised risk", f"{copied:g}", interval, copied
    images = risk_interval(found.member, found.holdout, CONFIDENCE)
    yield "(control-normalised risk, patients ignored)", f"{copied:g}", images, copied
    if copied == 0:
        exposed = len(np.unique(found.nearest_member[found.member]))
        control = len(np.unique(found.nearest_holdout[found.holdout]))
        yield "exposed patients", "null", difference_interval((exposed, n), (control, n), CONFIDENCE), 0.0
        closer, images_n = int(found.closer.sum()), len(found.closer)
        ours = np.bincount(found.nearest_member, found.closer, n)
        theirs = np.bincount(found.nearest_holdout, ~found.closer, n)
        yield "share closer to members", "null", split_interval(ours, theirs, CONFIDENCE), 0.5
        plain = proportion_interval(closer, images_n, CONFIDENCE, "wilson")
        yield "(share closer to members, patients ignored)", "null", plain, 0.5


def of_counts(n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """Shares of patients, one each: the difference of two, and the exact interval of a count."""
    for name, rate in (("null", 0.05), ("moderate", 0.3), ("strong", 0.9)):
        exposed, control = int(rng.binomial(n, rate)), int(rng.binomial(n, 0.05))
        found = difference_interval((exposed, n), (control, n), CONFIDENCE)
        yield "difference of shares of patients", name, found, rate - 0.05
        yield "(exact copies, Clopper-Pearson)", name, proportion_interval(exposed, n, CONFIDENCE), rate


def of_the_strongest(n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """The strongest of five useless attacks, by halves."""
    scores = {f"{k}": rng.normal(0, 1, 2 * n) for k in range(5)}
    found = strongest.strongest(scores, np.arange(2 * n) < n, np.full(2 * n, ""), rng, CONFIDENCE)
    yield "strongest of five attacks", "null", found.interval, 0.5


def outcomes(n: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """All quantities of one audit with ``n`` patients a side."""
    for effect in EFFECTS:
        yield from of_scores(effect, n, rng)
    for share in SHARES:
        yield from of_shares(share, n, rng)
    yield from of_means(n, rng)
    for copied in RISKS:
        yield from of_releases(copied, n, rng)
    yield from of_counts(n, rng)
    yield from of_the_strongest(n, rng)


def audit(seed: int) -> Row:
    """One audit of each size: by quantity, effect and size, -1 or 1 where the truth lies below or above, else 0."""
    row: Row = {}
    for n in SIZES:
        for quantity, effect, interval, truth in outcomes(n, np.random.default_rng([seed, n])):
            row[f"{quantity}|{effect}|{n}"] = float(truth > interval.high + 1e-12) - (truth < interval.low - 1e-12)
    return row


def summary(rows: list[Row]) -> list[list[str]]:
    """Coverage in percent, and on which side the truth was missed; bold where it is not within 93-97%."""
    table: dict[tuple[str, str], dict[int, str]] = {}
    for key in rows[0]:
        quantity, effect, n = key.split("|")
        missed = np.array([row[key] for row in rows])
        covered = float((missed == 0).mean())
        below, above = (100 * float((missed == side).mean()) for side in (-1, 1))
        said = f"{100 * covered:.1f}" if WANTED[0] <= covered <= WANTED[1] else f"**{100 * covered:.1f}**"
        table.setdefault((quantity, effect), {})[int(n)] = f"{said} ({below:.1f} / {above:.1f})"
    return [[*key, *(cells[n] for n in SIZES)] for key, cells in sorted(table.items(), key=_place)]


def _place(item: tuple[tuple[str, str], object]) -> tuple[str, bool]:
    """Comparisons, in brackets, stand after what they are compared with."""
    quantity = item[0][0]
    return quantity.strip("()"), quantity.startswith("(")


def main() -> None:
    """Simulate, and write the table."""
    options = arguments(__doc__, 1000)
    depends = (simulated, auc, clustered, resampling, risk, stats, strongest)
    rows = audits(
        "interval_coverage", audit, range(options.audits), options.jobs, resume=options.resume, depends=depends
    )
    command = f"python validation/interval_coverage.py --audits {options.audits}"
    write_table("interval-coverage", ["quantity", "effect", *(f"n = {n}" for n in SIZES)], summary(rows), command)


if __name__ == "__main__":
    main()
