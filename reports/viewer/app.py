"""The viewer as an application: a few addresses, each a page made from records."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from threading import Lock

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ...audit.errors import BadInputError
from .folder import Found
from .listing import Query, Row, listing, rows_of
from .pages import list_page, message_page, script, style, trend_page
from .runs import Run, Runs, Shown
from .safety import LOOPBACK, ReadOnly, Token, policy_of
from .trend import Asked, trend

MOST = 50
"""Runs that are compared at once."""

FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}


def viewer(runs: Runs, *, token: str = "", port: int = 0, hosts: Sequence[str] = LOOPBACK) -> ASGIApp:
    """The application.

    Args:
        runs: what it shows; watched while it runs.
        token: what every request must know; empty for none.
        port: where it is served.
        hosts: names under which it may be asked; ``*`` for any, which wants a token.
    """
    views = _Views(runs)

    @asynccontextmanager
    async def watched(_: Starlette) -> AsyncIterator[None]:
        with runs.watched():
            yield

    pages = Starlette(
        routes=[
            Route("/", views.index),
            Route("/state", views.state),
            Route("/runs/{key}", views.run),
            Route("/compare", views.compare),
            Route("/trend", views.trend),
            Route("/static/{name}", views.static),
            Route("/favicon.ico", lambda _: Response(status_code=204)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            *([Middleware(Token, token=token, port=port)] if token else []),
        ],
        exception_handlers={HTTPException: _refused, BadInputError: _bad_input, 500: _broken},
        lifespan=watched,
    )
    return ReadOnly(pages)  # around everything: a page about a failure needs its headers as well


class _Views:
    """What each address shows."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        self.drawing = Lock()
        self._rows: tuple[Shown, list[Row]] = (Shown(), [])
        self._page = lru_cache(maxsize=4)(_report)

    def index(self, request: Request) -> Response:
        """The list."""
        shown, rows = self._current()
        found = listing(rows, Query.of(request.query_params))
        return HTMLResponse(list_page(found, rows, shown.waiting, shown.revision, self.runs.label))

    def state(self, request: Request) -> Response:
        """Whether anything has changed: what a page asks every other second."""
        shown = self.runs.shown()
        tag = f'"{self.runs.started}-{shown.revision}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        text = json.dumps({"revision": shown.revision, "runs": len(shown.runs), "waiting": shown.waiting})
        return Response(text, media_type="application/json", headers={"ETag": tag})

    def run(self, request: Request) -> Response:
        """The report of one run, made anew from its record."""
        run = self._find(request.path_params["key"])
        with self.drawing:
            return _self_contained(self._page(run.found))

    def compare(self, request: Request) -> Response:
        """The comparison of several runs."""
        keys = list(dict.fromkeys(request.query_params.getlist("run")))
        if len(keys) < 2:
            raise BadInputError("tick at least two runs to compare them")
        if len(keys) > MOST:
            raise BadInputError(f"{len(keys)} runs are ticked; at most {MOST} can be compared at once")
        chosen = [self._find(key) for key in keys]
        from .reporting import comparison_page

        with self.drawing:
            return _self_contained(comparison_page([run.found for run in chosen]))

    def trend(self, request: Request) -> Response:
        """One estimate over time."""
        shown, rows = self._current()
        return HTMLResponse(trend_page(trend(rows, Asked.of(request.query_params)), shown.revision))

    def static(self, request: Request) -> Response:
        """The pages' script and style sheet."""
        for asset in (script(), style()):
            if request.path_params["name"] == asset.name:
                return Response(asset.text, media_type=asset.kind, headers=FOR_EVER)
        raise HTTPException(404)

    def _current(self) -> tuple[Shown, list[Row]]:
        shown, (before, rows) = self.runs.shown(), self._rows
        if shown is not before:
            rows = rows_of(shown.runs.values())
            self._rows = shown, rows
        return shown, rows

    def _find(self, key: str) -> Run:
        run = self.runs.shown().runs.get(key)
        if run is None:
            raise HTTPException(404)
        return run


def _report(found: Found) -> str:
    from .reporting import report_page  # numpy, pictures and every report: not before one is opened

    return report_page(found)


def _self_contained(page: str) -> Response:
    return HTMLResponse(page, headers={"Content-Security-Policy": policy_of(page)})


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return HTMLResponse(message_page("There is no such page", "The run may have been moved or deleted."), 404)
    return HTMLResponse(message_page("This cannot be shown", error.detail), error.status_code, error.headers)


def _bad_input(_: Request, error: Exception) -> Response:
    lines = (line[:1].upper() + line[1:] for line in str(error).splitlines())
    return HTMLResponse(message_page("This cannot be shown", *lines), 422)


def _broken(_: Request, error: Exception) -> Response:
    reason = f"{type(error).__name__}; start privbench view with --debug to see where."
    return HTMLResponse(message_page("This page could not be drawn", reason), 500)
