"""The audit of the last release, kept in git: a record, with who made it the one to compare with, when and why."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from .errors import BadInputError
from .record import AuditRecord, Model, Outcome
from .runs import load_record, parse_record

VERSION: Literal[1] = 1


class Decision(Model):
    """One time that somebody made an audit the baseline.

    Attributes:
        by: who.
        when: ISO 8601, UTC.
        why: the reason.
        verdict: what the gate said of it then.
        forced: what spoke against it and was overruled, or "".
        generator: that was audited.
        record_sha256: of the record's file.
    """

    by: str = Field(min_length=1)
    when: str
    why: str = Field(min_length=1)
    verdict: Outcome
    forced: str = ""
    generator: str
    record_sha256: str


class Baseline(Model):
    """A record that later ones are held against.

    Attributes:
        baseline_version: of this format.
        decision: how it came to be the baseline.
        history: earlier decisions, the last one first.
        record: the audit.
    """

    baseline_version: Literal[1] = VERSION
    decision: Decision
    history: tuple[Decision, ...] = ()
    record: AuditRecord

    def after(self, decision: Decision, record: AuditRecord) -> "Baseline":
        """The baseline that replaces this one."""
        return Baseline(decision=decision, history=(self.decision, *self.history), record=record)


def load_baseline(path: Path) -> AuditRecord | Baseline:
    """A baseline with its history, or a plain record, or a run folder.

    Raises:
        BadInputError: if it cannot be read, is not whole, or if a newer privbench wrote it.
    """
    if path.is_dir():
        return load_record(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadInputError(
            f"baseline '{path}' cannot be read: {why}\nwrite one with: privbench baseline update RUN --out {path}"
        ) from None
    return parse_baseline(text, str(path))


def parse_baseline(text: str, file: str) -> AuditRecord | Baseline:
    """What ``text`` holds; ``file`` is what errors call it.

    Raises:
        BadInputError: if it is neither, not whole, or newer than this privbench.
    """
    if '"baseline_version"' not in text:  # nothing in quotes can look like it: a record's own are escaped
        return parse_record(text, file)
    try:
        return Baseline.model_validate_json(text)
    except ValueError as error:
        why = str(error).splitlines()[1:3]
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or "baseline_version" not in content:
        return parse_record(text, file)
    version = content["baseline_version"]
    if version != VERSION:
        raise BadInputError(
            f"baseline '{file}' has version {version}, this privbench reads up to {VERSION}\nupdate privbench"
        )
    parse_record(json.dumps(content.get("record")), file)  # says better what is wrong with a record
    raise BadInputError(f"baseline '{file}' is damaged: {': '.join(line.strip() for line in why)}")


def record_of(baseline: AuditRecord | Baseline) -> AuditRecord:
    """The audit itself."""
    return baseline.record if isinstance(baseline, Baseline) else baseline
