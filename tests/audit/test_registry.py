import sys

import pytest

from privbench.audit import registry
from privbench.audit.catalogue import KINDS, available
from privbench.audit.errors import BadInputError


def test_every_built_in_loads_and_describes_itself():
    for kind in KINDS:
        for name, entry in available(kind).items():
            if entry.origin != "built-in":
                continue
            plugin = registry.load(kind, name)
            assert plugin.facts.kind == kind
            assert plugin.entry.name == name
            assert plugin.entry.summary.endswith(".")
            if kind == "attack":
                assert plugin.entry.family == plugin.facts.family
                assert plugin.facts.paper
            fields = plugin.options({}, "quick").__class__.model_fields if not _required(plugin) else {}
            assert all(field.description for field in fields.values()), name


def _required(plugin):
    return {name for name, f in registry.options_model(plugin.target).model_fields.items() if f.is_required()}


def test_listing_imports_no_plugin(command):
    code = (
        "import sys; from privbench.audit.catalogue import available; "
        "[available(k) for k in ('cohort','generator','guard','attack','metric','report')]; "
        "print([m for m in sys.modules if m.split('.')[0] in ('numpy','torch','scipy','monai','diffusers','faiss')])"
    )
    import subprocess

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_misspelt_name_is_met_with_a_suggestion():
    with pytest.raises(
        BadInputError, match=r"unknown generator 'copycta'; did you mean 'copycat'\?; available: .*fresh"
    ):
        registry.load("generator", "copycta")


def test_an_unknown_option_names_the_valid_ones():
    plugin = registry.load("generator", "copycat")
    with pytest.raises(
        BadInputError, match=r"generator 'copycat': no option 'laek'; did you mean 'leak'\?\noptions: .*leak"
    ):
        plugin.options({"laek": "0.2"})


def test_an_option_of_the_wrong_type_is_named_with_its_value():
    plugin = registry.load("generator", "copycat")
    with pytest.raises(BadInputError, match=r"generator 'copycat': option leak='much': "):
        plugin.options({"leak": "much"})
    with pytest.raises(BadInputError, match=r"option leak='1.5': input should be less than or equal to 1"):
        plugin.options({"leak": "1.5"})


def test_third_party_plugins_stand_beside_built_ins(example):
    assert available("attack")["example-distance"].origin == "privbench-example"
    plugin = registry.load("generator", "example-mixture")
    assert plugin.options({"leak": "0.25"}).leak == 0.25
    assert plugin.options({}, "standard").leak == 0.5


def test_two_plugins_of_one_name_are_an_error(tmp_path, monkeypatch):
    info = tmp_path / "rival-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\nSummary: x\n")
    (info / "entry_points.txt").write_text("[privbench.generators]\ncopycat = rival:Rival\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInputError, match="two generators are called 'copycat': built-in and rival"):
        available("generator")


def test_a_third_partys_object_that_is_no_plugin_is_refused(tmp_path, monkeypatch):
    info = tmp_path / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\nSummary: x\n")
    (info / "entry_points.txt").write_text("[privbench.attacks]\nodd = json:dumps\nlost = nowhere_at_all:x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInputError, match="json:dumps is not a plugin of kind attack"):
        registry.load("attack", "odd")
    with pytest.raises(BadInputError, match="'lost' from odd cannot be imported"):
        registry.load("attack", "lost")
