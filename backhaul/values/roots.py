"""Places as they are stored: relative to a root, so that what lies there can be moved."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from backhaul.layout import INTERNAL

STORE = "store:"
"""What begins the stored place of something below the store's internal folder."""


class Roots(BaseModel):
    """The folders or addresses that stored places are relative to, as they are today.

    Given as pydantic's ``context``, it makes the places of artifacts relative while a value is
    turned into JSON, and absolute while JSON is read.

    Args:
        store: Root of the store, absolute.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str

    def relative(self, uri: str) -> str:
        """Return the stored form of an absolute place in the store.

        Raises:
            ValueError: If it lies elsewhere.
        """
        internal = f"{self.store}/{INTERNAL}/"
        if not uri.startswith(internal):
            raise ValueError(f"{uri}: expected a place below {internal}")
        return STORE + uri.removeprefix(internal)

    def absolute(self, place: str) -> str:
        """Return where something with this stored place lies today.

        Raises:
            ValueError: If it is no such place, or leads out of the store.
        """
        below = place.removeprefix(STORE)
        if below == place or not is_below(below):
            raise ValueError(f"{place!r}: expected {STORE}FOLDER/FILE")
        return f"{self.store}/{INTERNAL}/{below}"


def is_below(path: str) -> bool:
    """Return whether a relative path stays in the folder that it starts in."""
    parts = path.split("/")
    return all(parts) and not {".", ".."} & {*parts} and not re.search(r"[\\\0]", path)
