"""The viewer's pages as a browser without scripts sees them."""

import re
from contextlib import contextmanager
from html import unescape

from starlette.testclient import TestClient

from privbench.reports.viewer.app import viewer

from .made_runs import watching

BASE = "http://127.0.0.1:8642"


@contextmanager
def browsing(root, **options):
    """A browser without scripts, at a viewer of ``root`` that has read all of it."""
    app = viewer(watching(root), **options)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as browser:
        headers = {"Authorization": f"Bearer {options.get('token')}"}
        while browser.get("/state", headers=headers).json()["waiting"]:
            pass
        yield browser


def names(page):
    """The runs on a page of the list, in order, with their addresses."""
    return {unescape(name): key for key, name in re.findall(r'<a href="/runs/(\w+)">([^<]*)</a>', page.text)}
