"""The page on attacks says of each built-in what the plugin says of itself, and leaves none out."""

import re
from pathlib import Path

import pytest

from privbench.audit import registry
from privbench.audit.catalogue import available

PAGE = Path(__file__).parents[2] / "docs" / "attacks.md"
ROW = re.compile(r"^\| `([a-z-]+)` \|(.+)\|$", re.MULTILINE)
BUILT_IN = [name for name, entry in available("attack").items() if entry.origin == "built-in"]


def rows() -> dict[str, list[str]]:
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(dict(found)) == len(found)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in found}


def test_every_built_in_attack_has_a_row_and_no_row_is_without_an_attack():
    assert sorted(rows()) == sorted(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_row_states_family_access_and_paper_as_the_plugin_does(name):
    facts = registry.load("attack", name).facts
    family, access, paper, *words = rows()[name]
    assert (family, access, paper) == (facts.family, facts.access.name, facts.paper)
    assert len(words) == 3
    assert all(words)
