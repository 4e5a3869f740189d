"""Records of every schema version load for good.

``tests/records`` holds one record a version, as a run of the example plugins left it, with neutral provenance. When the
version goes up, a new file joins; none is ever edited.
"""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from privbench.audit.errors import BadInputError
from privbench.audit.record import SCHEMA_VERSION, AuditRecord
from privbench.audit.registry import load
from privbench.audit.runs import RECORD, find_runs, load_record

RECORDS = sorted((Path(__file__).parents[1] / "records").glob("*.json"))


@pytest.fixture(params=RECORDS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def content(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_version_has_a_sample():
    assert {path.stem for path in RECORDS} == {f"v{version}" for version in range(1, SCHEMA_VERSION + 1)}


def test_an_old_record_loads(path):
    record = load_record(path)
    assert {finding.status for finding in record.findings} >= {"ok", "skipped", "error"}
    assert record.verdict.outcome == "fail"


def test_a_record_is_written_as_it_was_read(path, content):
    record = load_record(path)
    assert json.loads(record.model_dump_json(exclude_unset=True)) == content
    assert AuditRecord.model_validate_json(record.model_dump_json()) == record


def places(value, where=()):
    """The path to every object in a JSON document, the open ones (options, libraries) left out."""
    if isinstance(value, dict):
        if where[-1:] not in {("options",), ("libraries",)}:
            yield where
        for key, inner in value.items():
            yield from places(inner, (*where, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*where, 0))


def test_an_unknown_field_is_refused_wherever_it_stands(path, content):
    found = list(places(content))
    assert len(found) > 10
    for where in found:
        changed = json.loads(path.read_text(encoding="utf-8"))
        inner = changed
        for key in where:
            inner = inner[key]
        inner["surprise"] = 1
        with pytest.raises(ValueError, match=r"surprise\n +Extra inputs are not permitted"):
            AuditRecord.model_validate_json(json.dumps(changed))


@pytest.mark.parametrize("version", [0, str(SCHEMA_VERSION), None])
def test_a_record_of_an_unknown_version_is_refused(content, tmp_path, version):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(content | {"schema_version": version}))
    with pytest.raises(BadInputError, match="is not a record of privbench: schema_version: Input should be 1, 2"):
        load_record(file)


def test_a_record_of_a_newer_privbench_is_refused_with_both_versions(content, tmp_path):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(content | {"schema_version": SCHEMA_VERSION + 7, "unheard": "of"}))
    with pytest.raises(BadInputError, match=rf"version {SCHEMA_VERSION + 7}, .* up to {SCHEMA_VERSION}"):
        load_record(file)


def test_a_truncated_record_is_refused(path, tmp_path):
    file = tmp_path / "record.json"
    file.write_text(path.read_text(encoding="utf-8")[:-100])
    with pytest.raises(BadInputError, match="truncated"):
        load_record(file)


def test_runs_are_found_where_they_lie_and_not_through_links(tmp_path):
    for name in ("b", "a", "deeper/c", "a/samples/inner", ".hidden/d", "1/2/3/4"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / RECORD).write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert [str(run.relative_to(tmp_path)) for run in find_runs(tmp_path)] == ["a", "b", "deeper/c"]


@pytest.mark.parametrize("form", ["html", "md", "junit", "json"])
def test_every_report_can_be_written_from_an_old_record(path, form):
    record = load_record(path)
    text = load("report", form).target(record, None)
    for name in (record.spec.generator.name, "example-distance", "example-broken"):
        assert name in text
    if form == "junit":
        assert ET.fromstring(text).find("testsuite") is not None
    if form == "json":
        assert AuditRecord.model_validate_json(text) == record


def test_a_sample_says_nothing_of_the_machine_it_was_made_on(path, content):
    provenance = content["provenance"]
    assert (provenance["platform"], provenance["git_commit"], provenance["git_dirty"]) == ("Linux", None, None)
    assert '"/' not in path.read_text(encoding="utf-8")  # no absolute path
