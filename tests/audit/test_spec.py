import pytest

from privbench.audit.errors import BadInputError
from privbench.audit.spec import make_spec, parse_options, parse_plugin_options, read_toml, resolve, with_flags


def test_flags_win_over_the_file(tmp_path):
    file = tmp_path / "audit.toml"
    file.write_text(
        'seed = 3\nattacks = ["nearest"]\n'
        '[generator]\nname = "copycat"\n[generator.options]\nleak = 0.1\nalter = "noise"\n'
    )
    content = with_flags(
        read_toml(file),
        single={"generator": (None, {"leak": "0.3"}), "cohort": (None, {})},
        several={"attacks": (None, {}), "metrics": (["none"], {})},
        plain={"seed": 5, "samples": None},
    )
    spec = make_spec(content)
    assert spec.seed == 5
    assert spec.generator.options == {"leak": "0.3", "alter": "noise"}
    assert [a.name for a in spec.attacks] == ["nearest"]
    resolved, _ = resolve(spec)
    assert resolved.generator.options["leak"] == 0.3
    assert resolved.metrics == ()


def test_another_generators_options_in_the_file_are_dropped():
    content = with_flags(
        {"generator": {"name": "ldm", "options": {"steps": 5}}},
        single={"generator": ("copycat", {}), "cohort": (None, {})},
        several={"attacks": (None, {}), "metrics": (None, {})},
        plain={},
    )
    assert make_spec(content).generator.options == {}


def test_families_expand_and_options_reach_their_plugin(example):
    content = with_flags(
        {},
        single={"generator": ("example-mixture", {}), "cohort": ("example-blobs", {})},
        several={"attacks": (["membership"], {"example-membership": {"power": "2"}}), "metrics": (["none"], {})},
        plain={},
    )
    resolved, plugins = resolve(make_spec(content))
    names = {a.name: a.options for a in resolved.attacks}
    assert {"gan-leaks", "loss", "example-membership"} <= set(names)
    assert "nearest" not in names
    assert names["example-membership"] == {"power": 2.0}
    assert plugins["attack", "loss"].facts.family == "membership"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"generator": "dfgm", "sede": 1}, "spec: no key 'sede'; keys: cohort, generator"),
        ({"seed": 1}, "'generator' is missing"),
        ({"generator": "dfgm", "seed": -1}, "spec: seed=-1"),
        ({"generator": "dfgm", "budget": "huge"}, "spec: budget='huge'"),
    ],
)
def test_a_wrong_spec_is_named(content, message):
    with pytest.raises(BadInputError, match=message):
        make_spec(content)


def test_malformed_flags_and_files_are_named(tmp_path):
    with pytest.raises(BadInputError, match="--generator-opt 'steps' is not of the form name=value"):
        parse_options(["steps"], "--generator-opt")
    with pytest.raises(BadInputError, match=r"--attack-opt 'k=3' is not of the form plugin.name=value"):
        parse_plugin_options(["k=3"], "--attack-opt")
    assert parse_plugin_options(["gan-leaks.a=0.5"], "--attack-opt") == {"gan-leaks": {"a": "0.5"}}
    (tmp_path / "bad.toml").write_text("seed = = 1")
    with pytest.raises(BadInputError, match="is not valid TOML"):
        read_toml(tmp_path / "bad.toml")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")
