"""Whole audits with the example plugins: what a run leaves, and what happens when something goes wrong."""

import json
import shutil

import numpy as np
import pytest
from filelock import FileLock

import privbench
from privbench.audit.outputs import run_path
from privbench.audit.persist import load_split
from privbench.audit.record import SCHEMA_VERSION
from privbench.audit.runs import load_record

TOY = {
    "cohort": "example-blobs",
    "generator": {"name": "example-mixture", "options": {"leak": 0.3}},
    "attacks": ["example-distance", "example-membership"],
    "metrics": ["example-mean"],
}


def without_clock(record):
    findings = tuple(f.model_copy(update={"seconds": 0.0}) for f in record.findings)
    return record.model_copy(update={"findings": findings, "provenance": None})


@pytest.fixture
def toy(example, tmp_path):
    def run(out="run", store="store", **changes):
        return privbench.run(TOY | changes, out=tmp_path / out, store=tmp_path / store)

    return run


def test_a_leak_is_found_and_written_down(toy, tmp_path):
    record = toy()
    share = record.finding("example-distance").estimate("copied_share")
    assert share.low <= 0.3 <= share.high
    assert record.verdict.outcome == "fail"
    assert load_record(tmp_path / "run") == record
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert len(list((tmp_path / "run" / "samples" / "images").glob("*.png"))) == 60


def test_strangers_are_not_accused(toy):
    record = toy(generator={"name": "example-mixture", "options": {"leak": 0.0}})
    assert record.verdict.outcome != "fail"
    auc = record.finding("example-membership").estimate("auc")
    assert auc.low < 0.5 < auc.high


def test_the_same_spec_gives_the_same_scores_to_the_bit(toy):
    assert without_clock(toy()) == without_clock(toy(out="other", store="elsewhere"))


def test_another_seed_gives_other_scores(toy):
    assert without_clock(toy()) != without_clock(toy(out="other", seed=1))


def test_finished_stages_are_not_computed_again(toy, tmp_path):
    first = toy()
    again = toy(out="second")
    assert [f.seconds for f in again.findings] == [f.seconds for f in first.findings]
    computed = list((tmp_path / "store" / "cohort").glob("*/computed.txt"))
    assert [file.read_text() for file in computed] == ["once\n"]


def test_a_changed_option_recomputes_only_what_depends_on_it(toy, tmp_path):
    toy()
    toy(out="second", generator={"name": "example-mixture", "options": {"leak": 0.1}})
    store = tmp_path / "store"
    assert len(list(store.glob("cohort/*/stage.json"))) == 1
    assert len(list(store.glob("samples/*/stage.json"))) == 2


def test_the_content_of_a_file_option_counts(toy, tmp_path):
    weights = tmp_path / "weights.bin"
    for content in (b"1", b"2"):
        weights.write_bytes(content)
        toy(out=content.decode(), generator={"name": "example-mixture", "options": {"weights": str(weights)}})
    assert len(list((tmp_path / "store").glob("model/*/stage.json"))) == 2


def test_a_broken_attack_is_a_finding_and_the_run_goes_on(toy, tmp_path):
    record = toy(attacks=["example-broken", "example-distance"])
    broken, distance = (record.finding(f"example-{name}") for name in ("broken", "distance"))
    assert (broken.status, broken.reason) == ("error", "RuntimeError: this attack is broken")
    assert distance.status == "ok"
    assert broken.estimates == ()
    assert "this attack is broken" in (tmp_path / "run" / "confidential" / "example-broken.traceback.txt").read_text()


def test_what_access_does_not_permit_is_skipped_with_the_reason(toy):
    record = toy(attacks=["example-denoiser"])
    assert record.finding("example-denoiser").status == "skipped"
    assert record.finding("example-denoiser").reason == "needs DENOISER, example-mixture grants SAMPLES"


def test_what_was_not_measured_is_never_a_pass(toy):
    for attacks in (["none"], ["example-denoiser"], ["example-broken"], ["example-membership"]):
        record = toy(
            out="-".join(attacks), attacks=attacks, generator={"name": "example-mixture", "options": {"leak": 0.0}}
        )
        assert record.verdict.outcome == "inconclusive"


def test_a_skipped_metric_says_why(toy):
    finding = toy(metrics=["example-absent"]).findings[-1]
    assert (finding.status, finding.reason) == ("skipped", "needs the moon; get it from the sky")


def test_attacks_see_no_names_and_no_order(toy, tmp_path, monkeypatch):
    from privbench_example import plugins

    from privbench.audit.plugin import FACTS

    seen = []

    def spy(target, candidates, aux):
        seen.append(candidates)
        return privbench.MembershipScores(np.zeros(len(candidates)))

    setattr(spy, FACTS, getattr(plugins.membership, FACTS))
    monkeypatch.setattr(plugins, "membership", spy)
    toy(attacks=["example-membership"])
    candidates = seen[0]
    split, _ = load_split(next((tmp_path / "store" / "cohort").glob("*/split.json")).parent)
    real = set(split.members.patient) | set(split.holdout.patient)
    assert not real & set(candidates.patient)
    assert not candidates.pixels.flags.writeable
    member = np.array([(split.members.pixels == image).all((1, 2, 3)).any() for image in candidates.pixels])
    # neither the images' order nor the pseudonyms' tells members from others
    place = np.arange(len(member))
    for rank in (place, np.unique(candidates.patient, return_inverse=True)[1]):
        assert abs(np.corrcoef(rank, member)[0, 1]) < 0.35


def test_confidential_scores_stay_out_of_record_and_report(toy, tmp_path):
    record = toy()
    run = tmp_path / "run"
    rows = (run / "confidential" / "example-membership.csv").read_text().splitlines()
    assert rows[0].startswith("# CONFIDENTIAL")
    assert rows[1] == "patient,member,score"
    assert any(row.startswith("members-000,1,") for row in rows)
    for text in (record.model_dump_json(), (run / "report.html").read_text()):
        assert "members-000" not in text
        assert "holdout-000" not in text


def test_copies_are_not_shown_in_the_gallery(toy, tmp_path):
    toy()
    split, _ = load_split(next((tmp_path / "store" / "cohort").glob("*/split.json")).parent)
    gallery = np.load(tmp_path / "run" / "gallery" / "gallery.pixels.npy")
    assert len(gallery) == 24
    assert not any((split.members.pixels == image).all((1, 2, 3)).any() for image in gallery)


def test_samples_can_be_read_back_as_released(toy, tmp_path):
    toy()
    samples = tmp_path / "run" / "samples"
    record = privbench.run(
        TOY | {"generator": {"name": "folder", "options": {"path": str(samples)}}},
        out=tmp_path / "again",
        store=tmp_path / "store",
    )
    share = record.finding("example-distance").estimate("copied_share")
    assert share.low <= 0.3 <= share.high


def test_a_folder_of_another_audit_is_refused(toy):
    toy()
    with pytest.raises(privbench.BadInputError, match=r"holds another audit \('seed' differs\)\nchoose another"):
        toy(seed=7)


def test_a_second_run_into_one_place_says_so_and_stops(toy, tmp_path):
    (tmp_path / "run").mkdir()
    with (
        FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(privbench.BadInputError, match="another run is writing to"),
    ):
        toy()


def test_an_output_folder_that_cannot_be_written_is_named(example, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(privbench.BadInputError, match=r"output folder '.*' is .*\nchoose another with --out"):
        privbench.run(TOY, out=tmp_path / "file", store=tmp_path / "store")
    if shutil.os.path.isdir("/proc/1"):
        with pytest.raises((privbench.BadInputError, FileNotFoundError)):
            privbench.run(TOY, out="/proc/privbench", store=tmp_path / "store")


def test_a_split_too_small_for_the_attack_is_refused_before_training(toy, tmp_path):
    cohort = {"name": "example-blobs", "options": {"patients": 1}}
    with pytest.raises(privbench.BadInputError, match="attack 'example-distance' needs at least 2 reference patients"):
        toy(cohort=cohort)
    assert not (tmp_path / "store" / "model").exists()


def test_nothing_is_trained_when_an_option_is_wrong(toy, tmp_path):
    with pytest.raises(privbench.BadInputError, match="attack 'example-membership': option power='x'"):
        toy(attacks=[{"name": "example-membership", "options": {"power": "x"}}])
    assert not (tmp_path / "store").exists()


def test_the_default_folder_is_named_after_what_is_audited(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = privbench.run(TOY, store=tmp_path / "store")
    folder = run_path(None, record.spec)
    assert folder.name.startswith("example-blobs-example-mixture-")
    assert json.loads((folder / "record.json").read_text())["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize(("number", "said"), [(30, "read-only"), (28, "on a full disk"), (13, "not writable")])
def test_a_read_only_or_full_output_folder_is_named(toy, monkeypatch, number, said):
    import os

    from privbench.audit import outputs

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(outputs, "write_text_whole", refuse)
    with pytest.raises(privbench.BadInputError, match=f"output folder '.*' is {said}\nchoose another with --out"):
        toy()


def test_every_attack_says_how_small_a_leak_it_would_have_found(toy, tmp_path):
    record = toy()
    for attack in ("example-distance", "example-membership"):
        found = record.finding(attack)
        shares = {e.group: e for e in found.estimates if e.name == "detectable_share"}
        assert shares["exact"].low <= shares["exact"].value <= shares["exact"].high < 0.5
        assert {p.kind for p in found.plots} >= {"power"}
    share = record.finding("example-distance").estimate("copied_share")
    assert share.detectable >= record.finding("example-distance").estimate("detectable_share", "exact").value
    assert len(list((tmp_path / "store" / "power").glob("*/stage.json"))) == 2


def test_a_finished_audit_is_certified_more_closely_without_attacking_again(toy, tmp_path):
    first = toy()
    before = sorted((tmp_path / "store" / "attack").iterdir())
    record = toy(certificate="thorough")
    assert sorted((tmp_path / "store" / "attack").iterdir()) == before
    light, thorough = (r.finding("example-distance").estimate("detectable_share", "exact") for r in (first, record))
    assert thorough.n > light.n
    assert record.finding("example-distance").estimate("copied_share").value == pytest.approx(
        first.finding("example-distance").estimate("copied_share").value
    )
    assert load_record(tmp_path / "run").spec.certificate == "thorough"


def test_without_a_certificate_nothing_passes(toy):
    record = toy(generator={"name": "example-mixture", "options": {"leak": 0.0}}, certificate="none")
    assert not any(e.name == "detectable_share" for f in record.findings for e in f.estimates)
    attacked = [r for r in record.verdict.rules if r.name.endswith(("copied_share", "auc"))]
    assert {r.outcome for r in attacked} == {"inconclusive"}


def test_members_and_holdout_are_compared_before_anything_is_trained(toy, monkeypatch):
    from privbench.audit import stages

    def stop(*_):
        raise KeyboardInterrupt

    asked = []
    real = stages.check_comparison
    monkeypatch.setattr(stages, "check_comparison", lambda *a: asked.append(len(a)) or real(*a))
    monkeypatch.setattr(stages.Stages, "samples", stop)
    with pytest.raises(KeyboardInterrupt):
        toy()
    assert asked == [3]


def test_an_unfair_comparison_makes_the_attacks_invalid_and_lists_the_pairs_apart(toy, tmp_path):
    record = toy(cohort={"name": "example-blobs", "options": {"twins": 2}})
    check = record.finding("duplicates")
    assert check.status == "invalid"
    distance = record.finding("example-distance")
    assert (distance.status, distance.reason.startswith("the check 'duplicates' failed: ")) == ("invalid", True)
    assert record.finding("example-mean").status == "ok"
    assert record.verdict.outcome != "pass"
    pairs = (tmp_path / "run" / "confidential" / "checks.csv").read_text()
    assert pairs.startswith("# CONFIDENTIAL")
    names = {line.split(",")[2] for line in pairs.splitlines()[2:]}
    assert names
    text = record.model_dump_json() + (tmp_path / "run" / "report.html").read_text()
    assert not any(name in text for name in names)


def test_a_crashed_check_is_a_finding_that_the_next_run_asks_again(toy, tmp_path, monkeypatch):
    from privbench.audit import stages
    from privbench.audit.checks import validity

    def broken(_):
        raise RuntimeError("out of order")

    real = stages.check_comparison
    bad = (*validity.CHECKS[:-1], validity.Check("shift", "", broken))
    monkeypatch.setattr(stages, "check_comparison", lambda *a: real(*a, bad))
    record = toy()
    assert (record.finding("shift").status, record.finding("shift").reason) == ("error", "RuntimeError: out of order")
    assert "out of order" in (tmp_path / "run" / "confidential" / "checks.traceback.txt").read_text()
    assert any(r.name == "validity.shift" and r.outcome == "inconclusive" for r in record.verdict.rules)
    monkeypatch.setattr(stages, "check_comparison", real)
    assert toy().finding("shift").status == "ok"
    assert not (tmp_path / "run" / "confidential" / "checks.traceback.txt").exists()
