"""The CSV: every estimate once, numbers in full, and nothing that a spreadsheet would run."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from privbench.audit.runs import load_record
from privbench.reports.cells import cell
from privbench.reports.csv import csv as write

from .made_records import unfair

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")


def read(record):
    return pd.read_csv(io.StringIO(write(record, None)))


def test_every_estimate_is_a_row_that_reads_back_as_it_was(record):
    frame = read(record)
    valid = [(f, e) for f in record.findings if f.status == "ok" for e in f.estimates]
    rows = frame[(frame.status == "ok") & frame.estimate.notna()]
    assert len(rows) == len(valid)
    for (finding, estimate), (_, row) in zip(valid, rows.iterrows(), strict=True):
        assert (row.plugin, row.family, row.estimate) == (finding.plugin, finding.family, estimate.name)
        assert row.n == estimate.n
        for column in ("value", "low", "high", "null", "detectable", "p_value"):
            said = getattr(estimate, column)
            assert (np.isnan(row[column]) and said is None) or row[column] == said
    assert set(frame.generator) == {"dfgm"}
    assert set(frame.seed) == {record.spec.seed}
    assert set(frame.verdict) == {"fail"}
    assert set(frame.simulated) == {True}
    assert frame.run.str.match(r"brain-sim-dfgm-[0-9a-f]{8}$").all()


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[1] / "records").glob("v*.json")), ids=lambda f: f.stem)
def test_records_of_every_version_are_written(file):
    record = load_record(file)
    assert len(read(record)) == sum(max(1, len(f.estimates)) for f in record.findings)


def test_a_finding_without_estimates_has_a_row_with_its_reason(record):
    row = read(record).set_index("plugin").loc["domias"]
    assert (row.status, row.reason) == ("error", "LinAlgError: singular matrix")
    assert np.isnan(row.value)


@pytest.mark.parametrize("copies", [0, 3])
def test_no_number_stands_for_what_is_not_valid_but_copies_are_counted(copies):
    record = unfair(copies=copies)
    frame = read(record)
    invalid = frame[frame.status == "invalid"]
    kept = invalid[invalid.value.notna()]
    assert set(kept.estimate) == {"exact_copies"}
    assert (kept.value > 0).all() == bool(copies)
    others = invalid[invalid.estimate != "exact_copies"]
    assert others[["value", "low", "high", "null", "detectable", "p_value"]].isna().all(axis=None)
    assert invalid.reason.str.len().min() > 10


def test_no_cell_starts_a_formula(hostile):
    rows = list(csv.DictReader(io.StringIO(write(hostile, None))))
    assert len(rows) == sum(max(1, len(f.estimates)) for f in hostile.findings)
    numbers = {"value", "low", "high", "null", "detectable", "p_value", "n", "seed"}
    for row in rows:
        for column, text in row.items():
            if column not in numbers:
                assert not text.startswith(STARTS)
                assert "\n" not in text
            elif text:
                float(text)


@pytest.mark.parametrize("start", STARTS)
def test_text_that_starts_a_formula_is_kept_as_text(start):
    said = cell(f'{start}cmd|"/c calc"!A1')
    assert not said.startswith(STARTS)
    assert 'cmd|"/c calc"!A1' in said
    assert not cell(f"  {start}1+1").startswith((*STARTS, " "))


def test_numbers_stay_numbers():
    assert [cell(v) for v in (-0.1, 1e-17, 3, True, None, 0.1 + 0.2)] == [
        "-0.1",
        "1e-17",
        "3",
        "true",
        "",
        "0.30000000000000004",
    ]
    assert cell("-0.1") == "'-0.1"
    assert cell("a\x00b\u202ec") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
