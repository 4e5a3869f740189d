"""Digests kept from one start of the viewer to the next: 2,000 records are parsed once, not every time."""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from .folder import Mark
from .summary import FORMAT, Digest, Summary, interned

Kept = dict[str, tuple[Mark, Digest]]
"""Digests by key of the run, each with the mark of the record that it was read from."""

TABLES = """
create table keys (id integer primary key, keys text unique);
create table runs (
    root text, run text, mark text, summary text, keys integer, numbers blob, primary key (root, run)
);
"""


class Shelf:
    """Digests in a file that may be deleted at any time; it holds no pixel and no score of a patient.

    Where it cannot be read it is begun anew, and where it cannot be written nothing is kept.
    """

    def __init__(self, file: Path, root: Path) -> None:
        self.file = file
        self.root = os.fsencode(root.resolve()).decode("utf-8", errors="replace")

    def everything(self) -> Kept:
        """What is kept of this folder's runs."""
        try:
            return self._read()
        except (OSError, sqlite3.Error, ValueError, KeyError):  # it is a copy: what cannot be read is read anew
            return {}

    def keep(self, digests: Mapping[str, tuple[Mark, Digest]], gone: Iterable[str]) -> None:
        """Keep these too, and forget runs that are gone."""
        try:
            self._write(digests, gone)
        except (OSError, sqlite3.Error):  # read-only, full, or another viewer writes: next time they are read again
            return

    def _read(self) -> Kept:
        if not self.file.is_file():
            return {}
        with closing(sqlite3.connect(self.file)) as database:
            if database.execute("pragma user_version").fetchone()[0] != FORMAT:
                return {}
            keys = {
                number: interned(tuple(json.loads(text)))
                for number, text in database.execute("select id, keys from keys")
            }
            rows = database.execute("select run, mark, summary, keys, numbers from runs where root = ?", (self.root,))
            return {
                run: (_mark(mark), Digest(Summary.model_validate_json(summary), keys[number], numbers))
                for run, mark, summary, number, numbers in rows
            }

    def _write(self, digests: Mapping[str, tuple[Mark, Digest]], gone: Iterable[str]) -> None:
        with closing(self._for_writing()) as database, database:
            database.executemany("delete from runs where root = ? and run = ?", ((self.root, run) for run in gone))
            numbers: dict[tuple[str, ...], int] = {}
            for keys in {digest.keys for _, digest in digests.values()}:
                text = json.dumps(keys)
                database.execute("insert or ignore into keys (keys) values (?)", (text,))
                numbers[keys] = database.execute("select id from keys where keys = ?", (text,)).fetchone()[0]
            database.executemany(
                "insert or replace into runs values (?, ?, ?, ?, ?, ?)",
                (
                    (self.root, run, json.dumps(mark), d.summary.model_dump_json(), numbers[d.keys], d.numbers)
                    for run, (mark, d) in digests.items()
                ),
            )

    def _for_writing(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600))  # the results of audits: the user's alone
        try:
            return self._current()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self.file.write_bytes(b"")
            return self._current()

    def _current(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.file)
        if database.execute("pragma user_version").fetchone()[0] != FORMAT:
            database.executescript(f"drop table if exists keys; drop table if exists runs; {TABLES}")
            database.execute(f"pragma user_version = {FORMAT}")
        return database


def _mark(text: str) -> Mark:
    time, size, number = json.loads(text)
    return time, size, number
