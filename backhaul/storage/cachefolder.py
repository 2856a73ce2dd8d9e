"""The folder of this machine's user for what can be computed or fetched again."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "BACKHAUL_CACHE"


def cache_folder() -> Path:
    """Return the folder that BACKHAUL_CACHE names, or ``backhaul`` in the user's caches."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(FOLDER) or Path(base) / "backhaul")
