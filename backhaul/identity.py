"""What values are, in a form in which equal content is equal text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from backhaul.values.artifacts import Artifact


def canonical(value: Any) -> Any:
    """Return `value` as plain JSON data in which equal content is equal text.

    A model's ``resources``, such as a device or a number of threads, are left out: they do not
    say what is computed, only with what.

    Raises:
        TypeError: If the value has no canonical form; pass an `Artifact` or exclude the input.
    """
    match value:
        case Artifact():
            return {"sha256": value.sha256}  # where it lies must not matter
        case BaseModel():
            resources = getattr(type(value), "resources", ())
            return {name: canonical(item) for name, item in value if name not in resources}
        case dict():
            return {str(key): canonical(item) for key, item in sorted(value.items())}
        case list() | tuple():
            return [canonical(item) for item in value]
        case Path():
            return value.as_posix()
        case None | str() | bool() | int() | float():
            return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def content_digest(value: Any) -> str:
    """Return 32 hexadecimal digits that are equal for equal content."""
    text = json.dumps(canonical(value), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
