"""The viewer's list of runs: what is found, read, kept, and followed."""

import json
import os
import sqlite3
import time

import pytest
from filelock import FileLock, Timeout

from privbench.audit.record import SCHEMA_VERSION
from privbench.reports.viewer.folder import LARGEST, LOCKS, content, find
from privbench.reports.viewer.shelf import Shelf
from privbench.reports.viewer.summary import SEPARATOR, STRONGEST, digest

from .made_records import RECORDS, build, unfair
from .made_runs import audited, put, several, watching


def settled(runs, wanted, seconds=5.0):
    """Wait until ``wanted(shown)``; what is then shown."""
    until = time.monotonic() + seconds
    while not wanted(shown := runs.shown()):
        assert time.monotonic() < until, shown
        time.sleep(0.01)
    return shown


def by_name(shown):
    return {run.name: run for run in shown.runs.values()}


def quiet(shown):
    return not shown.waiting


@pytest.mark.parametrize("name", RECORDS)
def test_a_digest_says_what_the_whole_record_says(name):
    record = RECORDS[name]()
    kept = digest(record.model_dump_json().encode(), "x")
    assert kept.summary.generator == record.spec.generator
    assert kept.summary.outcome == record.verdict.outcome
    assert kept.summary.broken == tuple(f.plugin for f in record.findings if f.status == "error")
    valid = [(f, e) for f in record.findings if f.status == "ok" for e in f.estimates]
    for finding, estimate in valid:
        key = SEPARATOR.join(part for part in (finding.plugin, estimate.name, estimate.group) if part)
        number = kept.number(key)
        assert (number and number.value) == estimate.value
        if number:
            assert (number.low, number.high) == (estimate.low, estimate.high)
            assert (number.null, number.detectable) == (estimate.null, estimate.detectable)
    assert len(kept.keys) == len({(f.plugin, e.name, e.group) for f, e in valid}) + len(record.strongest)


def test_what_a_void_finding_states_is_no_number():
    kept = digest(unfair().model_dump_json().encode(), "x")
    assert kept.number(SEPARATOR.join(("nearest", "copied_share"))) is None
    assert "copied" not in kept.summary.headlines
    assert "nearest" in kept.summary.invalid


def test_the_headline_of_membership_is_the_strongest_attack_on_other_patients():
    kept = digest(audited(auc=0.63).model_dump_json().encode(), "x")
    assert kept.summary.headlines["membership"].value == 0.63
    assert kept.summary.headlines["membership"].of == "loss"
    assert kept.number(SEPARATOR.join((STRONGEST, "membership", "auc"))).value == 0.63
    assert "membership" not in digest(build().model_dump_json().encode(), "x").summary.headlines


def test_a_date_without_a_zone_is_utc_and_a_broken_one_is_none():
    def started(text):
        record = audited().model_dump(mode="json")
        record["provenance"]["started"] = text
        return digest(json.dumps(record).encode(), "x").summary.started

    assert started("2026-02-01T10:00:00") == started("2026-02-01T11:00:00+01:00")
    assert started("yesterday") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"schema_version": 5, "spec"', "truncated"),
        (b"\xff\xfe\x00", "truncated or not JSON"),
        (b"[]", "is not a record"),
        (b'{"schema_version": 5}', "is not a record"),
        (b'{"schema_version": 99}', f"schema version 99, this privbench reads up to {SCHEMA_VERSION}"),
        (b"[" * 100_000, "truncated or not JSON"),
    ],
)
def test_a_record_that_cannot_be_read_is_listed_with_the_reason(tmp_path, text, says):
    put(tmp_path / "good", audited())
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/record.json").write_bytes(text)
    runs = watching(tmp_path)
    with runs.watched():
        names = by_name(settled(runs, quiet))
    assert names["good"].state == "read"
    assert names["bad"].state == "unreadable"
    assert says in names["bad"].reason
    assert str(tmp_path) not in names["bad"].reason


def test_a_new_run_a_rewritten_and_a_deleted_one_are_followed(tmp_path):
    put(tmp_path / "a", audited(auc=0.5))
    runs = watching(tmp_path)
    with runs.watched():
        first = settled(runs, quiet)
        put(tmp_path / "a", audited(auc=0.6))
        put(tmp_path / "deep/er/b", audited())
        then = settled(runs, lambda shown: len(shown.runs) == 2 and quiet(shown))
        assert then.revision > first.revision
        assert by_name(then)["a"].digest.summary.headlines["membership"].value == 0.6
        (tmp_path / "a/record.json").unlink()
        (tmp_path / "a/spec.json").unlink()
        settled(runs, lambda shown: set(by_name(shown)) == {"deep/er/b"})


def test_nothing_new_is_no_new_revision(tmp_path):
    several(tmp_path)
    runs = watching(tmp_path, pause=0.01)
    with runs.watched():
        first = settled(runs, quiet)
        time.sleep(0.2)
        assert runs.shown() is first


def test_a_begun_run_is_running_while_its_lock_is_held(tmp_path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/spec.json").write_text("{}", encoding="utf-8")
    runs = watching(tmp_path)
    with runs.watched():
        assert by_name(settled(runs, quiet))["begun"].state == "unfinished"
        if not LOCKS.exists():
            pytest.skip("this system does not tell who holds a lock")
        with FileLock(tmp_path / "begun/.lock"):
            settled(runs, lambda shown: by_name(shown)["begun"].state == "running")
        put(tmp_path / "begun", audited())
        settled(runs, lambda shown: by_name(shown)["begun"].state == "read")


def test_looking_never_takes_the_lock_of_a_run(tmp_path, monkeypatch):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/spec.json").write_text("{}", encoding="utf-8")
    looks = []
    monkeypatch.setattr("privbench.reports.viewer.runs.find", lambda *where: looks.append(where) or find(*where))
    runs = watching(tmp_path, pause=0.001)
    taken = 0
    until = time.monotonic() + 20
    with runs.watched():
        while len(looks) < 50 and time.monotonic() < until:
            try:
                FileLock(tmp_path / "begun/.lock", timeout=0).acquire().lock.release()
            except Timeout:
                taken += 1
    assert len(looks) >= 50
    assert taken == 0


def test_links_pipes_and_hidden_folders_are_not_followed(tmp_path):
    outside = put(tmp_path / "outside/secret", audited())
    root = tmp_path / "runs"
    put(root / "good", audited())
    (root / "link").symlink_to(outside.parent, target_is_directory=True)
    (root / "sly").mkdir()
    (root / "sly/record.json").symlink_to(outside)
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe/record.json")
    put(root / ".hidden/run", audited())
    assert [found.name for found in find(root)] == ["good"]
    for file in (root / "sly/record.json", root / "pipe/record.json", root):
        with pytest.raises(OSError, match=r"link|symbolic|plain|directory"):
            content(file)


def test_a_file_too_large_for_a_record_is_not_read(tmp_path):
    (tmp_path / "huge").mkdir()
    with (tmp_path / "huge/record.json").open("wb") as file:
        file.truncate(LARGEST + 1)
    runs = watching(tmp_path)
    with runs.watched():
        run = by_name(settled(runs, quiet))["huge"]
    assert run.state == "unreadable"
    assert "larger than 64 MB" in run.reason


def test_a_folder_whose_name_is_no_text_is_shown(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    put(tmp_path / name, audited())
    kept = tmp_path / ".kept.sqlite"
    for _ in range(2):
        runs = watching(tmp_path, kept)
        with runs.watched():
            assert by_name(settled(runs, quiet))["caf\N{REPLACEMENT CHARACTER}"].state == "read"


def test_the_folder_may_be_a_run_itself(tmp_path):
    put(tmp_path, audited())
    runs = watching(tmp_path)
    with runs.watched():
        assert by_name(settled(runs, quiet))["."].state == "read"


@pytest.fixture
def kept(tmp_path):
    """A folder whose runs were all read once."""
    root, file = several(tmp_path / "runs"), tmp_path / "cache/kept.sqlite"
    runs = watching(root, file)
    with runs.watched():
        settled(runs, quiet)
    return root, file


def test_a_second_start_parses_nothing_again(kept, monkeypatch):
    root, file = kept
    monkeypatch.setattr("privbench.reports.viewer.runs.digest", lambda *_: pytest.fail("parsed"))
    runs = watching(root, file)
    with runs.watched():
        shown = settled(runs, quiet)
    again = {name: digest(run.found.record.read_bytes(), "x") for name, run in by_name(shown).items()}
    assert again == {name: run.digest for name, run in by_name(shown).items()}


def test_what_is_kept_is_the_users_alone_and_holds_no_more_than_numbers(kept):
    _, file = kept
    assert file.stat().st_mode & 0o077 == 0
    assert b"singular matrix" not in file.read_bytes()


def test_a_record_written_anew_is_read_anew(kept):
    root, file = kept
    put(root / "one", audited("other"))
    runs = watching(root, file)
    with runs.watched():
        assert by_name(settled(runs, quiet))["one"].digest.summary.generator.name == "other"


@pytest.mark.parametrize("damage", ["garbage", "format", "summary", "folder", "gone"])
def test_what_is_kept_may_be_damaged_or_deleted_at_any_time(kept, damage):
    root, file = kept
    if damage == "garbage":
        file.write_bytes(b"no database" * 1000)
    elif damage == "gone":
        file.unlink()
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        with sqlite3.connect(file) as database:
            database.execute("pragma user_version = 999" if damage == "format" else "update runs set summary = '{}'")
        database.close()
    runs = watching(root, file)
    with runs.watched():
        assert {run.state for run in settled(runs, lambda shown: shown.runs and quiet(shown)).runs.values()} == {"read"}
    if damage != "folder":
        assert len(Shelf(file, root).everything()) == 5


def test_a_run_that_is_gone_is_forgotten(kept):
    root, file = kept
    for name in ("record.json", "spec.json"):
        (root / "one" / name).unlink()
    runs = watching(root, file)
    with runs.watched():
        settled(runs, quiet)
        time.sleep(0.1)
    assert len(Shelf(file, root).everything()) == 4


def test_digests_of_two_folders_are_kept_apart(tmp_path):
    file = tmp_path / "kept.sqlite"
    for folder in ("a", "b"):
        put(tmp_path / folder / "run", audited(folder))
        runs = watching(tmp_path / folder, file)
        with runs.watched():
            settled(runs, quiet)
    for folder in ("a", "b"):
        ((_, kept),) = Shelf(file, tmp_path / folder).everything().values()
        assert kept.summary.generator.name == folder


def test_an_unknown_number_is_none():
    kept = digest(audited().model_dump_json().encode(), "x")
    assert kept.number("no / such") is None
