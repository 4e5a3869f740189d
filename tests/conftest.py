"""Fixtures for all tests. Nothing here reaches the network or the user's own store."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

import pytest

TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    """A store of its own for every test."""
    monkeypatch.setenv("PRIVBENCH_STORE", str(tmp_path / "store"))


@pytest.fixture(scope="session")
def example_site(tmp_path_factory):
    """The example plugin package, really installed, in a folder of its own."""
    work = tmp_path_factory.mktemp("example")
    source, site = work / "source", work / "site"
    shutil.copytree(TESTS / "plugin_example", source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(site), str(source)], check=True, capture_output=True)
    return site


@pytest.fixture
def example(example_site, monkeypatch):
    """The example plugins, visible in this process."""
    monkeypatch.syspath_prepend(str(example_site))
    return example_site


@pytest.fixture
def command(tmp_path):
    """Run the installed command line in a folder of its own: ``command("run", ..., site=...)``."""

    def run(*arguments, site=None, **more):
        environment = dict(os.environ)
        if site:
            paths = [str(site), environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
        environment |= more.pop("env", {})
        return subprocess.run(
            [sys.executable, "-c", "from privbench.audit.cli import main; main()", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            **more,
        )

    return run
