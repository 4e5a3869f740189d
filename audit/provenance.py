"""What an audit ran on: versions, code, commit. Part of the record, and of every stage's key."""

import hashlib
import platform
import subprocess
import sys
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .catalogue import PACKAGE, PACKAGE_NAME
from .record import Provenance
from .registry import Plugin

LIBRARIES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "diffusers",
    "monai",
    "opacus",
    "faiss-cpu",
    "faiss-gpu-cu12",
    "pytorch-metric-learning",
    "pytorch-fid",
    "nilearn",
    "nibabel",
)


@cache
def libraries() -> dict[str, str]:
    """Versions of the libraries that results depend on, where installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_hash(*folders: Path) -> str:
    """A hash of the Python files under ``folders``; how the command line is written changes no result."""
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            if not file.is_relative_to(PACKAGE / "audit" / "cli"):
                digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:32]


def plugin_code(plugin: Plugin) -> str:
    """A hash of the engine and of all under the folder that ``plugin`` lives in: any change recomputes its stages."""
    file = sys.modules[plugin.entry.module].__file__
    folder = Path(file).parent if file else PACKAGE
    return code_hash(PACKAGE / "audit", folder)


@cache
def git_state(folder: Path = PACKAGE) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout that the package runs from; (None, None) outside one."""
    if not (folder / ".git").exists():
        return None, None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()  # noqa: S603

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def machine() -> str:
    """Operating system and processor, without the machine's name."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def provenance(device: str, command: str, began: datetime, seconds: float) -> Provenance:
    """What would be needed to run the same audit again."""
    commit, dirty = git_state()
    return Provenance(
        privbench=version(PACKAGE_NAME),
        python=platform.python_version(),
        platform=machine(),
        device=device,
        libraries=libraries(),
        git_commit=commit,
        git_dirty=dirty,
        command=command,
        started=began.isoformat(timespec="seconds"),
        seconds=seconds,
    )
