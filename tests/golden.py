"""Values that no change may move unless it says so: they are committed, and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data"
ADD = "BACKHAUL_GOLDEN"
"""With the value ``add`` in this variable, what is new is written; what is known stays."""


def require_golden(name: str, found: Mapping[str, Any], advice: str) -> None:
    """Do nothing if `found` is what ``tests/data/NAME.json`` says.

    Args:
        name: Name of the file.
        found: What the code of today gives, as JSON data.
        advice: What to do where a value has changed.
    """
    file = FOLDER / f"{name}.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    changed = [
        f"{key}: was {known[key]!r}, is {found.get(key)!r}"
        for key in known
        if found.get(key) != known[key]
    ]
    assert not changed, "\n".join([advice, *changed])
    new = {key: value for key, value in found.items() if key not in known}
    if new and os.environ.get(ADD) == "add":
        everything = json.dumps(known | new, indent=1, sort_keys=True)
        file.write_text(everything + "\n")
    else:
        assert not new, f"{file.name} lacks {', '.join(new)}: run this test with {ADD}=add"
