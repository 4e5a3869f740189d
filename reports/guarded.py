"""A guard's certificate in plain words, how to prove it again, and what a guard does not do."""

from dataclasses import dataclass

from ..audit.record import AuditRecord, Finding, GuardCertificate, PluginSpec
from . import wording
from .criteria import counted
from .fairness import voided
from .wording import number, share

COMMAND = "privbench verify-guard RUN"
PROOF = (
    "RUN is the folder of this audit. The command reads every released image from its file and compares it with every "
    "member's image again; it needs the training images, so it is run where they are."
)
_OFTEN = 0.1  # of what was drawn


@dataclass(frozen=True, slots=True)
class Guarded:
    """A certificate in words.

    Attributes:
        rows: what it states, as title and words.
        cautions: what it must not be taken for, worst first.
        command: proves it again.
        proof: what the command does, and where it runs.
    """

    rows: tuple[tuple[str, str], ...]
    cautions: tuple[str, ...]
    command: str = COMMAND
    proof: str = PROOF


def guarded_of(record: AuditRecord) -> Guarded | None:
    """The record's certificate; None where no guard stood before the release."""
    certificate = record.guard
    if certificate is None:
        return None
    guard = record.spec.guard
    plugin = ("Guard", name_of_guard(guard) if guard else certificate.guard)
    return Guarded((plugin, *_rows(certificate), *_proof(record)), _cautions(certificate, record))


def name_of_guard(guard: PluginSpec) -> str:
    """``min-distance (quantile = 0.05, shift = 1)``: the guard with its options, those without a value left out."""
    options = ", ".join(f"{name} = {_option(value)}" for name, value in guard.options.items() if value is not None)
    return f"{guard.name} ({options})" if options else guard.name


def _option(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _rows(certificate: GuardCertificate) -> tuple[tuple[str, str], ...]:
    others = f"; kept as clear of {certificate.decoys:,} images of other people (decoys)" if certificate.decoys else ""
    mark = f" (fingerprint {certificate.members_sha256[:12]})"
    drawn = counted(certificate.drawn, "image") + (f" in {certificate.rounds:,} rounds" * (certificate.rounds > 1))
    rejected = f"{certificate.rejected:,} rejected ({share(certificate.rejected / certificate.drawn)})"
    return (
        ("Distance", certificate.metric),
        ("Smallest distance allowed, tau", f"{number(certificate.tau)} ({certificate.tau_from})"),
        ("Smallest distance found", number(certificate.closest)),
        ("Compared with", f"{counted(certificate.members, 'image')} of training patients{mark}{others}"),
        ("Drawn", f"{drawn}: {certificate.released:,} released, {rejected}"),
    )


def _proof(record: AuditRecord) -> tuple[tuple[str, str], ...]:
    """What came out when this audit proved the certificate again; older audits did not."""
    return tuple(("Proved again by this audit", _outcome(f)) for f in record.findings if f.family == "guard")


def _outcome(finding: Finding) -> str:
    if finding.status == "ok":
        return f"Yes: {'; '.join(finding.notes)}"
    return f"NO, it does not hold: {finding.reason}" if finding.status == "invalid" else f"Could not: {finding.reason}"


def _cautions(certificate: GuardCertificate, record: AuditRecord) -> tuple[str, ...]:
    lines = []
    if certificate.closest < certificate.tau:
        lines.append("The smallest distance found is below tau: the certificate contradicts itself.")
    if certificate.rejected > _OFTEN * certificate.drawn:
        lines.append(
            f"{share(certificate.rejected / certificate.drawn)} of what was drawn was rejected: this generator often "
            "comes close to its training patients, which the released images no longer show."
        )
    hole = "No released image lies near a training patient, so each lies in a hole of the release, which can be noticed"
    decoys = " Decoys make the same holes around people who are no members, so that a hole tells less."
    lines.append(
        f"{hole}: an attacker then looks for who is unusually far, not near (minimum-distance guards: arXiv "
        f"2301.06604). So membership is read in both directions, and an AUC far below 0.5 is a leak too. "
        f"{_holes(record)}{decoys if certificate.decoys else ''}"
    )
    lines.append("It holds for the released images and this distance only, not for whoever holds the model.")
    return tuple(lines)


def _holes(record: AuditRecord) -> str:
    """What the attacks that look at distances to released images say of holes."""
    found = [
        (finding.plugin, auc)
        for finding in record.findings
        if finding.family == "membership" and finding.access.lower() == "samples" and finding.status == "ok"
        for auc in (finding.estimate("auc"),)
        if auc is not None and auc.value is not None
    ]
    if not found:
        spoiled = any(f.family == "membership" and voided(f) for f in record.findings)
        return (
            "No valid attack of this audit looked for them." if spoiled else "No attack of this audit looked for them."
        )
    measured = "; ".join(f"{plugin} {wording.value_of(e)} ({wording.interval_of(e)})" for plugin, e in found)
    return f"Measured here: {measured}."
