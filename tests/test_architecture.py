"""The rules of the layout, read from the imports themselves."""

import ast
import os
from pathlib import Path

import pytest

import privbench

PACKAGE = Path(privbench.__file__).parent
PLUGINS = ("cohorts", "generators", "guards", "attacks", "metrics", "reports")
ENGINE_LIGHT = {"torch", "scipy", "sklearn", "monai", "diffusers", "faiss", "nibabel", "opacus"}


def modules(folder):
    return sorted((PACKAGE / folder).rglob("*.py"))


def imports(path):
    """(level, top name, whether inside a function) of every import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(ast.walk(tree)) - {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name.split(".")[0], node in top
        elif isinstance(node, ast.ImportFrom):
            first = (node.module or "").split(".")[0]
            if node.level and not node.module:
                for alias in node.names:
                    yield node.level, alias.name, node in top
            else:
                yield node.level, first, node in top


@pytest.mark.parametrize("folder", [*PLUGINS, "testing"])
def test_a_folder_imports_audit_only(folder):
    for path in modules(folder):
        depth = len(path.relative_to(PACKAGE).parts)  # dots that reach the package: 2 from a folder, 3 from one in it
        for level, name, _ in imports(path):
            assert not (level == depth and name != "audit"), f"{path} imports {'.' * level}{name}"
            assert level <= depth, path


def test_audit_imports_no_plugin_folder_and_nothing_heavy_at_the_top():
    for path in modules("audit"):
        for level, name, at_top in imports(path):
            assert not (level >= 2 and name in {*PLUGINS, "testing"}), f"{path.name} imports {name}"
            assert not (level == 0 and at_top and name in ENGINE_LIGHT), f"{path.name} imports {name} at the top"


def test_no_module_is_two_ideas():
    for folder in ("audit", "testing", *PLUGINS):
        for path in modules(folder):
            lines = path.read_text(encoding="utf-8").count("\n")
            assert lines <= 400, f"{path}: {lines} lines"


def test_the_public_names_are_these():
    assert sorted(privbench.__all__) == [
        "Access",
        "AccessError",
        "AuditRecord",
        "AuditSpec",
        "Auxiliary",
        "BadInputError",
        "Comparison",
        "Context",
        "Crossing",
        "Declaration",
        "Denoiser",
        "Estimate",
        "Finding",
        "GalleryScores",
        "GuardCertificate",
        "ImageSet",
        "InvalidError",
        "LinkageScores",
        "Measurement",
        "MembershipScores",
        "MemorizationScores",
        "PairScores",
        "Privacy",
        "Queries",
        "Ranking",
        "SkippedError",
        "SpaceDistances",
        "Split",
        "Target",
        "TrainingData",
        "Verdict",
        "attack",
        "cohort",
        "compare",
        "fingerprint",
        "generator",
        "guard",
        "load_record",
        "metric",
        "report",
        "run",
    ]
    for name in privbench.__all__:
        assert getattr(privbench, name) is not None


def test_tests_run_against_the_wheel_where_they_should():
    wheel = os.environ.get("PRIVBENCH_WHEEL")
    if not wheel:
        pytest.skip("PRIVBENCH_WHEEL is not set: tests run against the checkout")
    assert PACKAGE.is_relative_to(wheel)
