"""What judging a record costs: CI waits for it on every merge request."""

import sys
from pathlib import Path

import pytest

from privbench.audit.runs import load_record

ATTACKS = 25
RECORD = Path(__file__).parent.parent / "tests" / "records" / "v5.json"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """An audit by 25 attacks, each with everything that one reports."""
    one = load_record(RECORD)
    (attack,) = (f for f in one.findings if f.plugin == "example-membership")
    blocks = {"blocks": tuple(0.5 + i / 1000 for i in range(20))}
    attack = attack.model_copy(update={"estimates": tuple(e.model_copy(update=blocks) for e in attack.estimates)})
    many = [attack.model_copy(update={"plugin": f"attack-{i}"}) for i in range(ATTACKS)]
    file = tmp_path_factory.mktemp("gate") / "record.json"
    file.write_text(one.model_copy(update={"findings": (*one.findings, *many)}).model_dump_json())
    return file


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """The default one, with a regression."""
    text = (Path(__file__).parent.parent / "audit" / "policy.toml").read_text()
    file = tmp_path_factory.mktemp("gate") / "policy.toml"
    file.write_text(f'{text}\n[[rule]]\nestimate = "membership.*.auc"\nmax_regression = 0.1\n')
    return file


@pytest.mark.parametrize("form", ["terminal", "md", "junit", "json"])
def test_gate(cpu_of, record, policy, form):
    options = ["--policy", policy, "--baseline", record, "--format", form]
    cpu_of([sys.executable, "-c", "from privbench.audit.cli import main; main()", "gate", record, *options], code=1)
