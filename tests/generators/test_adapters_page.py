"""The page on adapters works as it stands, and the adapter is as short as it says."""

import re
import subprocess
import sys
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"


def files():
    """The page's blocks of Python, by the file name that each begins with."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert [name for name, _ in blocks] == ["convert.py", "my_model.py", "my_adapter.py", "test_my_adapter.py"]
    return dict(blocks)


def run(folder, *command):
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_adapter_on_the_page_keeps_the_contract(tmp_path):
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    said = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_adapter.py")
    assert "skipped" not in said.splitlines()[-1]


def test_a_pickle_is_converted_as_the_page_says(tmp_path):
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    state = {"layers.0.weight": torch.arange(6.0).reshape(2, 3).T}
    torch.save(state, tmp_path / "model.pt")
    run(tmp_path, "convert.py")
    check = "from safetensors.torch import load_file; print(load_file('model.safetensors')['layers.0.weight'].tolist())"
    assert run(tmp_path, "-c", check).strip() == str(state["layers.0.weight"].tolist())


def test_the_adapter_is_short():
    body = files()["my_adapter.py"].split("def __init__", 1)[1]
    assert len([line for line in body.splitlines() if line.strip()]) <= 25
