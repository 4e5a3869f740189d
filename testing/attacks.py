"""The checks of an attack."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from .attack_contract import (
    leaves_global_rngs,
    leaves_inputs,
    repeats_itself,
    require_facts,
    returns_valid_scores,
    takes_no_samples,
    takes_one_patient_a_side,
    takes_one_sample,
    takes_only_the_declared_access,
)
from .attack_statistics import (
    finds_the_copycat,
    ignores_order_and_names,
    rewards_a_copy,
    scores_each_sample_on_its_own,
    survives_monotone_transforms,
    tells_candidates_apart,
    uniform_on_the_null,
)
from .audits import Subject, resolved
from .conformance import Check, checked, require, run_all
from .memory import peak_bytes
from .worlds import World

NOTHING: Mapping[str, str] = {}
GROWTH = 4  # images on either side, in the check of memory


def check_attack(
    attack: object,
    *,
    world: World | None = None,
    seeds: int = 40,
    leave_out: Mapping[str, str] = NOTHING,
    **options: object,
) -> None:
    """Make every check of an attack; see ``attack_checks`` for the arguments.

    Raises:
        ConformanceError: listing every failed check, what was seen and what to do.
        unittest.SkipTest: if nothing failed, but the attack cannot run here.
    """
    checks = attack_checks(attack, world=world, seeds=seeds, leave_out=leave_out, **options)
    run_all(_label(attack), checks)


def attack_checks(
    attack: object,
    *,
    world: World | None = None,
    seeds: int = 40,
    leave_out: Mapping[str, str] = NOTHING,
    **options: object,
) -> Iterator[Check]:
    """Every check of an attack by name, for ``pytest.mark.parametrize``.

    Args:
        attack: the decorated function.
        world: where it is examined; by default 16 + 16 patients of two 32-pixel images.
        seeds: audits of a release without a leak; a quarter as many are made of one with a leak.
        leave_out: checks not to be made, each with the reason.
        options: the attack's own.

    Raises:
        TypeError: if it is no attack.
    """
    facts, values = resolved(attack, "attack", options)
    subject = Subject(attack, facts, values, world or World(), seeds)
    checks = {
        "describes itself and its options": partial(require_facts, attack),
        "returns valid scores of its family": partial(returns_valid_scores, subject),
        "gives the same scores under the same seed": partial(repeats_itself, subject),
        "touches no global generator": partial(leaves_global_rngs, subject),
        "leaves its inputs alone": partial(leaves_inputs, subject),
        "takes no more than the declared access": partial(takes_only_the_declared_access, subject),
        "ignores the order and names of candidates": partial(ignores_order_and_names, subject),
        "does not score a candidate lower for its copy": partial(rewards_a_copy, subject),
        "takes a release of one image": partial(takes_one_sample, subject),
        "takes an empty release": partial(takes_no_samples, subject),
        "takes one patient a side": partial(takes_one_patient_a_side, subject),
        "needs memory for pairs, not for pairs times pixels": partial(needs_little_memory, subject),
    }
    if facts.family == "membership":
        checks["tells candidates apart"] = partial(tells_candidates_apart, subject)
    elif facts.family != "attribute":  # whose nearest image another one may take the place of
        checks["scores each sample on its own"] = partial(scores_each_sample_on_its_own, subject)
    if facts.family not in {"memorization", "attribute"}:
        checks["only the order of its scores counts"] = partial(survives_monotone_transforms, subject)
    if facts.family == "canary":
        del checks["does not score a candidate lower for its copy"]  # it scores images of its own
    checks["finds a release of copies"] = partial(finds_the_copycat, subject)
    checks["accuses no harmless release"] = partial(uniform_on_the_null, subject)
    yield from checked(_label(attack), checks, leave_out)


def needs_little_memory(subject: Subject) -> None:
    """With four times the candidates and samples, the peak grows by far less than candidates x samples x pixels."""
    small = replace(subject.world, patients=16, images=2, reserve=32, side=max(subject.world.side, 32))
    large = replace(small, images=2 * GROWTH)
    subject.scores(subject.audit(world=small))  # what is imported on first use is not the attack's
    peaks, cells = [], []
    for world in (small, large):
        audit = subject.audit(world=world)
        peaks.append(peak_bytes(partial(subject.scores, audit)))
        cells.append(len(audit.truth.candidates) * len(audit.target.samples) * audit.target.samples.pixels[0].nbytes)
    grown, limit = peaks[1] - peaks[0], (cells[1] - cells[0]) / 4
    require(
        grown <= limit,
        f"with {GROWTH} x the candidates and samples, peak memory grew by {grown / 2**20:.0f} MB "
        f"(candidates x samples x pixels: {4 * limit / 2**20:.0f} MB)",
        "compare images in blocks of bounded size",
    )


def _label(attack: object) -> str:
    return f"attack {getattr(attack, '__name__', attack)!r}"
