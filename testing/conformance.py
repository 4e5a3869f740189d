"""What a failed check says, and how many checks become one verdict."""

import unittest
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..audit.errors import SkippedError

Check = tuple[str, Callable[[], None]]
"""A check's name, and the function that makes it: for ``pytest.mark.parametrize``."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed check.

    Attributes:
        check: its name.
        seen: what was seen.
        fix: what to do.
    """

    check: str
    seen: str
    fix: str


class ConformanceError(AssertionError):
    """A plugin breaks the contract; ``failures`` holds one entry for each failed check."""

    def __init__(self, plugin: str, failures: tuple[Failure, ...]) -> None:
        lines = [f"{f.check}\n    seen: {f.seen}\n    do:   {f.fix}" for f in failures]
        noun = "check" if len(failures) == 1 else "checks"
        super().__init__("\n  ".join([f"{plugin} fails {len(failures)} {noun}:", *lines]))
        self.failures = failures


class UnmetError(Exception):
    """Inside a check: what was seen, and what to do about it."""

    def __init__(self, seen: str, fix: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.fix = fix


def require(met: object, seen: str, fix: str) -> None:
    """Go on only if ``met``.

    Raises:
        UnmetError: if not.
    """
    if not met:
        raise UnmetError(seen, fix)


def checked(plugin: str, checks: Mapping[str, Callable[[], None]], leave_out: Mapping[str, str]) -> Iterator[Check]:
    """The checks that are to be made, each raising ``ConformanceError`` or, where it cannot be made, ``SkipTest``.

    Args:
        plugin: its name, for messages.
        checks: by name.
        leave_out: the names of checks not to be made, each with the reason.

    Raises:
        ValueError: if a check that is to be left out does not exist or no reason is given.
    """
    for name, reason in leave_out.items():
        if name not in checks or not reason:
            raise ValueError(f"cannot leave out {name!r}: give a reason and one of {', '.join(checks)}")
    for name, check in checks.items():
        if name not in leave_out:
            yield name, _guarded(plugin, name, check)


def run_all(plugin: str, checks: Iterator[Check]) -> None:
    """Make every check, then report all that failed.

    Raises:
        ConformanceError: listing every failed check.
        unittest.SkipTest: if none failed, but some could not be made: not measured is not passed.
    """
    failures: list[Failure] = []
    skipped: dict[str, list[str]] = {}
    for name, check in checks:
        try:
            check()
        except ConformanceError as error:
            failures.extend(error.failures)
        except unittest.SkipTest as reason:
            skipped.setdefault(str(reason), []).append(name)
    if failures:
        raise ConformanceError(plugin, tuple(failures))
    if skipped:
        reasons = "; ".join(f"{reason} (not checked: {', '.join(names)})" for reason, names in skipped.items())
        raise unittest.SkipTest(f"{plugin}: {reasons}")


def _guarded(plugin: str, name: str, check: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            check()
        except UnmetError as error:
            raise ConformanceError(plugin, (Failure(name, error.seen, error.fix),)) from None
        except SkippedError as error:
            raise unittest.SkipTest(str(error)) from error
        except Exception as error:
            seen = f"it raised {type(error).__name__}: {error}".split("\n", 1)[0]
            fix = "see the traceback above; the world of the check is an ordinary one (another: world=World(...))"
            raise ConformanceError(plugin, (Failure(name, seen, fix),)) from error

    return run
