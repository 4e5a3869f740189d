"""Records made by hand, a gallery, and a browser."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from privbench.audit.record import AuditRecord
from privbench.audit.types import ImageSet

from .made_gallery import build_gallery
from .made_hostile import HOSTILE, build_hostile
from .made_records import build
from .made_runs import several
from .made_viewers import browsing

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def make_record() -> Callable[..., AuditRecord]:
    return build


@pytest.fixture(scope="session")
def record() -> AuditRecord:
    return build()


@pytest.fixture(scope="session")
def hostile() -> AuditRecord:
    return build_hostile()


@pytest.fixture(scope="session")
def hostile_text() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def make_gallery() -> Callable[..., ImageSet]:
    return build_gallery


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser without scripts, at a viewer of five runs."""
    with browsing(several(tmp_path_factory.mktemp("five"))) as browser:
        yield browser


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of runs, yet to be made."""
    return tmp_path / "runs"


@pytest.fixture
def client(root: Path) -> Iterator[Callable[..., Any]]:
    """Open a browser at a viewer of ``root``, which must be filled before."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(browsing(root, **options))
