"""The verdict as test results, for the test tab of a CI system."""

from ..audit.plugin import report
from ..audit.record import AuditRecord
from ..audit.types import ImageSet
from .advice import reason_of
from .testcases import case_in, errs, fails, passes, suite_of, xml_of


@report(suffix="xml")
def junit(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """JUnit XML: one test case a verdict rule, inconclusive counted as an error, never as a pass.

    A rule that fails is a ``failure``. One that could not be decided is an ``error`` of type ``inconclusive``: CI
    systems show a skipped test as harmless, and this one is not. A plugin that broke is an ``error`` of type ``error``,
    and a verdict without rules becomes one test case of its own, so that no empty file is ever read as success. A rule
    that passes carries its reason and the smallest leak that would have been found.
    """
    suite = suite_of(f"privbench {record.spec.generator.name}")
    suite.set("time", f"{record.provenance.seconds:.3f}")
    for rule in record.verdict.rules:
        case = case_in(suite, "verdict", rule.name)
        if rule.outcome == "fail":
            fails(case, rule.reason)
        elif rule.outcome == "inconclusive":
            errs(case, "inconclusive", rule.reason)
        else:
            passes(case, reason_of(rule, record))
    if not record.verdict.rules:
        errs(case_in(suite, "verdict", "verdict"), "inconclusive", "no rule was evaluated")
    for finding in record.findings:
        if finding.status == "error":
            errs(case_in(suite, "plugin", finding.plugin), "error", finding.reason)
    return xml_of(suite)
