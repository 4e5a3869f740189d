"""The studies of ``validation/``, imported as their own command would."""

import importlib
import sys
from pathlib import Path

import pytest

VALIDATION = Path(__file__).parents[2] / "validation"


@pytest.fixture
def script(monkeypatch):
    """``script("false_alarms")``: the module of that name, forgotten again after the test."""
    monkeypatch.syspath_prepend(str(VALIDATION))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (VALIDATION / f"{name}.py").exists():
            del sys.modules[name]
