"""``privbench doctor``: what is installed, what is missing and how to get it."""

import os
from importlib.util import find_spec

import typer

EXTRAS = {"fid": ("pytorch_fid",), "ray": ("ray",), "test": ("pytest", "playwright"), "dev": ("ruff", "mypy")}


def doctor() -> None:
    """Show versions, device, threads, optional extras, weights and the store."""
    import torch
    from rich.console import Console

    from ..provenance import git_state, libraries, machine
    from ..store import default_store

    console = Console(highlight=False)

    def line(what: str, value: object) -> None:
        console.print(f"{what:<26} {value}", markup=False, soft_wrap=True)

    line("machine", f"{machine()}, {os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
    line("device", torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu (torch sees no GPU)")
    for name, version in libraries().items():
        line(name, version)
    commit, dirty = git_state()
    if commit:
        line("commit", commit + (" with uncommitted changes" if dirty else ""))
    for extra, modules in EXTRAS.items():
        there = all(find_spec(module) for module in modules)
        line(f"extra {extra}", "installed" if there else f"missing: pip install 'privbench[{extra}]'")
    weights = os.path.join(torch.hub.get_dir(), "checkpoints", "pt_inception-2015-12-05-6726825d.pth")  # noqa: PTH118
    line("Inception weights (fid)", weights if os.path.exists(weights) else f"missing: place them at {weights}")  # noqa: PTH110
    store = default_store()
    size = sum(p.stat().st_size for p in store.rglob("*") if p.is_file()) if store.is_dir() else 0
    line("store", f"{store} ({size / 2**20:.0f} MiB)")
    omp = os.environ.get("OMP_WAIT_POLICY", "")
    line("OMP_WAIT_POLICY", omp)
    typer.echo("ready" if find_spec("diffusers") and find_spec("faiss") else "not ready: reinstall privbench")
