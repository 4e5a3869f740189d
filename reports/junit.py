"""The verdict as test results, for the test tab of a CI system."""

import re
from xml.etree import ElementTree as ET

from ..audit.plugin import report
from ..audit.record import AuditRecord
from ..audit.types import ImageSet
from .advice import reason_of

# XML 1.0 has no way to write these, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@report(suffix="xml")
def junit(record: AuditRecord, gallery: ImageSet | None) -> str:  # noqa: ARG001
    """JUnit XML: one test case a verdict rule, inconclusive counted as an error, never as a pass.

    A rule that fails is a ``failure``. One that could not be decided is an ``error`` of type ``inconclusive``: CI
    systems show a skipped test as harmless, and this one is not. A plugin that broke is an ``error`` of type ``error``,
    and a verdict without rules becomes one test case of its own, so that no empty file is ever read as success. A rule
    that passes carries its reason and the smallest leak that would have been found.
    """
    seconds = record.provenance.seconds
    suite = ET.Element("testsuite", name=_written(f"privbench {record.spec.generator.name}"), time=f"{seconds:.3f}")
    for rule in record.verdict.rules:
        case = _case(suite, "verdict", rule.name)
        if rule.outcome == "fail":
            _outcome(case, "failure", "fail", rule.reason)
        elif rule.outcome == "inconclusive":
            _outcome(case, "error", "inconclusive", rule.reason)
        else:
            ET.SubElement(case, "system-out").text = _written(reason_of(rule, record))
    if not record.verdict.rules:
        _outcome(_case(suite, "verdict", "verdict"), "error", "inconclusive", "no rule was evaluated")
    for finding in record.findings:
        if finding.status == "error":
            _outcome(_case(suite, "plugin", finding.plugin), "error", "error", finding.reason)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _case(suite: ET.Element, part: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"privbench.{part}", name=_written(name))


def _outcome(case: ET.Element, tag: str, kind: str, reason: str) -> None:
    ET.SubElement(case, tag, type=kind, message=_written(reason)).text = _written(reason)


def _written(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
