"""The viewer's pages: what each shows."""

import re
from urllib.parse import parse_qsl

import pytest

from privbench.reports.viewer.app import MOST
from privbench.reports.viewer.folder import Found
from privbench.reports.viewer.listing import PAGE, Query, listing, rows_of
from privbench.reports.viewer.runs import Run
from privbench.reports.viewer.summary import digest

from .made_runs import audited, put, several
from .made_viewers import names

TOKEN = "a-token-that-nobody-guesses"


def order(page):
    return list(names(page))


def test_the_list_shows_every_run_with_verdict_and_numbers(five):
    page = five.get("/")
    assert page.status_code == 200
    assert set(names(page)) == {"one", "two", "nested/three", "four", "five"}
    assert "5 runs." in page.text
    assert "steps=200" in page.text
    assert "0.710" in page.text
    assert "0.660 to 0.760" in page.text
    assert "domias failed" in page.text
    assert "Fail" in page.text


def test_only_options_that_set_runs_apart_are_shown(root, client):
    put(root / "a", audited("dfgm", steps=100, size=64))
    put(root / "b", audited("dfgm", steps=200, size=64))
    put(root / "c", audited("ldm", steps=100))
    text = client().get("/").text
    assert "steps=100" in text
    assert "size=64" not in text
    assert text.count("steps=") == 2


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=dfgm", {"one", "two", "five"}),
        ("q=DFGM+steps%3D100", {"one"}),
        ("q=nested", {"nested/three"}),
        ("q=singular", set()),
        ("q=domias", {"five"}),
        ("generator=ldm", {"nested/three"}),
        ("generator=nobody", set()),
        ("verdict=fail", {"five"}),
        ("cohort=brain-sim&verdict=pass", {"one", "two", "nested/three", "four"}),
    ],
)
def test_a_filter_stands_in_the_address(five, asked, found):
    page = five.get(f"/?{asked}")
    assert set(names(page)) == found
    if not found:
        assert "No run matches" in page.text


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-date", ["five", "four", "two", "nested/three", "one"]),
        ("date", ["one", "nested/three", "two", "four", "five"]),
        ("run", ["five", "four", "nested/three", "one", "two"]),
        ("membership", ["four", "one", "two", "nested/three", "five"]),
        ("-membership", ["nested/three", "two", "one", "four", "five"]),
        ("-seed", ["nested/three", "five", "four", "one", "two"]),
        ("nonsense", ["five", "four", "two", "nested/three", "one"]),
    ],
)
def test_runs_are_sorted_by_any_column_and_what_has_no_number_comes_last(five, sort, expected):
    assert order(five.get(f"/?sort={sort}")) == expected


def test_the_sorted_column_says_so(five):
    text = five.get("/?sort=-membership").text
    assert text.count('aria-sort="descending"') == 1
    assert re.search(r'aria-sort="descending"><a href="/\?sort=membership"[^>]*>Membership AUC', text)


def listed(n):
    template = digest(audited().model_dump_json().encode(), "x")
    return rows_of(Run(Found(f"run-{i:03d}", "", (i, 0, 0)), "read", template) for i in range(n))


@pytest.mark.parametrize(("page", "first", "shown"), [(1, 0, PAGE), (3, 2 * PAGE, 50), (99, 2 * PAGE, 50)])
def test_a_page_beyond_the_last_is_the_last(page, first, shown):
    found = listing(listed(2 * PAGE + 50), Query(sort="run", page=page))
    assert (found.rows[0].run.name, len(found.rows), found.pages) == (f"run-{first:03d}", shown, 3)
    assert len(listing(listed(2 * PAGE + 50), Query(every=True)).rows) == 2 * PAGE + 50


def test_an_address_says_the_whole_query_and_is_read_back():
    query = Query("a b&c", "dfgm", "x=y", "fail", "-linked", 3, every=True)
    path, _, parameters = query.address.partition("?")
    assert path == "/"
    assert Query.of(dict(parse_qsl(parameters))) == query
    assert Query.of({}) == Query()
    assert Query().address == "/?"


def test_an_empty_folder_says_how_to_make_a_run(root, client):
    root.mkdir()
    page = client().get("/")
    assert page.status_code == 200
    assert "No run yet" in page.text
    assert "privbench run --generator dfgm" in page.text


def test_what_cannot_be_read_is_listed_and_breaks_nothing(root, client):
    several(root)
    (root / "cut").mkdir()
    (root / "cut/record.json").write_text('{"schema_version": 5,', encoding="utf-8")
    (root / "begun").mkdir()
    (root / "begun/spec.json").write_text("{}", encoding="utf-8")
    browser = client()
    page = browser.get("/")
    assert "Unreadable" in page.text
    assert "it is truncated or not JSON" in page.text
    assert "No record yet" in page.text
    report = browser.get(f"/runs/{names(page)['cut']}")
    assert report.status_code == 422
    assert "truncated" in report.text
    assert order(browser.get("/?verdict=unreadable")) == ["cut"]
    assert browser.get("/trend").status_code == 200


def test_a_report_is_made_from_the_record_and_leads_back(five):
    page = five.get(f"/runs/{names(five.get('/'))['five']}")
    assert page.status_code == 200
    assert "LinAlgError: singular matrix" in page.text
    assert '<a href="/">All runs</a>' in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.endswith("frame-ancestors 'none'")
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_a_page_asks_again_only_for_what_changed(root, client):
    several(root)
    browser = client()
    first = browser.get("/state")
    tag = first.headers["etag"]
    assert browser.get("/state", headers={"If-None-Match": tag}).status_code == 304
    put(root / "six", audited())
    while (again := browser.get("/state", headers={"If-None-Match": tag})).status_code == 304:
        pass
    assert again.json()["revision"] > first.json()["revision"]


def test_script_and_style_are_named_by_their_content_and_kept(root, client):
    root.mkdir()
    browser = client()
    for name in re.findall(r"/static/[\w.]+", browser.get("/").text):
        answer = browser.get(name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/viewer.js").status_code == 404


def test_ticked_runs_are_compared(five):
    keys = names(five.get("/"))
    page = five.get("/compare", params=[("run", keys["one"]), ("run", keys["two"])])
    assert page.status_code == 200
    assert "dfgm" in page.text
    assert '<a href="/">All runs</a>' in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'sha256-")


def test_runs_that_cannot_be_compared_say_why(root, client):
    several(root)
    base = audited("ldm")
    other = tuple(mark.model_copy(update={"sha256": "f" * 64}) for mark in base.data)
    put(root / "other", base.model_copy(update={"data": other}))
    browser = client()
    keys = names(browser.get("/"))
    page = browser.get("/compare", params=[("run", keys["one"]), ("run", keys["other"])])
    assert page.status_code == 422
    assert "cohort" in page.text or "members" in page.text
    assert "Back to all runs" in page.text


@pytest.mark.parametrize(("n", "status"), [(0, 422), (1, 422), (MOST + 1, 422)])
def test_too_few_or_too_many_ticks_say_so(five, n, status):
    page = five.get("/compare", params=[("run", f"{i:016x}") for i in range(n)])
    assert page.status_code == status
    assert "Tick at least two" in page.text or f"at most {MOST}" in page.text


def test_one_run_ticked_twice_is_one_run(five):
    key = names(five.get("/"))["one"]
    assert five.get("/compare", params=[("run", key), ("run", key)]).status_code == 422
