"""Who may ask, and for what: read-only, from this machine by this name, and with the token where there is one."""

import hashlib
import html
import secrets
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names by which this machine may be asked; under another, a foreign page may have pointed its name at it."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every response that does not set its own."""


META = '<meta http-equiv="Content-Security-Policy" content="'


class ReadOnly:
    """Answers GET and HEAD over HTTP, and nothing else, with the headers that keep a page to itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] in {"GET", "HEAD"}:
            await self.app(scope, receive, guarded)
        else:
            refused = PlainTextResponse("this viewer only shows\n", status_code=405, headers={"Allow": "GET, HEAD"})
            await refused(scope, receive, guarded)


class Token:
    """Lets in who knows the token: once in the address, then by a cookie; or in a header.

    Args:
        app: what it guards.
        token: what must be known.
        port: cookies know no ports, so the cookie's name says it.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self.token = token
        self.cookie = f"privbench-view-{port}"
        self.ticket = hashlib.sha256(f"privbench view {token}".encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, let in, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in asked if name == "token"]
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if any(_same(value, self.token) for value in given):
            await self._admit(scope, [pair for pair in asked if pair[0] != "token"])(scope, receive, send)
        elif (scheme.lower() in {"bearer", "token"} and _same(credentials.strip(), self.token)) or _same(
            cookie_parser(headers.get("cookie", "")).get(self.cookie, ""), self.ticket
        ):
            await self.app(scope, receive, send)
        else:
            refused = PlainTextResponse(
                "This page needs a token: open the address that privbench view has printed.\n",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            await refused(scope, receive, send)

    def _admit(self, scope: Scope, asked: list[tuple[str, str]]) -> Response:
        """On to the same page without the token.

        No redirect: a link in a mail or a chat starts from another site, and to what that redirects to no browser sends
        a strict cookie. A page that goes on by itself starts from here.
        """
        path = quote("/" + scope["path"].lstrip("/\\"))  # never another host: //elsewhere
        where = html.escape(path + (f"?{urlencode(asked)}" if asked else ""))
        page = HTMLResponse(
            f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>privbench</title>'
            f'<meta http-equiv="refresh" content="0;url={where}"><p><a href="{where}">Go on to the runs</a></p>'
        )
        page.set_cookie(self.cookie, self.ticket, httponly=True, samesite="strict", path="/")
        return page


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def _same(given: str, expected: str) -> bool:
    return secrets.compare_digest(given.encode(), expected.encode())


def policy_of(page: str) -> str:
    """The Content-Security-Policy that a self-contained page states for itself, with nobody framing it."""
    start = page.find(META)
    if start < 0:
        return POLICY
    begin = start + len(META)
    return html.unescape(page[begin : page.index('"', begin)]) + "; frame-ancestors 'none'"
