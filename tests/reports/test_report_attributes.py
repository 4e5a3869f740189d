"""Inference has two parts for a reader: membership and attributes, and what was not tested is said."""

import pytest

from privbench.audit.gate import judge
from privbench.audit.record import Finding
from privbench.reports.criteria import criteria_of
from privbench.reports.html import html
from privbench.reports.md import md
from privbench.reports.threats import untested_threats

from .made_findings import estimate


def attributes(value=0.4, low=0.25, high=0.55, **changes) -> Finding:
    patients = {"n": 200, "unit": "patient"}
    note = "label: guessed right with the release: 70.0% of members, 50.0% of holdout; without it: 50.0% and 50.0%"
    fields = {
        "plugin": "attribute-inference",
        "kind": "attack",
        "family": "attribute",
        "summary": "A patient's class is read off the released image that most resembles the patient.",
        "access": "SAMPLES",
        "status": "ok",
        "estimates": (
            estimate("attribute_risk", value, low, high, 0.0, p_value=0.001, detectable=0.1, note=note, **patients),
            estimate("attribute_risk", value, low, high, 0.0, group="label", p_value=0.001, **patients),
            estimate("attribute_success", 0.7, 0.6, 0.8, group="label, members", **(patients | {"worse": "none"})),
        ),
    } | changes
    return Finding(**fields)


def with_attributes(record, *found):
    rest = tuple(f for f in record.findings if f.family != "attribute")
    return record.model_copy(update={"findings": (*rest, *found), "verdict": judge((*rest, *found))})


def inference(record):
    return next(c for c in criteria_of(record) if c.title == "Inference")


def test_there_are_three_criteria_and_inference_has_two_parts(record):
    assert [c.title for c in criteria_of(record)] == ["Singling out", "Linkability", "Inference"]
    assert [p.name for p in inference(record).parts] == ["Inference of membership", "Inference of attributes"]


def test_a_leak_of_attributes_fails_the_criterion_and_is_said_in_plain_words(record):
    leaking = with_attributes(record, attributes())
    found = inference(leaking)
    assert [p.outcome for p in found.parts][1] == found.outcome == "fail"
    page = html(leaking, None)
    assert "the release gives away an attribute (diagnosis, centre, size of the lesion) of 40%" in page
    assert "Could somebody learn from the release what a particular patient suffers from" in page
    assert "Inference of attributes | Attributes told (attribute-inference) | 40%" in md(leaking, None)
    assert "inference and inference" not in page


def test_attributes_that_nobody_asked_for_are_said_to_be_untested_and_decide_nothing(record):
    without = with_attributes(record)
    membership, hidden = inference(without).parts
    assert hidden.badge == "Not tested"
    assert hidden.outcome == "inconclusive"
    assert inference(without).outcome == membership.outcome
    assert any("Inferring attributes of a patient" in line for line in untested_threats(without))
    assert "Not tested" in html(without, None)


@pytest.mark.parametrize(
    "missing",
    [
        attributes(status="skipped", reason="there is no attribute to infer", estimates=()),
        attributes(value=None, low=None, high=None),
    ],
)
def test_attributes_that_could_not_be_measured_are_no_pass(record, missing):
    estimates = tuple(e for e in missing.estimates if not e.group)
    untested = with_attributes(record, missing.model_copy(update={"estimates": estimates}))
    assert inference(untested).parts[1].badge == "Not tested"
    assert any("Inferring attributes of a patient" in line for line in untested_threats(untested))


def test_attributes_within_the_limit_are_no_longer_among_what_was_not_tested(record):
    tested = with_attributes(record, attributes(0.01, -0.05, 0.08))
    assert not any("Inferring attributes" in line for line in untested_threats(tested))
    assert "no more than of holdout patients" not in html(tested, None)
    none = with_attributes(record, attributes(-0.01, -0.05, 0.08))
    assert "of training patients no more than of holdout patients" in html(none, None)
