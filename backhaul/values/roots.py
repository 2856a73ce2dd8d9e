"""Stored paths are relative to a root, so that a store can be moved."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from backhaul.layout import internal


class Roots(BaseModel):
    """The folder or address that stored paths are relative to, as it is today.

    Given as pydantic's ``context``, it makes the paths of artifacts relative when a value is
    written as JSON, and absolute when JSON is read.

    Args:
        store: Root of the store, absolute.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str

    def relative(self, uri: str) -> str:
        """Return the stored form of an absolute path in the store, such as ``objects/..``.

        Raises:
            ValueError: If it lies elsewhere.
        """
        inner = internal(self.store, "")
        if not uri.startswith(inner):
            raise ValueError(f"{uri}: expected a place below {inner}")
        return uri.removeprefix(inner)

    def absolute(self, place: str) -> str:
        """Return today's absolute path for a stored path.

        Raises:
            ValueError: If it is no such place, or leads out of the store.
        """
        if not is_below(place):
            raise ValueError(f"{place!r}: expected a place below the store")
        return internal(self.store, place)


def is_below(path: str) -> bool:
    """Return whether a relative path stays in the folder that it starts in."""
    parts = path.split("/")
    return all(parts) and not {".", ".."} & {*parts} and not re.search(r"[\\\0]", path)
