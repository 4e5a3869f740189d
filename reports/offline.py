"""What a page that works offline is made of: templates, files of the package, plotly, and its security policy."""

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(folder: str = ".") -> "Environment":
    """Templates of a folder of this package; everything is escaped, and an unknown name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> str:
    """A style sheet or a script of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def plotly() -> str:
    """The plotting library, to be inlined once a page.

    Raises:
        ValueError: if it holds text that ends a script element.
    """
    from plotly.offline import get_plotlyjs

    source = str(get_plotlyjs())
    if "</script" in source.lower() or "<!--" in source:
        raise ValueError("plotly.min.js cannot be inlined: it holds text that ends a script element")
    return source


def policy(*scripts: str) -> str:
    """A Content-Security-Policy under which only these scripts run and nothing is ever requested."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts if s
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
