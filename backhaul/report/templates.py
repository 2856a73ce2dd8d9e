"""How the pages' templates are filled in."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SOURCES = Path(__file__).parent
"""The folder of templates, styles and scripts."""


def environment() -> Environment:
    """Return what fills in templates; whatever is put into one is escaped."""
    filled = Environment(
        loader=FileSystemLoader(SOURCES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filled.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return filled
