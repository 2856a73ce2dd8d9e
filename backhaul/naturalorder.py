"""The order of names in which numbers count as numbers."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(\d+)")


def natural(name: str) -> list[str | int]:
    """Return a key that sorts numbers in names as numbers, and texts between them as texts.

    Example:
        >>> sorted(["f10", "f9b", "f9a2"], key=natural)
        ['f9a2', 'f9b', 'f10']
    """
    return [int(part) if i % 2 else part for i, part in enumerate(_NUMBER.split(name))]
