"""What several generators, guards and seeds, in flags and in a file, expand to."""

import pytest

from privbench.audit.errors import BadInputError
from privbench.audit.matrix import expand, labels_of, parse_plugin, refuse_repeats, with_axis, with_seeds
from privbench.audit.record import AuditSpec, PluginSpec
from privbench.audit.spec import read_toml


def asked(content):
    """Generator with options, guard and seed of each audit."""
    return [(s.generator.name, s.generator.options, s.guard and s.guard.name, s.seed) for s in expand(content)]


def flagged(content, *named, options=(), kind="generator"):
    return with_axis(content, kind, list(named) or None, list(options))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("dfgm", {}),
        ("dp-ldm:epsilon=3", {"epsilon": "3"}),
        ("dp-ldm:epsilon=3,max-grad-norm=0.1", {"epsilon": "3", "max_grad_norm": "0.1"}),
        ("folder:path=a,b and c,size=64", {"path": "a,b and c", "size": "64"}),
        ("folder:path=C:\\images, new", {"path": "C:\\images, new"}),
        ("folder:path=a=b", {"path": "a=b"}),
    ],
)
def test_a_generator_is_named_with_its_options(text, options):
    name = text.partition(":")[0]
    assert parse_plugin(text, "generator") == PluginSpec(name=name, options=options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dp-ldm:epsilon", "'epsilon' has no value\ngive it as dp-ldm:option=value"),
        ("dp-ldm:", "'' has no value"),
        (":epsilon=3", "names no generator"),
        ("dp-ldm:epsilon=3,epsilon=4", "option 'epsilon' is given twice"),
        ("dp-ldm:=3", "has no value"),
    ],
)
def test_a_generator_that_cannot_be_read_is_named(text, message):
    with pytest.raises(BadInputError) as caught:
        parse_plugin(text, "generator")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_seeds_come_first_so_that_an_interrupted_matrix_leaves_whole_comparisons():
    content = with_seeds(flagged({}, "dfgm", "dp-ldm:epsilon=3"), seed=5, repeat=2)
    assert asked(content) == [
        ("dfgm", {}, None, 5),
        ("dp-ldm", {"epsilon": "3"}, None, 5),
        ("dfgm", {}, None, 6),
        ("dp-ldm", {"epsilon": "3"}, None, 6),
    ]


def test_a_file_may_ask_for_what_the_flags_may(tmp_path):
    (tmp_path / "audit.toml").write_text(
        'generators = ["dfgm", "ldm:steps=5", {name = "dp-ldm", options = {epsilon = 3}}]\n'
        'guards = ["none", {name = "min-distance", options = {quantile = 0.05}}]\n'
        "seeds = [4, 2]\nmetrics = []\n"
    )
    found = asked(read_toml(tmp_path / "audit.toml"))
    assert len(found) == len(set(map(repr, found))) == 3 * 2 * 2
    assert [seed for *_, seed in found] == [4] * 6 + [2] * 6
    assert found[:2] == [("dfgm", {}, "none", 4), ("dfgm", {}, "min-distance", 4)]
    assert found[2][:2] == ("ldm", {"steps": "5"})
    assert found[5][:2] == ("dp-ldm", {"epsilon": 3})


def test_one_generator_and_one_seed_is_what_it_was():
    single = {"generator": "dfgm", "seed": 3, "metrics": []}
    assert expand(single) == (AuditSpec.model_validate(single),)
    assert expand({"generators": ["dfgm"], "seeds": [3], "metrics": []}) == expand(single)
    assert flagged({}, "dfgm", options=["steps=2000"]) == {"generator": {"name": "dfgm", "options": {"steps": "2000"}}}
    assert with_axis({"seed": 1}, "guard", None, []) == {"seed": 1}


def test_flags_win_over_the_file():
    file = {"generators": ["dfgm:steps=5", "ldm:steps=6"], "seeds": [1, 2]}
    assert asked(flagged(file, "ldm", "fresh") | {"seeds": [1]}) == [
        ("ldm", {"steps": "6"}, None, 1),  # named once in the file: its options stay
        ("fresh", {}, None, 1),
    ]
    assert asked(flagged(file, "ldm:steps=7,rank=1") | {"seeds": [1]}) == [
        ("ldm", {"steps": "7", "rank": "1"}, None, 1)
    ]
    assert [seed for *_, seed in asked(with_seeds(flagged(file, "fresh"), seed=None, repeat=3))] == [0, 1, 2]
    assert [seed for *_, seed in asked(with_seeds(flagged(file, "fresh"), seed=7, repeat=None))] == [7]
    table = {"generator": {"name": "copycat", "options": {"leak": 0.1, "alter": "noise"}}}
    assert asked(flagged(table, options=["leak=0.3"])) == [("copycat", {"leak": "0.3", "alter": "noise"}, None, 0)]
    assert asked(flagged(table, "ldm")) == [("ldm", {}, None, 0)]  # another's options are dropped
    assert asked(flagged({"guard": "min-distance"} | table, "none", kind="guard"))[0][2] == "none"
    repeated = {"generator": "fresh", "repeat": 2}
    assert [seed for *_, seed in asked(with_seeds(repeated, seed=7, repeat=None))] == [7, 8]
    twice = {"generators": ["ldm:steps=5", "ldm:steps=6"]}
    assert asked(flagged(twice, "ldm")) == [("ldm", {}, None, 0)]  # either could be meant, so neither's options are


def test_an_option_reaches_every_entry_that_it_is_meant_for():
    content = flagged({}, "ldm:rank=1", "ldm:rank=2", "dfgm", options=["ldm.steps=5", "dfgm.path=a.b,c=d"])
    assert [options for _, options, *_ in asked(content)] == [
        {"rank": "1", "steps": "5"},
        {"rank": "2", "steps": "5"},
        {"path": "a.b,c=d"},
    ]
    alike = flagged({}, "ldm:rank=1", "ldm:rank=2", options=["steps=5"])
    assert [options["steps"] for _, options, *_ in asked(alike)] == ["5", "5"]
    from_file = flagged({"generators": ["ldm:steps=1", "dfgm"]}, options=["ldm.steps=5"])
    assert [options for _, options, *_ in asked(from_file)] == [{"steps": "5"}, {}]
    assert asked(flagged({}, "ldm", options=["ldm.steps=5"])) == [("ldm", {"steps": "5"}, None, 0)]


@pytest.mark.parametrize(
    ("named", "options", "message"),
    [
        (("dfgm", "ldm"), ["steps=5"], "'steps=5' could be meant for dfgm or ldm"),
        (("dfgm", "ldm"), ["ldn.steps=5"], "generator 'ldn' is not asked for; did you mean 'ldm'?"),
        (("ldm:steps=4",), ["steps=5"], "--generator ldm gives 'steps' as well"),
        (("dfgm", "ldm"), ["ldm.steps"], "is not of the form name=value"),
        ((), ["steps=5"], "options for a generator are given, but no generator"),
    ],
)
def test_an_option_of_nobody_or_of_two_is_refused(named, options, message):
    with pytest.raises(BadInputError) as caught:
        flagged({}, *named, options=options)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"generatrs": ["dfgm"]}, "no key 'generatrs'; did you mean 'generators'?"),
        ({"generators": ["dfgm"], "generator": "ldm"}, "both 'generator' and 'generators' are given"),
        ({"generators": []}, r"generators=\[\] is not a list with an entry or more"),
        ({"generators": "dfgm"}, "is not a list"),
        ({"generators": [{"name": "ldm", "option": {}}]}, "no key 'option'; did you mean 'options'?"),
        ({"generators": [{"name": "ldm", "steps": 3}]}, "a generator has no key 'steps'; keys: name, options"),
        ({"generators": [3]}, "3 is neither a generator's name nor a table"),
        ({"generator": "dfgm", "seeds": [0, 1, 0]}, "has 0 twice"),
        ({"generator": "dfgm", "seeds": []}, "is not a list with a seed or more"),
        ({"generator": "dfgm", "seeds": [0, -1]}, "seed=-1"),
        ({"generator": "dfgm", "seeds": [0], "repeat": 2}, "both 'seeds' and 'repeat' are given"),
        ({"generator": "dfgm", "seeds": [0], "seed": 2}, "both 'seeds' and 'seed' are given"),
        ({"generator": "dfgm", "repeat": 0}, "repeat=0 is not a number of seeds"),
        ({"generator": "dfgm", "repeat": True}, "repeat=True is not a number"),
        ({"generator": "dfgm", "repeat": 10**9}, "ask for at most 1000 audits"),
        ({"generators": ["a", "b"], "repeat": 900}, "1800 audits are asked for"),
        ({"repeat": 2}, "'generator' is missing"),
        ({"generator": "dfgm", "seed": "x", "repeat": 2}, "seed='x'"),
    ],
)
def test_a_wrong_matrix_is_named(content, message):
    with pytest.raises(BadInputError, match=message) as caught:
        expand(content)
    assert len(str(caught.value).splitlines()) <= 2


def test_the_same_audit_twice_is_refused_and_another_option_is_not():
    same = [AuditSpec(generator=PluginSpec(name="ldm", options={"steps": steps}), seed=1) for steps in (5, 6, 5)]
    refuse_repeats(same[:2])
    with pytest.raises(BadInputError, match="generator 'ldm' with seed 1 is asked for twice"):
        refuse_repeats(same)


def test_a_label_says_what_tells_an_audit_from_the_others():
    guard = PluginSpec(name="min-distance", options={"quantile": 0.05})
    specs = [
        AuditSpec(generator=PluginSpec(name="ldm", options={"steps": 5, "rank": 1})),
        AuditSpec(generator=PluginSpec(name="ldm", options={"steps": 6, "rank": 1}), seed=2),
        AuditSpec(generator=PluginSpec(name="dfgm", options={"steps": 6})),
        AuditSpec(generator=PluginSpec(name="dfgm", options={"steps": 6}), guard=guard),
    ]
    assert labels_of(specs) == (
        "ldm (steps=5), seed 0",
        "ldm (steps=6), seed 2",
        "dfgm, seed 0",
        "dfgm behind min-distance, seed 0",
    )
    assert len(set(labels_of(specs))) == len(specs)
    assert labels_of([specs[3], specs[3].model_copy(update={"seed": 1})]) == ("dfgm, seed 0", "dfgm, seed 1")
