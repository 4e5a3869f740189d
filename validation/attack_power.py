"""Does an attack find what its certificate says it would? Real copycats at the default cohort, and certificates."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import small_audits
from scipy.stats import binomtest
from small_audits import ATTACKS, attack_of, attacked, cohort, p_value, truth_of
from tables import Row, arguments, audits, write_table

from privbench.audit.context import Context
from privbench.audit.measures import excess, memorization_copies, memorization_near
from privbench.audit.measures import linkage as measure_linkage
from privbench.audit.measures import membership as measure_membership
from privbench.audit.measures import memorization as measure_memorization
from privbench.audit.measures.measured import Truth
from privbench.audit.power import alteration, planting
from privbench.audit.power import certify as certifying
from privbench.audit.power import simulated_audits as simulation
from privbench.audit.power.alteration import Alteration
from privbench.audit.power.certificate import DEPTHS
from privbench.audit.power.planting import KINDS
from privbench.audit.types import Split, TrainingData
from privbench.generators.copycat import Copycat

PATIENTS, PUBLIC = 132, 40
LEAKS = ((0.02, "exact"), (0.02, "noise"), (0.1, "foreground"))
FAMILY = {"nearest": "memorization", "gan-leaks": "membership", "siamese": "reidentification"}
CERTIFIED = 3  # seeds whose certificate is measured
DEPENDS = (
    small_audits,
    alteration,
    certifying,
    excess,
    measure_linkage,
    measure_membership,
    measure_memorization,
    memorization_copies,
    memorization_near,
    planting,
    simulation,
)


def audit(seed: int) -> Row:
    """The p-values of the attacks on samples for each leak; for the first seeds also what their certificates say."""
    row: Row = {}
    with cohort(seed, PATIENTS, PUBLIC) as split:
        for share, kind in LEAKS:
            with released(split, seed, share, KINDS[kind]) as truth:
                for name in FAMILY:
                    row[f"found|{share}|{kind}|{name}"] = p_value(name, attacked(name, truth, split, seed))
        if seed < CERTIFIED:
            with released(split, seed, 0.0, "none") as truth:
                for name in FAMILY:
                    row |= {f"certificate|{kind}|{name}": share for kind, share in certified(name, truth, split, seed)}
    return row


@contextmanager
def released(split: Split, seed: int, share: float, alter: Alteration) -> Iterator[Truth]:
    """An audit of a copycat that leaks a share of its output."""
    context = Context(seed=seed, path=("generator", "copycat"))
    data = TrainingData(split.members, split.public, split.reserve)
    samples = Copycat(leak=share, alter=alter).sample(None, data, context.folder, context)
    with truth_of(split, samples, seed) as truth:
        yield truth


def certified(name: str, truth: Truth, split: Split, seed: int) -> Iterator[tuple[str, float]]:
    """The smallest share of each kind that the attack detects; infinite where it detects none."""
    attack, context = attack_of(name, split), Context(seed=seed, path=("attack", name))
    found = certifying.certify_on_samples(attack, FAMILY[name], truth, split, DEPTHS["thorough"], context)
    for estimate in found.estimates:
        yield estimate.group, math.inf if estimate.value is None else estimate.value


def found(rows: Sequence[Row]) -> list[list[str]]:
    """How many audits of a real copycat found the leak at the 5% level, attack by attack."""
    table = []
    for share, kind in LEAKS:
        cells = [f"{share:.0%} {kind}"]
        for name in FAMILY:
            p_values = np.array([row[f"found|{share}|{kind}|{name}"] for row in rows])
            p_values = p_values[np.isfinite(p_values)]
            seen = int((p_values <= 0.05).sum())
            interval = binomtest(seen, len(p_values)).proportion_ci()
            cells.append(f"{seen} of {len(p_values)} ({interval.low:.0%} to {interval.high:.0%})")
        table.append(cells)
    return table


def certificates(rows: Sequence[Row]) -> list[list[str]]:
    """The smallest detectable share, lowest and highest of the seeds."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        for key, value in row.items():
            if key.startswith("certificate|"):
                values[key.split("|")[1], key.split("|")[2]].append(value)
    return [[kind, *(_range(values[kind, name]) for name in FAMILY)] for kind in KINDS]


def _range(values: Sequence[float]) -> str:
    most = max(DEPTHS["thorough"].shares)
    low, high = (f"{v:.1%}" if np.isfinite(v) else f"not up to {most:.0%}" for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def main() -> None:
    """Audit, and write both tables."""
    options = arguments(__doc__, 20)
    assert set(FAMILY) <= set(ATTACKS)
    rows = audits("attack_power", audit, range(options.audits), options.jobs, resume=options.resume, depends=DEPENDS)
    command = f"python validation/attack_power.py --audits {options.audits}"
    write_table("attack-power", ["leak", *(f"`{name}`" for name in FAMILY)], found(rows), command)
    write_table("certificates", ["kind", *(f"`{name}`" for name in FAMILY)], certificates(rows[:CERTIFIED]), command)


if __name__ == "__main__":
    main()
