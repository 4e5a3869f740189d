"""Records of audits as a gate meets them, small and with known numbers."""

from pathlib import Path

import numpy as np

from privbench.audit.record import Estimate, Finding
from privbench.audit.runs import load_record
from privbench.audit.statistics.blocks import BLOCKS

RECORDS = Path(__file__).parent.parent / "records"
FAILED = RECORDS / "v5.json"  # a copycat, with one attack that broke


def estimate(name, value, low=None, high=None, detectable=None, worse="higher", null=0.0, **more):
    return Estimate(
        name=name,
        value=value,
        low=low,
        high=high,
        null=null,
        n=100,
        unit=more.pop("unit", "patient"),
        worse=worse,
        detectable=detectable,
        **more,
    )


def auc(value, half=0.06, detectable=0.58, **more):
    return estimate("auc", value, value - half, value + half, detectable, "both", 0.5, **more)


def planted(**shares):
    return tuple(
        Estimate(name="detectable_share", group=kind, value=share, n=200, unit="image", worse="none")
        for kind, share in shares.items()
    )


SEEN = planted(exact=0.01, noise=0.015)


def finding(plugin, family, *estimates, status="ok", reason="", power=SEEN, kind=None, **more):
    usual = {"validity": "check", "guard": "check", "utility": "metric"}.get(family, "attack")
    kind = kind or usual
    return Finding(
        plugin=plugin,
        kind=kind,
        family=family,
        summary="Is it fair?" if kind == "check" else "",
        access=more.pop("access", "SAMPLES"),
        status=status,
        reason=reason,
        estimates=(*estimates, *(power if kind == "attack" else ())),
    )


def dice(value=0.8, group="synthetic", worse="lower", null=0.85):
    return estimate("dice", value, value - 0.02, value + 0.02, worse=worse, null=null, group=group)


def clean():
    """An audit that finds nothing, with the power to have found it."""
    return {
        "shift": finding("shift", "validity"),
        "nearest": finding("nearest", "memorization", estimate("copied_share", 0.0, -0.01, 0.01, 0.015)),
        "gan-leaks": finding("gan-leaks", "membership", auc(0.51)),
        "loss": finding("loss", "membership", auc(0.5), access="DENOISER"),
        "siamese": finding("siamese", "reidentification", estimate("linked_excess", 0.0, -0.02, 0.02, 0.03)),
        "dice": finding("dice", "utility", dice(), dice(0.85, "real", "none", None)),
    }


def audit(seed=0, data=None, options=None, **changes):
    """A record with these findings; None drops one."""
    found = {name: f for name, f in (clean() | changes).items() if f is not None}
    record = load_record(FAILED)
    spec = record.spec.model_copy(update={"seed": seed, "guard": None} | (options or {}))
    marks = [m if m.part not in (data or {}) else m.model_copy(update=data[m.part]) for m in record.data]
    return record.model_copy(update={"findings": tuple(found.values()), "spec": spec, "data": tuple(marks)})


def blocks_of(value, spread, seed):
    """Leave-one-out values around ``value``; the same seed varies alike."""
    noise = np.random.default_rng(seed).normal(size=BLOCKS)
    noise -= noise.mean()
    return tuple((value + spread * noise).tolist())


def write(path, record):
    path.write_text(record.model_dump_json())
    return path
