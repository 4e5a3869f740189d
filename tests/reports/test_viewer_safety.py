"""The viewer's addresses: who is let in, and what none of them ever gives away."""

import re
from urllib.parse import quote

import pytest
from httpx2 import InvalidURL

from privbench.audit.persist import save_images
from privbench.reports.viewer.safety import HEADERS, POLICY

from .made_runs import audited, put, several
from .made_viewers import BASE, browsing, names

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def behind_a_token(tmp_path_factory):
    with browsing(several(tmp_path_factory.mktemp("guarded")), token=TOKEN, port=8642) as browser:
        yield browser


@pytest.fixture
def guarded(behind_a_token):
    """The same behind a token; who was let in before is forgotten."""
    behind_a_token.cookies.clear()
    return behind_a_token


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
