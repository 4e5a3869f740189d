"""The model card: what Hugging Face reads of it is what the record holds, and its text says what is missing."""

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from privbench.audit.runs import load_record
from privbench.reports.model_card import model_card

from .made_records import RECORDS, unfair


def read(record):
    """The card as Hugging Face's own classes read it."""
    return ModelCard(model_card(record, None), ignore_metadata_errors=False)


@pytest.mark.parametrize("name", RECORDS)
def test_every_figure_in_the_index_is_a_measured_one_of_the_record(name):
    record = RECORDS[name]()
    card = read(record)
    measured = {
        (f.plugin, e.name, e.group): e
        for f in record.findings
        if f.status == "ok"
        for e in f.estimates
        if e.value is not None
    }
    assert card.data.eval_results
    for result in card.data.eval_results:
        told = result.metric_args
        estimate = measured[told["plugin"], result.metric_type, told.get("group", "")]
        assert result.metric_value == estimate.value
        assert (told.get("low"), told.get("high"), told.get("null")) == (estimate.low, estimate.high, estimate.null)
        assert told.get("detectable") == estimate.detectable
        assert (told["n"], told["unit"], told["confidence"]) == (estimate.n, estimate.unit, record.spec.confidence)
        assert result.verified is False
        assert result.dataset_name == "brain-sim (simulated patients)"


def test_the_index_goes_through_hugging_face_and_back(record):
    card = read(record)
    index = card.data.to_dict()["model-index"]
    name, results = model_index_to_eval_results(index)
    assert name == "dfgm"
    assert results == card.data.eval_results
    again = ModelCard(str(card))
    assert again.data.to_dict() == card.data.to_dict()
    assert again.text == card.text
    parts = results[0].dataset_args["parts"]
    assert parts["members"]["sha256"] == record.data[0].sha256


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[1] / "records").glob("v*.json")), ids=lambda f: f.stem)
def test_records_of_every_version_have_a_card(file):
    record = load_record(file)
    card = read(record)
    assert f"**{record.verdict.outcome.upper()}.**" in card.text
    assert card.data.model_name == record.spec.generator.name


def test_headlines_of_privacy_and_utility_are_there(record):
    types = {(r.metric_type, r.metric_args["plugin"]) for r in read(record).data.eval_results}
    assert {("copied_share", "nearest"), ("auc", "gan-leaks"), ("linked_excess", "siamese")} <= types
    assert {plugin for _, plugin in types} & {"dice", "frechet", "roc-auc"}


def test_what_could_not_be_measured_stands_in_the_text_and_not_in_the_index(record):
    card = read(record)
    assert not {r.metric_args["plugin"] for r in card.data.eval_results} & {"domias", "faces"}
    assert "| domias | error: LinAlgError: singular matrix |" in card.text
    assert "the verifier's AUC on real pairs is 0.61" in card.text
    void = unfair()
    families = {r.metric_args["plugin"] for r in read(void).data.eval_results or []}
    assert not families & {"nearest", "gan-leaks", "siamese"}
    assert "| nearest | invalid: the check 'duplicates' failed" in read(void).text


def test_a_card_without_a_figure_has_no_index(record):
    bare = record.model_copy(update={"findings": tuple(f for f in record.findings if f.status == "error")})
    card = read(bare)
    assert card.data.eval_results is None
    assert "model-index" not in card.data.to_dict()
    assert "privacy" in card.data.tags
    assert "Utility was not measured." in card.text
    assert "No attack gave a result." in card.text


def test_the_text_says_verdict_tested_untested_and_how_to_do_it_again(record):
    text = read(record).text
    assert "**FAIL.**" in text
    assert "Simulated data." in text
    sections = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert sections == ["Criteria", "Utility", "What was tested", "What was not tested", "How to reproduce"]
    assert "\n```\nprivbench run --generator dfgm --attack all\n```\n" in text
    assert record.data[0].sha256 in text
    assert "| Membership AUC (gan-leaks) | 0.541 | 0.462 to 0.618 | 0.500 |" in text


def test_a_claim_of_differential_privacy_is_told_with_what_it_means():
    text = read(RECORDS["declared"]()).text
    assert "### Claim of differential privacy" in text
    assert "behind the guard min-distance" in text


def test_hostile_text_is_inert_in_yaml_and_markdown(hostile, hostile_text):
    card = read(hostile)
    assert card.data.model_name == hostile_text  # YAML gives back what was put in, and nothing more
    assert set(card.data.to_dict()) == {"tags", "model-index"}
    text, _, rest = card.text.partition("### How to reproduce")
    command = re.search(r"\n(`{3,})\n(.*)\n\1\n", rest)
    assert command.group(2) == hostile_text  # in a fence that it cannot end, as typed
    outside = text + rest.replace(command.group(0), "")
    assert not re.search(r"<(script|img|!--)", outside)
    assert "@all" not in outside
    tables = [line for line in outside.splitlines() if line.startswith("| ")]
    assert len({re.sub(r"\\.", "", line).count("|") for line in tables}) <= 3  # no cell makes cells of its own


def test_a_line_that_would_end_the_front_matter_does_not(record):
    spec = record.spec.model_copy(
        update={"generator": record.spec.generator.model_copy(update={"name": "x\n---\n# evil\nlicense: mit"})}
    )
    card = read(record.model_copy(update={"spec": spec}))
    assert set(card.data.to_dict()) == {"tags", "model-index"}
    assert card.data.model_name == "x --- # evil license: mit"
    assert "\n# evil" not in card.text
