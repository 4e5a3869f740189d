"""What can go wrong in a way that the user, or the caller, can mend."""


class BadInputError(Exception):
    """The input cannot be audited. The message names the thing, the value and the fix, in at most two lines.

    The command line prints it without a traceback and exits with 2.
    """


class AccessError(Exception):
    """An attack asked for more than the audited generator grants."""


class SkippedError(Exception):
    """A plugin cannot run here for a reason that is nobody's fault (an extra or a weight file is missing).

    It becomes a finding with status ``skipped``; the message says how to get what is missing.
    """


class InvalidError(Exception):
    """A plugin ran, but its result would mean nothing (a verifier without power, say).

    It becomes a finding with status ``invalid``: never a number, never a pass.
    """


def unreadable(error: Exception, label: str, file: str) -> BadInputError:
    """What to raise for a file that its library could not read."""
    if isinstance(error, FileNotFoundError):
        return BadInputError(f"{label}: {file} does not exist\nadd the missing file, or drop it from the list")
    return BadInputError(
        f"{label}: {file} cannot be read ({type(error).__name__})\n"
        "it is truncated or of another format; replace or remove it"
    )
