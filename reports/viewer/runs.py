"""All runs of a folder, kept up to date by a thread of its own: a request only reads what stands in memory."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Literal

from ...audit.errors import BadInputError
from ...audit.runs import RECORD
from .folder import Found, content, find
from .shelf import Kept, Shelf
from .summary import Digest, digest

State = Literal["read", "waiting", "running", "unfinished", "unreadable"]

PAUSE = 2.0
"""Seconds between two looks at the folder."""

PUBLISH = 0.3
"""Seconds of reading after which a page shows what has been read so far."""


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the list.

    Attributes:
        found: where it is.
        state: read, waiting to be read, running, unfinished (no record, and as it seems nobody at work), or unreadable
            for a reason.
        digest: of its record, once read.
        reason: why it is unreadable.
    """

    found: Found
    state: State
    digest: Digest | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """Its path below the folder of runs."""
        return self.found.label


@dataclass(frozen=True, slots=True)
class Shown:
    """All runs at one moment.

    Attributes:
        runs: by key, in order of folder.
        revision: another number means that something changed.
        waiting: records still to be read.
    """

    runs: dict[str, Run] = field(default_factory=dict)
    revision: int = 0
    waiting: int = 0


class Runs:
    """The runs of a folder.

    Args:
        root: the folder.
        shelf: where digests are kept from one start to the next.
        pause: seconds between two looks at it.

    Attributes:
        label: what pages call the folder.
        started: sets this viewer's revisions apart from those of one before.
    """

    def __init__(self, root: Path, shelf: Shelf, pause: float = PAUSE) -> None:
        self.root = root
        self.label = os.fsencode(root).decode("utf-8", errors="replace")
        self.started = token_hex(4)
        self._shelf = shelf
        self._pause = pause
        self._shown = Shown()
        self._looked = threading.Event()
        self._stopped = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look for changes until the context is left."""
        watcher = threading.Thread(target=self._watch, name="privbench-view", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._stopped.set()
            watcher.join(timeout=5)

    def shown(self) -> Shown:
        """The runs as they are known now; the first caller waits until the folder was seen and the latest runs read."""
        self._looked.wait(timeout=10)
        return self._shown

    def _watch(self) -> None:
        kept = self._shelf.everything()
        runs: dict[str, Run] = {}
        while not self._stopped.is_set():
            with_record = {name for name, run in runs.items() if run.found.mark}
            runs = {found.name: self._known(found, runs, kept) for found in find(self.root, with_record)}
            fresh = self._read_waiting(runs)
            gone = kept.keys() - self._shown.runs.keys()
            if fresh or gone:
                self._shelf.keep(fresh, gone)
            kept = {}
            self._stopped.wait(self._pause)

    def _known(self, found: Found, before: dict[str, Run], kept: Kept) -> Run:
        """A run as far as it is known without reading its record."""
        if found.name in before and before[found.name].found == found:
            return before[found.name]
        if found.mark is None:
            return Run(found, "running" if found.busy else "unfinished")
        mark, known = kept.get(found.key, (None, None))
        return Run(found, "read", known) if mark == found.mark else Run(found, "waiting")

    def _read_waiting(self, runs: dict[str, Run]) -> Kept:
        """Read what waits, the latest first, publishing now and then; what was read anew."""
        fresh: Kept = {}
        published = monotonic()
        waiting = [(name, run) for name, run in runs.items() if run.state == "waiting"]
        for name, run in sorted(waiting, key=lambda pair: pair[1].found.mark or (), reverse=True):
            if self._stopped.is_set():
                break
            runs[name] = read = _read(run.found)
            if read.digest and read.found.mark:
                fresh[read.found.key] = read.found.mark, read.digest
            if monotonic() - published > PUBLISH:
                self._publish(runs)
                published = monotonic()
        self._publish(runs)
        return fresh

    def _publish(self, runs: dict[str, Run]) -> None:
        by_key = {run.found.key: run for run in runs.values()}
        if by_key != self._shown.runs or not self._looked.is_set():
            waiting = sum(run.state == "waiting" for run in by_key.values())
            self._shown = Shown(by_key, self._shown.revision + 1, waiting)
        self._looked.set()


def _read(found: Found) -> Run:
    name = RECORD if found.name == "." else f"{found.label}/{RECORD}"
    try:
        return Run(found, "read", digest(content(found.record), name))
    except BadInputError as error:
        return Run(found, "unreadable", reason=str(error))
    except OSError as error:
        return Run(found, "unreadable", reason=f"{name} cannot be read: {error.strerror or error}")
