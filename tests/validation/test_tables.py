"""Finished audits are kept and read again; a table replaces only its own section."""

import sys
from pathlib import Path

import pytest

VALIDATION = Path(__file__).parents[2] / "validation"
CALLS = []


def square(seed):
    CALLS.append(seed)
    return {"square": float(seed**2)}


@pytest.fixture
def tables(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(VALIDATION))
    monkeypatch.setitem(sys.modules, square.__module__, sys.modules.get(square.__module__) or _this_module())
    import tables

    monkeypatch.setattr(tables, "CACHE", tmp_path)
    CALLS.clear()
    yield tables
    sys.modules.pop("tables")


def _this_module():
    from types import ModuleType

    module = ModuleType(square.__module__)
    module.__file__ = __file__
    return module


def test_finished_audits_are_not_run_again(tables):
    rows = tables.audits("squares", square, range(25))
    assert [row["square"] for row in rows] == [seed**2 for seed in range(25)]
    calls = len(CALLS)
    assert tables.audits("squares", square, range(25)) == rows
    assert len(CALLS) == calls
    assert tables.audits("squares", square, range(25), resume=False) == rows
    assert len(CALLS) == 2 * calls


def test_more_audits_add_to_those_there_are(tables):
    tables.audits("squares", square, range(20))
    tables.audits("squares", square, range(60))
    assert sorted(CALLS) == list(range(60))


def test_a_change_of_the_code_starts_anew(tables, tmp_path, monkeypatch):
    tables.audits("squares", square, range(3))
    changed = tmp_path / "changed.py"
    changed.write_text("other code")
    monkeypatch.setattr(sys.modules[square.__module__], "__file__", str(changed))
    before = len(CALLS)
    tables.audits("squares", square, range(3))
    assert len(CALLS) == 2 * before


def test_a_table_replaces_only_its_own_section(tables, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\n")
    tables.write_table("one", ["a", "b"], [["1", "2"]], "python x.py", page)
    text = page.read_text()
    assert "old" not in text
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |\n<!-- /one -->\nbetween\n" in text
    assert "python x.py" in text
    assert "privbench" in text
    assert text.startswith("before\n")
    assert text.endswith("kept\n<!-- /two -->\n")


def test_a_section_that_is_not_there_is_named(tables, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="three"):
        tables.write_table("three", ["a"], [], "x", page)
