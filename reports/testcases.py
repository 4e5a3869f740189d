"""Test results as CI systems read them: JUnit XML, whatever stands in names and reasons. Imports no numpy."""

import re
from xml.etree import ElementTree as ET

# XML 1.0 has no way to write these, not even escaped.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def suite_of(name: str) -> ET.Element:
    """An empty suite."""
    return ET.Element("testsuite", name=_written(name))


def case_in(suite: ET.Element, part: str, name: str) -> ET.Element:
    """A test case of the suite; it passes until something else is said of it."""
    return ET.SubElement(suite, "testcase", classname=f"privbench.{part}", name=_written(name))


def passes(case: ET.Element, said: str) -> None:
    """What a case that passes has to say."""
    ET.SubElement(case, "system-out").text = _written(said)


def fails(case: ET.Element, reason: str, more: str = "") -> None:
    """A rule that fails is a ``failure``; ``more`` stands below the reason where the case is opened."""
    _outcome(case, "failure", "fail", (reason, more))


def errs(case: ET.Element, kind: str, reason: str, more: str = "") -> None:
    """What could not be decided, or broke, is an ``error``: CI systems show a skipped test as harmless."""
    _outcome(case, "error", kind, (reason, more))


def xml_of(suite: ET.Element) -> str:
    """The whole document, with the cases counted."""
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _outcome(case: ET.Element, tag: str, kind: str, said: tuple[str, str]) -> None:
    ET.SubElement(case, tag, type=kind, message=_written(said[0])).text = _written("\n".join(filter(None, said)))


def _written(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
