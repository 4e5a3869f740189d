"""Long simulations, kept audit by audit so that a killed one goes on, and their tables in docs/validation.md."""

import argparse
import datetime as dt
import hashlib
import json
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from privbench.audit.whole import write_text_whole

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(__file__).resolve().parent / ".cache"
PAGE = ROOT / "docs" / "validation.md"
CHUNK = 20
LIBRARIES = ("privbench", "numpy", "scipy")

Row = dict[str, float]
"""What one simulated audit gave: numbers by name."""


def arguments(description: str | None, audits: int) -> argparse.Namespace:
    """The options every script has: how many audits, how many processes, whether to use what is kept.

    Args:
        description: what the script does.
        audits: how many it simulates unless told.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--audits", type=int, default=audits, help=f"simulated audits (default: {audits})")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="use the audits that validation/.cache/ has from the same code",
    )
    return parser.parse_args()


def audits(
    name: str,
    function: Callable[[int], Row],
    seeds: Iterable[int],
    jobs: int = 1,
    *,
    resume: bool = True,
    depends: Sequence[ModuleType] = (),
) -> list[Row]:
    """``function(seed)`` for each seed, in the seeds' order; what was finished before is read, not computed.

    Finished audits are kept in chunks, one JSON line an audit, under a hash of the source of ``function``'s module and
    of ``depends``: a change of either starts anew.

    Args:
        name: of the study.
        function: a module's function, from a seed to numbers; any order of seeds must give the same.
        seeds: one an audit.
        jobs: processes.
        resume: whether to read what is kept.
        depends: modules whose results would change the audits.
    """
    sources = [sys.modules[function.__module__], *depends]
    digest = hashlib.sha256(b"".join(_source(module) for module in sources)).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    wanted = list(seeds)
    chunks = sorted({seed // CHUNK for seed in wanted})
    missing = [c for c in chunks if not (resume and (folder / f"{c}.jsonl").exists())]
    work = partial(_chunk, folder, function)
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            list(_watched(name, pool.map(work, missing), len(missing)))
    else:
        list(_watched(name, map(work, missing), len(missing)))
    rows: dict[int, Row] = {}
    for chunk in chunks:
        lines = (folder / f"{chunk}.jsonl").read_text(encoding="utf-8").splitlines()
        rows.update(zip(range(chunk * CHUNK, (chunk + 1) * CHUNK), map(json.loads, lines), strict=True))
    return [rows[seed] for seed in wanted]


def write_table(
    section: str, header: Sequence[str], rows: Sequence[Sequence[str]], command: str, page: Path = PAGE
) -> None:
    """Replace what stands between ``<!-- section -->`` and ``<!-- /section -->`` by a table and how it was made.

    Raises:
        ValueError: if the page has no such section, or a row is not as long as the header.
    """
    before, start, rest = page.read_text(encoding="utf-8").partition(f"<!-- {section} -->\n")
    _, end, after = rest.partition(f"<!-- /{section} -->\n")
    if not start or not end:
        raise ValueError(f"{page.name}: no lines '<!-- {section} -->' and '<!-- /{section} -->'; add them")
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"{section}: every row must have {len(header)} cells")
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    made = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)])
    today = dt.datetime.now(dt.UTC).date().isoformat()
    made_by = f"Made by `{command}`, {today}, {made}."
    write_text_whole(page, before + start + "\n".join([made_by, "", *lines, ""]) + end + after)


def _source(module: ModuleType) -> bytes:
    assert module.__file__ is not None
    return Path(module.__file__).read_bytes()


def _chunk(folder: Path, function: Callable[[int], Row], chunk: int) -> None:
    lines = [json.dumps(function(seed)) for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK)]
    write_text_whole(folder / f"{chunk}.jsonl", "\n".join(lines) + "\n")


def _watched(name: str, done: Iterable[None], total: int) -> Iterable[None]:
    for count, chunk in enumerate(done, start=1):
        sys.stderr.write(f"\r{name}: {count * CHUNK} of {total * CHUNK} audits")
        sys.stderr.flush()
        yield chunk
    sys.stderr.write("\n" if total else "")
