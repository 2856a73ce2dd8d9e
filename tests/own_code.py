"""Code of a user's own, whose source enters keys: leave it as it is."""

from __future__ import annotations

from pathlib import Path


def label(path: Path) -> list[str]:
    """Return no boxes."""
    return []
