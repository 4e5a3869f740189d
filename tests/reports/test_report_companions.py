"""What accompanies a finding space by space stands in a table of its own; curves are drawn with their own scales."""

import pytest

from privbench.audit.record import Estimate, Plot, Series
from privbench.reports.companions import companions_of, listed_of
from privbench.reports.figures import figures_of
from privbench.reports.html import html
from privbench.reports.wording import MINUS, reading_of

from .made_findings import estimate, nearest

NAMES = ("dcr_share", "nndr", "relative_knn", "c_t", "authpct")
CURVE = Plot(
    name="how many images may be published",
    kind="curve",
    x_label="images published (drawn at random)",
    y_label="member patients exposed (expected)",
    series=(Series(label="beyond holdout", x=(1.0, 600.0), y=(-0.25, 12.5)),),
)


@pytest.fixture
def finding():
    found = nearest()
    more = tuple(
        estimate(name, 0.4, 0.3, 0.5, 0.6, group=space, p_value=0.01, note=f"{name} in {space}", worse="lower")
        for name in NAMES
        for space in ("pixels", "embedding")
    )
    missing = Estimate(name="c_t", value=None, n=9, unit="image", worse="lower", group="aligned", note="no cells here")
    kept = tuple(e for e in found.estimates if e.name not in NAMES)
    return found.model_copy(update={"estimates": (*kept, *more, missing), "plots": (CURVE,)})


def test_companions_leave_the_list_and_stand_by_measure_and_space(finding):
    table = companions_of(finding)
    assert table.columns == ("whole image", "learned features", "after shift, turn, flip")
    assert [name for name, _ in table.rows] == list(NAMES)
    assert [e is None for e in dict(table.rows)["authpct"]] == [False, False, True]
    listed = {e.name for e in listed_of(finding)}
    assert listed & set(NAMES) == set()
    assert {"copied_share", "exposed_patients", "exact_copies"} <= listed
    assert len(listed_of(finding)) + 11 == len(finding.estimates)


def test_a_finding_with_few_companions_keeps_them_in_its_list():
    found = nearest()
    assert companions_of(found) is None
    assert listed_of(found) == found.estimates


def test_the_page_says_each_companion_and_why_one_is_missing(finding, record):
    page = html(record.model_copy(update={"findings": (finding,)}), None)
    assert "no cells here" in page
    assert all(f"{name} in embedding" in page for name in NAMES)


def test_a_simulated_null_is_beaten_only_by_interval_and_p_value_together():
    common = {"worse": "lower", "group": "pixels"}
    assert reading_of(estimate("authpct", 0.4, 0.3, 0.5, 0.6, p_value=0.01, **common)) == "differs"
    assert reading_of(estimate("authpct", 0.4, 0.3, 0.5, 0.6, p_value=0.2, **common)) == "no difference"
    assert reading_of(estimate("authpct", 0.4, 0.3, 0.7, 0.6, p_value=0.01, **common)) == "no difference"


def test_a_curve_of_counts_is_tabled_as_numbers_and_one_of_shares_as_percentages(finding):
    shares = CURVE.model_copy(update={"name": "copies of each patient", "y_label": "share of patients"})
    both = finding.model_copy(update={"plots": (CURVE, shares)})
    counts, percent = figures_of(both, "own")
    assert counts.columns == ("series", CURVE.x_label, CURVE.y_label)
    assert counts.rows == (("beyond holdout", "1", f"{MINUS}0.25"), ("beyond holdout", "600", "12.5"))
    assert percent.rows[1] == ("beyond holdout", "600", "1250%")
    assert [(line.x, line.y) for line in counts.lines] == [(s.x, s.y) for s in CURVE.series]
    assert counts.x_label == "images published"
    assert "beyond the right end nothing is known" in counts.caption
