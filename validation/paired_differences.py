"""How often 95% intervals of a difference between two audits cover it, where both ask about the same patients."""

import math
from collections.abc import Iterator

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri
from tables import Row, arguments, audits, write_table

from privbench.audit.record import Estimate
from privbench.audit.statistics import auc, blocks, differences, resampling, student
from privbench.audit.statistics.auc import auc_interval, auc_without_blocks
from privbench.audit.statistics.blocks import left_out
from privbench.audit.statistics.differences import Difference, difference
from privbench.audit.statistics.stats import roc_auc
from privbench.audit.types import FloatArray, Names
from privbench.metrics.resampling import patient_weights, percentile_interval

SIZES = (66, 132)
CONFIDENCE = 0.95
RESAMPLES = 1000
WANTED = (0.93, 0.97)
CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
AUCS = ((0.5, 0.5), (0.6, 0.5), (0.75, 0.75), (0.9, 0.75), (0.9, 0.9), (0.98, 0.9), (0.98, 0.98))
SCATTER = (0.0, 0.5, 1.0, 2.0)
SEEDS = (1, 2, 3, 5)

Outcome = tuple[str, str, Difference, float, float]
"""Quantity, its two truths, what was found, the true difference, and the width of the independent interval."""


def named(n: int, rng: np.random.Generator) -> Names:
    """Patients whose names say nothing."""
    return rng.integers(0, 2**62, n).astype(str)


def together(n: int, correlation: float, rng: np.random.Generator) -> FloatArray:
    """``(2, n)`` standard normal scores of two attacks on the same patients."""
    first, own = rng.standard_normal((2, n))
    return np.stack([first, correlation * first + math.sqrt(1 - correlation**2) * own])


def auc_of(score: FloatArray, member: np.ndarray, patient: Names) -> Estimate:
    """As a membership attack's."""
    sides = patient[member], patient[~member]
    found = auc_interval(score[member], score[~member], sides, CONFIDENCE)
    value = roc_auc(score[member], score[~member])
    return estimate(value, found.low, found.high, auc_without_blocks(score, member, patient))


def mean_of(value: FloatArray, patient: Names, rng: np.random.Generator) -> Estimate:
    """As Dice: the bootstrap of patients."""
    drawn = patient_weights(patient, RESAMPLES, rng)
    low, high = percentile_interval(drawn @ value / drawn.sum(axis=1), CONFIDENCE)
    without = left_out(patient, value.mean(), lambda kept: kept @ value / kept.sum(axis=1))
    return estimate(float(value.mean()), low, high, without)


def estimate(value: float, low: float, high: float, without: tuple[float, ...]) -> Estimate:
    """With what a difference needs."""
    return Estimate(name="", value=value, low=low, high=high, n=1, unit="patient", worse="higher", blocks=without)


def alone(of: Estimate) -> Estimate:
    """Without its blocks: it is then taken for independent."""
    return of.model_copy(update={"blocks": ()})


def compared(quantity: str, truths: tuple[float, float], first: Estimate, second: Estimate) -> Iterator[Outcome]:
    """Paired, and as if independent."""
    said, true = f"{truths[0]:g}, {truths[1]:g}", truths[0] - truths[1]
    found, apart = (difference([pair], CONFIDENCE) for pair in ((first, second), (alone(first), alone(second))))
    assert found is not None
    assert apart is not None
    width = apart.high - apart.low
    yield quantity, said, found, true, width
    if quantity == "AUC" and truths[1] in {0.5, 0.98}:
        yield "(AUC, taken for independent)", said, apart, true, width
        yield "(AUC, correlation within MOVER)", said, within(first, second), true, width


def reached(of: Estimate) -> tuple[float, float, float]:
    """The value, and how far its interval reaches below and above."""
    assert of.value is not None
    assert of.low is not None
    assert of.high is not None
    return of.value, of.value - of.low, of.high - of.value


def within(first: Estimate, second: Estimate) -> Difference:
    """What might have been used: Zou's interval (2007) with the blocks' correlation, and t of 19 degrees."""
    a, b = (np.array(e.blocks) - reached(e)[0] for e in (first, second))
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    rho = float((a * b).sum()) / scale if scale else 0.0
    factor = student.quantile(CONFIDENCE, 19) / student.quantile(CONFIDENCE, math.inf)

    def reach(p: float, q: float) -> float:
        return factor * math.sqrt(max(p**2 + q**2 - 2 * rho * p * q, 0.0))

    (one, one_below, one_above), (other, other_below, other_above) = reached(first), reached(second)
    value, below, above = one - other, reach(one_below, other_above), reach(one_above, other_below)
    return Difference(value, value - below, value + above, 1.0, paired=True, seeds=1, method="")


def of_one_seed(n: int, correlation: float, rng: np.random.Generator) -> Iterator[Outcome]:
    """All quantities of two audits of ``n`` members and ``n`` others."""
    member, patient = np.arange(2 * n) < n, named(2 * n, rng)
    half = np.concatenate([np.arange(n // 2), n + np.arange(n // 2)])
    for truths in AUCS:
        shift = math.sqrt(2) * ndtri(np.array(truths))
        one, other = together(2 * n, correlation, rng) + shift[:, None] * member
        first = auc_of(one, member, patient)
        yield from compared("AUC", truths, first, auc_of(other, member, patient))
        fewer = auc_of(other[half], member[half], patient[half])
        yield from compared("AUC, the second of half of the patients", truths, first, fewer)
    for truths in ((0.7, 0.7), (0.9, 0.8)):
        shares = [_beta(z, truth) for z, truth in zip(together(n, correlation, rng), truths, strict=True)]
        yield from compared("mean over patients", truths, *(mean_of(share, patient[:n], rng) for share in shares))


def _beta(z: FloatArray, mean: float) -> FloatArray:
    """Values in [0, 1] that scatter as Dice does over patients."""
    found: FloatArray = betaincinv(5 * mean, 5 * (1 - mean), ndtr(z))
    return found


def of_seeds(
    seeds: int, scatter: float, patients: str, rng: np.random.Generator, n: int = 132
) -> tuple[Difference, float]:
    """The difference of two means over several seeds, and how wide it would be had each seed its own patients.

    Args:
        seeds: how many.
        scatter: of a difference over trainings, as a multiple of its standard error over patients.
        patients: ``shared`` by all seeds, or ``new`` in each.
        rng: source of randomness.
        n: patients.
    """
    correlation = 0.8
    error = math.sqrt(2 * (1 - correlation) / n)
    pairs = []
    for seed in range(seeds):
        if seed == 0 or patients == "new":
            patient, values = named(n, rng), together(n, correlation, rng)
        trained = rng.normal(0, scatter * error / math.sqrt(2), 2)
        found = []
        for value, shift in zip(values, trained, strict=True):
            mean, half = float(value.mean()) + shift, 1.97 * float(value.std(ddof=1)) / math.sqrt(n)
            without = left_out(patient, mean, lambda kept, v=value, s=shift: kept @ v / kept.sum(axis=1) + s)
            found.append(estimate(mean, mean - half, mean + half, without))
        pairs.append((found[0], found[1]))
    found_ = difference(pairs, CONFIDENCE)
    assert found_ is not None
    return found_, 2 * 1.96 * error * math.sqrt(1 + scatter**2 / seeds)


def audit(seed: int) -> Row:
    """One comparison of each kind: -1 or 1 where the truth lies below or above the interval, else 0; and its width."""
    row: Row = {}

    def note(key: str, found: Difference, truth: float, width: float) -> None:
        row[f"missed|{key}"] = float(truth > found.high + 1e-12) - (truth < found.low - 1e-12)
        row[f"width|{key}"] = found.high - found.low
        row[f"apart|{key}"] = width

    for n in SIZES:
        for place, correlation in enumerate(CORRELATIONS):
            rng = np.random.default_rng([seed, n, place])
            for quantity, truths, found, truth, width in of_one_seed(n, correlation, rng):
                note(f"one|{quantity}|{truths}|{n}|{correlation:g}", found, truth, width)
    for patients in ("shared", "new"):
        for place, scatter in enumerate(SCATTER):
            for seeds in SEEDS:
                rng = np.random.default_rng([seed, len(patients), place, seeds])
                found, width = of_seeds(seeds, scatter, patients, rng)
                note(f"seeds|{patients}|{scatter:g}|{seeds}", found, 0.0, width)
    return row


def summary(rows: list[Row], kind: str) -> list[list[str]]:
    """One cell for each last part of the keys: coverage (missed below / above), and the width beside the other."""
    table: dict[tuple[str, ...], list[str]] = {}
    for key in rows[0]:
        what, first, *place, _ = key.split("|")
        if (what, first) != ("missed", kind):
            continue
        rest = key.partition("|")[2]
        missed = np.array([row[key] for row in rows])
        covered = float((missed == 0).mean())
        below, above = (100 * float((missed == side).mean()) for side in (-1, 1))
        said = f"{100 * covered:.1f}" if WANTED[0] <= covered <= WANTED[1] else f"**{100 * covered:.1f}**"
        width = sum(row[f"width|{rest}"] for row in rows) / sum(row[f"apart|{rest}"] for row in rows)
        table.setdefault(tuple(place), []).append(f"{said} ({below:.1f} / {above:.1f}) x {width:.2f}")
    return [[*place, *cells] for place, cells in sorted(table.items(), key=_place)]


def _place(item: tuple[tuple[str, ...], object]) -> tuple[bool, str, tuple[str, ...]]:
    """Comparisons, in brackets, stand last."""
    return item[0][0].startswith("("), item[0][0], item[0][1:]


def main() -> None:
    """Simulate, and write the tables."""
    options = arguments(__doc__, 560)
    depends = (auc, blocks, differences, resampling, student)
    rows = audits(
        "paired_differences", audit, range(options.audits), options.jobs, resume=options.resume, depends=depends
    )
    command = f"python validation/paired_differences.py --audits {options.audits}"
    header = ["quantity", "truths", "n", *(f"correlation {c:g}" for c in CORRELATIONS)]
    write_table("paired-differences", header, summary(rows, "one"), command)
    header = ["patients", "scatter over trainings", *(f"{n} seed{'s' if n > 1 else ''}" for n in SEEDS)]
    write_table("paired-seeds", header, summary(rows, "seeds"), command)


if __name__ == "__main__":
    main()
