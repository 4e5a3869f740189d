"""From a folder and a port to a running viewer: what may be bound, and how it starts and ends."""

import contextlib
import errno
import ipaddress
import logging
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from ...audit.errors import BadInputError
from ...audit.store import default_store
from .app import viewer
from .runs import Runs
from .safety import LOOPBACK, new_token
from .shelf import Shelf

SHELF = "viewer.sqlite"
SHORTEST = 16
"""Characters of a token."""


def serve(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str = "",
    remote: bool = False,
    browse: bool = False,
    debug: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Show the runs of a folder until interrupted.

    Args:
        root: the folder of runs.
        host: to bind to.
        port: to bind to; 0 for a free one.
        token: what every request must know; empty for none on this machine, and for a new one elsewhere.
        remote: whether other machines may be let in.
        browse: whether to open the page in the user's browser.
        debug: log requests and tracebacks on stderr.
        say: told the address once it answers.

    Raises:
        BadInputError: for a folder that is none, a host that is not this machine's without ``remote``, a port in use.
    """
    _check_folder(root)
    local = _is_local(host)
    if not local and not remote:
        raise BadInputError(
            f"host '{host}' would show these runs to other machines\n"
            "add --allow-remote (a token is made unless --token gives one), or use an SSH tunnel to 127.0.0.1"
        )
    if token and (
        len(token) < SHORTEST or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum()
    ):
        raise BadInputError(
            f"the token has {len(token)} characters\n"
            f"give at least {SHORTEST} letters, digits, - or _, or none: --allow-remote makes one"
        )
    token = token or ("" if local else new_token())
    with _bound(host, port) as listening:
        port = listening.getsockname()[1]
        hosts = (*LOOPBACK, _in_address(host)) if local or not _is_any(host) else ("*",)
        app = viewer(Runs(root, Shelf(default_store() / SHELF, root)), token=token, port=port, hosts=hosts)
        shown = socket.gethostname() if _is_any(host) else _in_address(host)
        address = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
        say(address)
        if browse:
            webbrowser.open(address)
        if debug:
            logging.basicConfig(level=logging.INFO)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,  # addresses hold tokens
                log_level=logging.INFO if debug else logging.CRITICAL,
                log_config=None,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=2,
            )
        )
        with contextlib.suppress(KeyboardInterrupt):  # the way a viewer ends
            server.run(sockets=[listening])


def _check_folder(root: Path) -> None:
    if not root.exists():
        raise BadInputError(
            f"folder '{root}' does not exist\n"
            "give the folder that holds your runs, or make one: privbench run --generator dfgm"
        )
    if not root.is_dir():
        raise BadInputError(f"'{root}' is no folder\ngive the folder that holds your runs")
    try:
        next(root.iterdir(), None)
    except OSError as error:
        raise BadInputError(
            f"folder '{root}' cannot be read: {error.strerror}\ngive another, or change its rights"
        ) from None


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_any(host: str) -> bool:
    return host in {"", "0.0.0.0", "::"}  # noqa: S104 -- recognised, not bound


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadInputError(
                f"port {port} is in use\ngive another with --port, or --port 0 for any free one"
            ) from None
        if error.errno == errno.EACCES:
            raise BadInputError(f"port {port} is not for ordinary users\ngive one above 1023, or --port 0") from None
        raise BadInputError(
            f"host '{host}' cannot be bound: {error.strerror or error}\ngive an address of this machine"
        ) from None
