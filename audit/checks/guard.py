"""A guard's certificate against the distances of the released images, computed anew: what it promises, what holds."""

from dataclasses import dataclass

from ..record import Estimate, Finding, GuardCertificate
from ..types import FloatArray

TOLERANCE = 1e-9  # of the smallest distance, computed twice in float64
FAMILY = "guard"
NAME = "certificate"


@dataclass(frozen=True, slots=True)
class Promise:
    """One thing that a certificate promises.

    Attributes:
        met: whether it holds.
        kept: in words, if it does.
        broken: in words, if it does not.
    """

    met: bool
    kept: str
    broken: str


def about_members(certificate: GuardCertificate, sha256: str) -> Promise:
    """The members are those that it speaks of; ``sha256`` is their fingerprint."""
    return Promise(
        sha256 == certificate.members_sha256,
        f"the members are the {certificate.members} images that the certificate speaks of",
        "the members are others than the certificate speaks of",
    )


def about_distances(certificate: GuardCertificate, distances: FloatArray) -> tuple[Promise, Promise]:
    """No released image is closer than tau, and the closest as close as it states; ``distances`` are ``(n,)``."""
    closest = float(distances.min())
    too_close = int((distances < certificate.tau).sum())
    return (
        Promise(
            not too_close,
            f"the smallest distance of any is {closest:.6g}, tau is {certificate.tau:.6g} ({certificate.metric})",
            f"{too_close} of them are closer to a member than tau = {certificate.tau:.6g}, one at {closest:.6g}",
        ),
        Promise(
            abs(closest - certificate.closest) <= TOLERANCE * max(1.0, certificate.closest),
            "it is the one that the certificate states",
            f"the certificate states {certificate.closest:.6g} as the smallest",
        ),
    )


def check_guard(certificate: GuardCertificate, distances: FloatArray, members_sha256: str, seconds: float) -> Finding:
    """The certificate of a guarded release, proved again: a check of its own, for no attack rests on it.

    Args:
        certificate: what the guard states.
        distances: ``(n,)`` of each released image to the closest member's, by brute force in float64.
        members_sha256: fingerprint of the members compared with.
        seconds: that the proof took.

    Returns:
        ``invalid`` where a promise is broken: with how many images are closer than tau, and how close.
    """
    counted = Promise(
        len(distances) == certificate.released,
        "",
        f"{len(distances)} images are released, the certificate speaks of {certificate.released}",
    )
    promises = (about_members(certificate, members_sha256), counted, *about_distances(certificate, distances))
    broken = [promise.broken for promise in promises if not promise.met]
    too_close, n = int((distances < certificate.tau).sum()), len(distances)
    closest = float(distances.min())
    method = "every released image against every member's in float64: a complete count"
    estimates = (
        Estimate(
            name="guard_closest",
            value=closest,
            low=closest,
            high=closest,
            null=certificate.tau,
            n=n,
            unit="image",
            worse="lower",
            method=method,
            note=f"the certificate states {certificate.closest:.6g}",
        ),
        Estimate(
            name="guard_too_close",
            value=too_close / n,
            low=too_close / n,
            high=too_close / n,
            null=0.0,
            n=n,
            unit="image",
            worse="higher",
            method=method,
            note=f"{too_close} of {n} released images are closer to a member than tau = {certificate.tau:.6g}",
        ),
    )
    return Finding(
        plugin=NAME,
        kind="check",
        family=FAMILY,
        summary=f"No released image is closer to a member's than the guard '{certificate.guard}' states.",
        access="SAMPLES",
        status="invalid" if broken else "ok",
        reason=f"{'; '.join(broken)}: do not release; repair the guard and audit again" if broken else "",
        estimates=estimates,
        notes=tuple(promise.kept for promise in promises if promise.met and promise.kept),
        seconds=seconds,
    )
