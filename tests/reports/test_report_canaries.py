"""A claim of differential privacy beside what canaries showed of it, where a reader looks for it."""

import re

import numpy as np
import pytest

from privbench.audit.context import Context
from privbench.audit.gate import judge
from privbench.audit.measures.canaries import measure_canaries
from privbench.audit.record import Finding
from privbench.audit.types import CanaryScores
from privbench.reports.advice import name_of, reason_of
from privbench.reports.html import html
from privbench.reports.md import md
from privbench.reports.threats import untested_threats

from .made_declared import CLAIM
from .made_records import declared

UNTESTED = "A claimed differential-privacy budget against an audited bound."


def audited(epsilon, right):
    """A record whose claim was tested with 100 canaries, of whose 50 guessed coins ``right`` were guessed rightly."""
    coins = np.arange(100) % 2 == 0
    score = np.where(coins, 2.0, 1.0) + np.linspace(0, 0.1, 100)
    order = np.argsort(score)
    score[order[: 50 - right]] = 3.0  # coins that came up tails, scored as if heads
    claim = CLAIM.model_copy(update={"epsilon": epsilon, "delta": 1e-5})
    measured = measure_canaries(
        CanaryScores(np.array([f"{i:03d}" for i in range(100)]), score, claim=claim), coins, Context()
    )
    finding = Finding(
        plugin="dp-canary",
        kind="attack",
        family="canary",
        summary="Canaries.",
        access="DENOISER",
        status="ok",
        estimates=measured.estimates,
        plots=measured.plots,
    )
    record = declared()
    findings = (*record.findings, finding)
    return record.model_copy(update={"findings": findings, "verdict": judge(findings)})


@pytest.mark.parametrize(
    ("epsilon", "right", "said"),
    [
        (1.0, 50, "The claim is refuted"),
        (1.0, 25, "Consistent with the claim, which the test could have refuted; no proof of it."),
        (8.0, 50, "Uninformative: had training given every canary away, a claim this large would still have stood."),
    ],
)
@pytest.mark.parametrize("write", [html, md], ids=["html", "md"])
def test_the_bound_stands_beside_the_claim(write, epsilon, right, said):
    text = " ".join(re.sub(r"<[^>]+>", " ", write(audited(epsilon, right), None)).replace("\\", "").split())
    beside = text[text.index("What the generator states of itself") :]
    beside = beside[beside.index("Audited lower bound") :][:400]
    assert "50 guesses about canaries put in by coins; the most that so many can show is 2.78" in beside
    assert said in beside


def test_without_canaries_there_is_no_row_and_the_threat_stays_untested():
    assert "Audited lower bound" not in html(declared(), None)
    assert UNTESTED in untested_threats(declared())
    assert UNTESTED not in untested_threats(audited(1.0, 50))
    assert not [line for line in untested_threats(audited(1.0, 50)) if "dp-canary" in line]


def test_a_rule_about_a_claim_reads_well():
    record = audited(1.0, 25)
    (rule,) = [r for r in record.verdict.rules if r.name.startswith("canary")]
    assert name_of(rule) == "Claim of differential privacy: audited lower bound on epsilon (dp-canary)"
    assert reason_of(rule, record) == rule.reason
    assert "could have been refuted" in rule.reason


def test_where_nothing_is_claimed_no_claim_stays_untested(record):
    assert record.declaration.privacy is None
    assert UNTESTED not in untested_threats(record)
