"""The viewer's addresses: what each shows, and what none of them ever gives away."""

import re
from contextlib import ExitStack, contextmanager
from html import unescape
from urllib.parse import parse_qsl, quote

import pytest
from httpx2 import InvalidURL
from starlette.testclient import TestClient

from privbench.audit.persist import save_images
from privbench.reports.viewer.app import MOST, viewer
from privbench.reports.viewer.folder import Found
from privbench.reports.viewer.listing import PAGE, Query, listing, rows_of
from privbench.reports.viewer.runs import Run
from privbench.reports.viewer.safety import HEADERS, POLICY
from privbench.reports.viewer.summary import digest

from .made_runs import audited, put, several, watching

BASE = "http://127.0.0.1:8642"
TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """A browser without scripts, at a viewer of five runs."""
    with browsing(several(tmp_path_factory.mktemp("five"))) as browser:
        yield browser


@pytest.fixture(scope="module")
def behind_a_token(tmp_path_factory):
    with browsing(several(tmp_path_factory.mktemp("guarded")), token=TOKEN, port=8642) as browser:
        yield browser


@pytest.fixture
def guarded(behind_a_token):
    """The same behind a token; who was let in before is forgotten."""
    behind_a_token.cookies.clear()
    return behind_a_token


@contextmanager
def browsing(root, **options):
    """A browser without scripts, at a viewer of ``root`` that has read all of it."""
    app = viewer(watching(root), **options)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as browser:
        headers = {"Authorization": f"Bearer {options.get('token')}"}
        while browser.get("/state", headers=headers).json()["waiting"]:
            pass
        yield browser


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def client(root):
    """Open a browser at a viewer of ``root``, which must be filled before."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(browsing(root, **options))


def names(page):
    """The runs on a page of the list, in order, with their addresses."""
    return {unescape(name): key for key, name in re.findall(r'<a href="/runs/(\w+)">([^<]*)</a>', page.text)}


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


def test_files_of_a_run_are_never_served_as_they_lie(root, client):
    put(root / "a", audited())
    for name in ("report.html", "confidential/loss.csv", "samples/images/0.png", "gallery/x.png", "secret.txt"):
        (root / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "a" / name).write_text("SECRET", encoding="utf-8")
    browser = client()
    key = names(browser.get("/"))["a"]
    for path in ("report.html", "confidential/loss.csv", "samples/images/0.png", "record.json", "secret.txt"):
        for base in ("/a", f"/runs/{key}", "/runs/a", "", "/static"):
            assert browser.get(f"{base}/{path}").status_code == 404
    assert "SECRET" not in browser.get(f"/runs/{key}").text


SLY = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "..%5c..%5cetc",
    "a%00",
    "a/../a",
    "..",
    "%c0%ae%c0%ae%c0%af",
    "%e2%80%ae",
    "\N{ONE DOT LEADER}\N{ONE DOT LEADER}%2fetc",
    "nested/three",
    "nested%2fthree",
    "A" * 5000,
)


@pytest.mark.parametrize("path", SLY)
@pytest.mark.parametrize("base", ["/runs/", "/static/", "/"])
def test_no_path_leads_out_of_the_addresses(five, path, base):
    try:
        answer = five.get(base + path)
    except InvalidURL:  # the client itself refuses to ask
        return
    assert answer.status_code == 404 or answer.request.url.path == "/"
    assert "root:" not in answer.text
    compared = five.get(f"/compare?run={path}&run={path}x")
    assert compared.status_code in {404, 422}


@pytest.mark.parametrize("released", [False, True])
def test_no_gallery_is_shown_where_real_images_were_released(root, client, make_gallery, released):
    put(root / "a", audited().model_copy(update={"releases_real": released}))
    save_images(make_gallery(), root / "a/gallery", "gallery")
    browser = client()
    text = browser.get(f"/runs/{names(browser.get('/'))['a']}").text
    assert ("<img" in text) is not released


@pytest.mark.parametrize("sly", ["path", "link", "folder", "list", "cut"])
def test_a_gallery_that_points_elsewhere_is_not_shown(root, client, make_gallery, sly, tmp_path):
    put(root / "a", audited())
    save_images(make_gallery(), tmp_path / "real", "gallery")
    gallery = root / "a/gallery"
    if sly == "folder":
        gallery.symlink_to(tmp_path / "real", target_is_directory=True)
    else:
        save_images(make_gallery(), gallery, "gallery")
        index = gallery / "gallery.json"
        if sly == "path":
            index.write_text(
                index.read_text(encoding="utf-8").replace("gallery.pixels", "../../../real/gallery.pixels"),
                encoding="utf-8",
            )
        elif sly == "link":
            (gallery / "gallery.pixels.npy").unlink()
            (gallery / "gallery.pixels.npy").symlink_to(tmp_path / "real/gallery.pixels.npy")
        else:
            index.write_text("[]" if sly == "list" else '{"pixels": ', encoding="utf-8")
    browser = client()
    page = browser.get(f"/runs/{names(browser.get('/'))['a']}")
    assert page.status_code == 200
    assert "<img" not in page.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/state", "/runs/x", "/compare", "/nowhere"])
def test_nothing_can_be_changed(root, client, method, path):
    root.mkdir()
    answer = client().request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_is_get_without_a_body(five):
    assert five.head("/").status_code == 200
    assert five.head("/").content == b""


@pytest.mark.parametrize("path", ["/", "/trend", "/state", "/nowhere", "/runs/x", "/compare", "/favicon.ico"])
def test_every_answer_keeps_to_itself(five, path):
    answer = five.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_a_page_that_breaks_says_so_and_keeps_to_itself(five, monkeypatch):
    monkeypatch.setattr("privbench.reports.viewer.app.list_page", lambda *_: 1 / 0)
    answer = five.get("/")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8642", 200),
        ("localhost:8642", 200),
        ("LOCALHOST", 200),
        ("[::1]:8642", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example:8642", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1@evil.example", 400),
        ("", 400),
        ("10.0.0.7:8642", 400),
    ],
)
def test_a_name_that_was_pointed_here_is_refused(root, client, host, status):
    root.mkdir()
    assert client().get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("path", ["/", "/state", "/trend", "/runs/x", "/compare", "/static/x", "/nowhere"])
def test_with_a_token_nothing_is_shown_without_it(guarded, path):
    for headers, query in (
        ({}, ""),
        ({"Authorization": "Bearer wrong"}, ""),
        ({"Authorization": TOKEN}, ""),
        ({"Authorization": "Basic " + TOKEN}, ""),
        ({"Cookie": f"privbench-view-8642={TOKEN}"}, ""),
        ({"Cookie": "privbench-view-8642="}, ""),
        ({}, "?token="),
        ({}, "?token=" + TOKEN[:-1]),
        ({}, "?token=" + TOKEN.upper()),
        ({}, "?token=%00%ff"),
    ):
        answer = guarded.get(path + query, headers=headers)
        assert answer.status_code == 401
        assert "nested" not in answer.text
        assert "set-cookie" not in answer.headers


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address(guarded):
    answer = guarded.get(f"/trend?token={TOKEN}&cohort={quote('a b&c')}")
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    assert 'content="0;url=/trend?cohort=a+b%26c"' in answer.text
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/").status_code == 200


def test_going_on_after_the_token_never_leaves_this_site(root, client):
    root.mkdir()
    for path in ("//evil.example/", "/%5cevil.example", '/"><script>'):
        text = client(token=TOKEN).get(f"{BASE}{path}?token={TOKEN}").text
        where = re.search(r'url=([^"]*)"', text)
        assert where[1].startswith("/")
        assert not where[1].startswith(("//", "/\\"))
        assert "<script" not in text


def test_a_token_in_a_header_lets_in(guarded):
    for scheme in ("Bearer", "bearer", "token"):
        assert guarded.get("/", headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


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


def test_hostile_names_are_text_on_every_page(root, client, hostile, hostile_text):
    put(root / "<script>window.pwned=1<", hostile)
    put(root / "b", hostile)
    browser = client()
    pages = [
        browser.get("/"),
        browser.get("/trend"),
        browser.get("/", params={"q": hostile_text, "generator": hostile_text, "cohort": hostile_text}),
        browser.get("/trend", params={"estimate": hostile_text, "cohort": hostile_text, "lines": hostile_text}),
        browser.get("/trend", params={"cohort": hostile_text, "estimate": f"{hostile_text} / auc / {hostile_text}"}),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "<img" not in page.text
