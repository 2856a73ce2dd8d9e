"""Images of a store that was moved since a table named them."""

from __future__ import annotations

import re

from backhaul.layout import INTERNAL, internal
from backhaul.storage.objects import exists_at
from backhaul.storage.places import is_local


def moved(uri: str, root: str) -> str:
    """Return where something in a store lies now that the root of the store is `root`."""
    below = re.fullmatch(rf".*/{re.escape(INTERNAL)}/(.*)", uri)
    here = internal(root, below[1]) if below else uri
    if here == uri or exists_at(here):
        return here
    return here if is_local(uri) and not exists_at(uri) else uri
