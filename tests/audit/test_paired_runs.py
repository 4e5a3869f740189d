"""Two whole audits of one cohort: the difference of their AUCs is paired, and the surer for it."""

import pytest

import privbench
from privbench.audit.statistics.differences import difference, leak

TOY = {
    "cohort": {"name": "example-blobs", "options": {"patients": 100}},
    "attacks": ["example-membership"],
    "metrics": ["none"],
    "certificate": "none",
}


@pytest.fixture
def auc(example, tmp_path):
    def run(name, **options):
        spec = TOY | {"generator": {"name": name, "options": options}}
        out = tmp_path / "-".join([name, *map(str, options.values())])
        record = privbench.run(spec, out=out, store=tmp_path / "store")
        return record.finding("example-membership").estimate("auc")

    return run


def apart(first, second):
    return difference([tuple(e.model_copy(update={"blocks": ()}) for e in (first, second))], 0.95)


def width(found):
    return found.high - found.low


def test_audits_of_the_same_patients_are_compared_more_surely(auc):
    first, second = auc("example-mixture", leak=0.3), auc("example-mixture", leak=0.2)
    found = difference([(first, second)], 0.95)
    assert found.paired
    assert width(found) < 0.9 * width(apart(first, second))
    assert found.low <= found.value <= found.high


def test_a_generator_that_trains_on_fewer_patients_is_paired_by_those_it_shares(auc):
    first, second = auc("example-mixture", leak=0.5), auc("example-few", patients=70)
    assert (first.n, second.n) == (200, 140)
    found = difference([(first, second)], 0.95)
    assert found.paired
    assert width(found) < 1.1 * width(apart(first, second))


def test_two_audits_that_are_the_same_do_not_differ(auc):
    first = auc("example-mixture", leak=0.3)
    again = auc("example-mixture", leak=0.3)
    assert first == again, "an audit is reproducible to the last block"
    found = difference([(leak(first), leak(again))], 0.95)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
