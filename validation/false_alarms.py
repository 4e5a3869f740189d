"""How often is a generator accused that cannot leak? 200 audits of fresh patients, each at the 5% level."""

from types import ModuleType

import numpy as np
import small_audits
from scipy.stats import binomtest, kstest
from small_audits import ATTACKS, FAMILY, attacked, cohort, p_value, truth_of
from tables import Row, arguments, audits, write_table

from privbench.audit import gate
from privbench.audit.checks import validity
from privbench.audit.checks.fairness import invalidated
from privbench.audit.checks.validity import check_comparison
from privbench.audit.context import Context
from privbench.audit.gate import judge
from privbench.audit.measures import excess, memorization_copies, memorization_near
from privbench.audit.measures import linkage as measure_linkage
from privbench.audit.measures import membership as measure_membership
from privbench.audit.measures import memorization as measure_memorization
from privbench.audit.record import Finding
from privbench.audit.statistics import auc, clustered, risk, stats
from privbench.audit.types import TrainingData
from privbench.generators.fresh import Fresh

PATIENTS = 40
DEPENDS: tuple[ModuleType, ...] = (
    small_audits,
    auc,
    clustered,
    excess,
    gate,
    measure_linkage,
    measure_membership,
    measure_memorization,
    memorization_copies,
    memorization_near,
    risk,
    stats,
    validity,
)


def audit(seed: int) -> Row:
    """The p-value of every attack, whether the verdict fails, and whether a check of the comparison does."""
    with cohort(seed, PATIENTS) as split:
        data = TrainingData(split.members, None, split.reserve)
        context = Context(seed=seed, path=("generator", "fresh"))
        samples = Fresh().sample(None, data, context.folder, context)
        with truth_of(split, samples, seed) as truth:
            checks = check_comparison(split, truth, Context(seed=seed, path=("check", ""))).findings
            row: Row = {f"check {check.plugin}": float(check.status != "ok") for check in checks}
            findings = []
            for name in ATTACKS:
                measured = attacked(name, truth, split, seed)
                row[name] = p_value(name, measured)
                findings.append(
                    Finding(
                        plugin=name,
                        kind="attack",
                        family=FAMILY[name],
                        summary="",
                        access="SAMPLES",
                        status="invalid" if measured.invalid else "ok",
                        reason=measured.invalid,
                        estimates=measured.estimates,
                    )
                )
            judged = judge((*checks, *invalidated(tuple(findings), checks)))
            row["verdict fails"] = float(judged.outcome == "fail")
    return row


def summary(rows: list[Row]) -> list[list[str]]:
    """Accused at 5%, with an exact interval, and how far from uniform the p-values are."""
    table = []
    for name in ATTACKS:
        found = np.array([row[name] for row in rows])
        found = found[np.isfinite(found)]
        accused = int((found <= 0.05).sum())
        uniform = kstest(found, "uniform").pvalue
        table.append([f"`{name}`, p <= 0.05", *_share(accused, len(found)), f"{uniform:.2f}"])
    others = [key for key in rows[0] if key not in ATTACKS]
    return table + [[name, *_share(int(sum(row[name] for row in rows)), len(rows)), ""] for name in others]


def _share(count: int, n: int) -> tuple[str, str, str]:
    interval = binomtest(count, n).proportion_ci()
    return f"{count} of {n}", f"{count / n:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"


def main() -> None:
    """Audit, and write the table."""
    options = arguments(__doc__, 200)
    rows = audits("false_alarms", audit, range(options.audits), options.jobs, resume=options.resume, depends=DEPENDS)
    header = ["what", "audits", "share", "95% interval", "uniform (KS p)"]
    write_table("false-alarms", header, summary(rows), f"python validation/false_alarms.py --audits {options.audits}")


if __name__ == "__main__":
    main()
