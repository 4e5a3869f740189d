"""A gate's verdict as test results, for the test tab of a CI system."""

from ...audit.gated import Gated, why_of
from ..testcases import case_in, errs, fails, passes, suite_of, xml_of


def junit(gated: Gated) -> str:
    """JUnit XML: one test case a rule, one a plugin that failed; inconclusive is an error, never a pass."""
    suite = suite_of(f"privbench gate {gated.generator}")
    for rule in gated.verdict.rules:
        case = case_in(suite, "gate", rule.name)
        why = why_of(rule, gated.policy)
        more = f"policy: {why}" if why else ""
        if rule.outcome == "fail":
            fails(case, rule.reason, more)
        elif rule.outcome == "inconclusive":
            errs(case, "inconclusive", rule.reason, more)
        else:
            passes(case, rule.reason)
    for said in gated.broken:
        plugin, _, reason = said.partition(": ")
        errs(case_in(suite, "plugin", plugin), "error", reason)
    return xml_of(suite)
