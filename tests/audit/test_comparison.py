"""Audits held against one another: only on the same patients, ranked only where a difference is shown."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from privbench.audit.comparison import MANY, STRONGEST, Comparison, compare, leads_of
from privbench.audit.errors import BadInputError
from privbench.audit.record import PluginSpec

from ..reports.made_comparisons import audit, found, many, number, three


def cell(comparison, plugin, name, entrant, group=""):
    labels = [one.label for one in comparison.entrants]
    return comparison.find(plugin, name, group).cells[labels.index(entrant)]


def refused(*records):
    with pytest.raises(BadInputError) as error:
        compare([(f"runs/{i}", record) for i, record in enumerate(records)])
    assert len(str(error.value).splitlines()) <= 2
    return str(error.value)


def test_runs_that_differ_in_their_seed_only_are_one_entrant():
    comparison = compare(three())
    assert [entrant.label for entrant in comparison.entrants] == ["ldm", "dfgm", "dp-ldm"]
    assert comparison.seeds == (0, 1)
    assert [run.seed for run in comparison.entrants[0].runs] == [0, 1]
    assert cell(comparison, "loss", "auc", "ldm").value == pytest.approx((0.95 + 0.96) / 2)


def test_a_comparison_survives_its_json():
    comparison = compare(three())
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


def test_the_generator_that_leaks_is_ranked_behind_the_others_and_these_share_the_first_rank():
    comparison = compare(three())
    for plugin, name in (("loss", "auc"), ("nearest", "copied_share"), (STRONGEST, "auc")):
        ranks = [c.rank for c in comparison.find(plugin, name).cells]
        assert ranks == [3, 1, 1], (plugin, name)


def test_less_useful_is_worse_and_more_distant_is_worse():
    comparison = compare(three())
    assert [c.rank for c in comparison.find("dice", "dice", "synthetic").cells] == [1, 1, 3]
    assert [c.rank for c in comparison.find("fid", "fid").cells][2] == 3


def test_generators_without_a_difference_have_no_rank():
    comparison = compare([(str(i), audit(name, leak=0.01 * i)) for i, name in enumerate(("a", "b", "c"))])
    for compared in comparison.estimates:
        assert compared.shown == (), compared.name
        assert [c.rank for c in compared.cells] == [None] * 3


def test_an_auc_below_its_null_leaks_as_much_as_one_above():
    comparison = compare([("a", audit("a", leak=0.3)), ("b", audit("b", leak=-0.3)), ("c", audit("c"))])
    auc = comparison.find("loss", "auc")
    assert auc.of == "leak"
    assert [c.rank for c in auc.cells] == [2, 2, 1]
    pair = next(d for d in auc.differences if (d.first, d.second) == (0, 1))
    assert pair.value == pytest.approx(0.0)
    assert pair.better is None
    assert auc.cells[1].value == pytest.approx(0.2)
    assert auc.cells[1].leak == pytest.approx(0.3)


def test_p_values_are_corrected_for_the_pairs_of_their_estimate_as_statsmodels_does():
    comparison = compare([(str(i), audit(f"g{i}", leak=0.03 * i)) for i in range(5)])
    auc = comparison.find("loss", "auc")
    assert len(auc.differences) == 10
    _, expected, _, _ = multipletests([d.p_value for d in auc.differences], method="holm")
    assert [d.adjusted for d in auc.differences] == pytest.approx(list(expected))
    for d in auc.differences:
        assert (d.better is not None) == (d.adjusted <= 0.05)


def test_a_rank_is_one_more_than_the_number_that_are_significantly_better():
    comparison = compare([(str(i), audit(f"g{i}", leak=0.09 * i)) for i in range(5)])
    auc = comparison.find("loss", "auc")
    for i, own in enumerate(auc.cells):
        beaten = sum(d.better not in {None, i} and i in {d.first, d.second} for d in auc.differences)
        assert own.rank == 1 + beaten


def test_pairing_narrows_the_interval_of_a_difference():
    paired = compare([("a", audit("a", leak=0.1)), ("b", audit("b", leak=0.0))]).find("loss", "auc").differences[0]
    assert paired.paired
    independent = 2**0.5 * 2 * 0.08
    assert paired.high - paired.low < 0.8 * independent
    alone = compare([("a", audit("a", leak=0.1)), ("b", audit("b"))]).find("siamese", "linked_excess").differences[0]
    assert not alone.paired
    assert alone.high - alone.low == pytest.approx(2**0.5 * 2 * 0.03, rel=1e-6)


def test_equal_generators_are_rarely_called_different_whatever_their_number():
    """Of comparisons of six generators that are alike, at most about 5% may rank any: Holm keeps the error of all."""
    rng = np.random.default_rng(0)
    half = 0.08
    error = half / scipy_stats.norm.ppf(0.975)
    wrong = 0
    for i in range(60):
        runs = []
        for j in range(6):
            auc = number("auc", 0.7 + rng.normal(0, error), half, paired=False, worse="both", null=0.5)
            runs.append((f"{i}{j}", audit(f"g{j}", findings=(found("loss", "membership", auc),), strongest=())))
        wrong += bool(compare(runs).find("loss", "auc").shown)
    assert wrong <= scipy_stats.binom.ppf(0.999, 60, 0.05)


def test_a_number_that_is_missing_is_no_rank_and_no_zero():
    gap = found("nearest", "memorization", status="invalid", reason="the check 'duplicates' failed")
    third = audit("c", leak=0.0)
    broken = third.model_copy(
        update={"findings": tuple(gap if f.plugin == "nearest" else f for f in third.findings), "strongest": ()}
    )
    comparison = compare([("a", audit("a", leak=0.4)), ("b", audit("b")), ("c", broken)])
    own = cell(comparison, "nearest", "copied_share", "c")
    assert (own.status, own.value, own.rank) == ("invalid", None, None)
    assert "duplicates" in own.reason
    assert [c.rank for c in comparison.find("nearest", "copied_share").cells] == [2, 1, None]
    assert all(2 not in {d.first, d.second} for d in comparison.find("nearest", "copied_share").differences)
    assert cell(comparison, STRONGEST, "auc", "c").status == "absent"


def test_a_number_that_one_seed_lacks_is_missing_altogether():
    half = audit("a", seed=1)
    half = half.model_copy(update={"findings": tuple(f for f in half.findings if f.plugin != "nearest")})
    runs = [("a0", audit("a")), ("a1", half), ("b0", audit("b")), ("b1", audit("b", seed=1))]
    own = cell(compare(runs), "nearest", "copied_share", "a")
    assert (own.status, own.value) == ("absent", None)
    assert "1 of 2 seeds" in own.reason


def test_an_attack_with_other_options_is_shown_but_not_subtracted():
    comparison = compare([("a", audit("a", leak=0.4)), ("b", audit("b", loss={"steps": 50}))])
    auc = comparison.find("loss", "auc")
    assert [c.status for c in auc.cells] == ["measured", "measured"]
    assert auc.differences == ()
    assert "steps=5" in auc.withheld
    assert "steps=50" in auc.withheld
    assert comparison.find("nearest", "copied_share").differences


def test_the_strongest_of_other_attacks_is_not_subtracted():
    second = audit("b")
    other = second.strongest[0].model_copy(update={"tried": ("loss", "secmi")})
    second = second.model_copy(update={"strongest": (other,)})
    comparison = compare([("a", audit("a", leak=0.4)), ("b", second)])
    assert comparison.find(STRONGEST, "auc").differences == ()
    assert "other attacks" in comparison.find(STRONGEST, "auc").withheld


def test_one_that_grants_less_does_not_keep_the_others_from_being_compared():
    less = audit("c", leak=-0.4)
    fewer = less.strongest[0].model_copy(update={"tried": ("domias",)})
    runs = [("a", audit("a", leak=0.4)), ("b", audit("b")), ("c", less.model_copy(update={"strongest": (fewer,)}))]
    for order in (runs, runs[::-1]):
        best = compare(order).find(STRONGEST, "auc")
        labels = [path for path, _ in order]
        assert [{labels[d.first], labels[d.second]} for d in best.differences] == [{"a", "b"}]
        assert {label: c.rank for label, c in zip(labels, best.cells, strict=True)} == {"a": 2, "b": 1, "c": None}
        assert best.cells[labels.index("c")].status == "measured"
        assert "other attacks" in best.cells[labels.index("c")].reason


def test_arms_of_a_metric_are_subtracted_as_they_are_whatever_their_reference():
    def referred(name, useful, reference):
        record = audit(name, useful=useful)
        (dice,) = (f for f in record.findings if f.plugin == "dice")
        real, made = (e.model_copy(update={"null": reference}) for e in dice.estimates)
        changed = dice.model_copy(update={"estimates": (real.model_copy(update={"value": reference}), made)})
        return record.model_copy(update={"findings": tuple(changed if f is dice else f for f in record.findings)})

    dice = compare([("a", referred("a", 0.7, 0.9)), ("b", referred("b", 0.5, 0.5))]).find("dice", "dice", "synthetic")
    assert (dice.of, [c.rank for c in dice.cells]) == ("value", [1, 2])
    assert dice.differences[0].value == pytest.approx(0.2)


def test_who_trained_on_other_patients_and_with_another_budget_is_named():
    half = audit("b", spec={"budget": "standard", "samples": 50})
    members, *rest = half.data
    some = members.model_copy(update={"patients": 40, "sha256": "c" * 64})
    every = members.model_copy(update={"part": "all members"})
    comparison = compare([("a", audit("a")), ("b", half.model_copy(update={"data": (some, every, *rest)}))])
    notes = " ".join(comparison.notes)
    assert "Not all trained on the same patients" in notes
    assert "a (100); b (40)" in notes
    assert "different budgets: a (quick); b (standard)" in notes
    assert "different numbers of samples: a (the default); b (50)" in notes


def test_seeds_that_not_all_have_are_left_out_and_named():
    runs = [*three(), ("runs/lonely", audit("ldm", seed=7, leak=0.1))]
    comparison = compare(runs)
    assert comparison.seeds == (0, 1)
    assert any("runs/lonely" in note for note in comparison.notes)
    assert comparison.find("loss", "auc") == compare(three()).find("loss", "auc")
    assert [run.compared for run in comparison.entrants[0].runs] == [True, True, False]


def test_a_verdict_is_the_worst_over_seeds_and_a_broken_plugin_is_no_pass():
    broke = (found("domias", "membership", status="error", reason="LinAlgError"),)
    runs = [
        ("a0", audit("a", outcome="pass")),
        ("a1", audit("a", seed=1, outcome="fail")),
        ("b0", audit("b", outcome="pass", extra=broke)),
        ("b1", audit("b", seed=1, outcome="pass")),
    ]
    first, second = compare(runs).entrants
    assert (first.outcome, first.fails) == ("fail", 1)
    assert (second.outcome, second.failed) == ("inconclusive", ("domias",))


def test_labels_say_no_more_than_tells_apart():
    def labels(*records):
        return [e.label for e in compare([(str(i), r) for i, r in enumerate(records)]).entrants]

    assert labels(audit("ldm"), audit("dfgm")) == ["ldm", "dfgm"]
    epsilons = [audit("dp-ldm", options={"epsilon": e, "clip": 1.0}) for e in (3, 10)]
    assert labels(audit("ldm"), *epsilons) == ["ldm", "dp-ldm (epsilon=3)", "dp-ldm (epsilon=10)"]
    guard = {"guard": PluginSpec(name="min-distance", options={"quantile": 0.05})}
    assert labels(audit("ldm"), audit("ldm", spec=guard)) == ["ldm (no guard)", "ldm (guard=min-distance)"]
    grid = [audit("ldm", options={"a": a, "b": b}) for a in (1, 2) for b in (1, 2)]
    assert labels(*grid)[3] == "ldm (a=2, b=2)"
    longest = labels(*(audit("folder", options={"path": f"/data/{'x' * 90}/{end}"}) for end in ("one", "two")))
    assert longest[0].endswith("/one)")
    assert max(map(len, longest)) < 80


def test_a_label_holds_nothing_that_a_terminal_obeys():
    comparison = compare([("a", audit("\x1b[31mred\n")), ("b", audit("b"))])
    assert comparison.entrants[0].label.isprintable()


def test_of_many_entrants_only_main_figures_are_subtracted():
    comparison = compare(many(MANY + 1))
    pairs = len(list(combinations(range(MANY + 1), 2)))
    assert not comparison.every_pair
    assert len(comparison.find("loss", "auc").differences) == pairs
    assert len(comparison.find("dice", "dice", "synthetic").differences) == pairs
    assert comparison.find("dice", "dice", "real").differences == ()


def test_the_leading_figures_are_those_that_rules_judge_and_utility():
    names = [(e.plugin, e.name) for e in leads_of(compare(three()))]
    assert names == [
        ("nearest", "copied_share"),
        ("siamese", "linked_excess"),
        (STRONGEST, "auc"),
        ("dice", "dice"),
        ("fid", "fid"),
    ]


def test_a_single_run_cannot_be_compared():
    assert "a comparison needs two" in refused(audit("a"))
    assert "no run was given" in refused()


def test_seeds_of_one_generator_alone_cannot_be_compared():
    assert "one generator" in refused(audit("a"), audit("a", seed=1))


def test_the_same_run_twice_is_refused():
    assert "the same run" in refused(audit("a"), audit("a"), audit("b"))
    other = audit("a", leak=0.2)
    assert "'a' with seed 0" in refused(audit("a"), other, audit("b"))


def test_another_cohort_is_refused_by_name():
    other = audit("b")
    other = other.model_copy(
        update={
            "spec": other.spec.model_copy(update={"cohort": PluginSpec(name="folder")}),
            "data": tuple(d.model_copy(update={"sha256": "0" * 64}) for d in other.data),
        }
    )
    message = refused(audit("a"), other)
    assert "brain-sim" in message
    assert "folder" in message
    assert "runs/0" in message


def test_another_split_of_the_same_cohort_is_refused_by_its_part():
    other = audit("b")
    marks = [d.model_copy(update={"sha256": "0" * 64}) if d.part == "holdout" else d for d in other.data]
    assert "holdout" in refused(audit("a"), other.model_copy(update={"data": tuple(marks)}))


def test_another_cohort_at_another_seed_is_refused():
    def smaller(record):
        cohort = PluginSpec(name="brain-sim", options={"size": 32})
        return record.model_copy(update={"spec": record.spec.model_copy(update={"cohort": cohort})})

    later = [smaller(audit(name, seed=1)) for name in ("a", "b")]
    assert "size" in refused(audit("a"), audit("b"), *later)


def test_intervals_of_another_confidence_are_refused():
    assert "0.9" in refused(audit("a"), audit("b", spec={"confidence": 0.9}))


def test_no_common_seed_is_refused():
    message = refused(audit("a"), audit("b", seed=1))
    assert "no seed is common" in message
