"""Records of a store that was moved since they were written."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel

from backhaul.layout import INTERNAL
from backhaul.storage.objects import exists_at
from backhaul.storage.places import is_local

M = TypeVar("M", bound=BaseModel)


def relocated(value: M, root: str) -> M:
    """Return `value` with its artifacts where they lie in the store at `root` now."""

    def walk(item: Any) -> Any:
        match item:
            case {"uri": str(uri), "sha256": _}:
                return item | {"uri": moved(uri, root)}
            case dict():
                return {key: walk(each) for key, each in item.items()}
            case list():
                return [walk(each) for each in item]
        return item

    return type(value).model_validate(walk(json.loads(value.model_dump_json())))


def moved(uri: str, root: str) -> str:
    """Return where something in a store lies now that the root of the store is `root`."""
    below = re.fullmatch(rf".*/{re.escape(INTERNAL)}/(.*)", uri)
    here = f"{root}/{INTERNAL}/{below[1]}" if below else uri
    if here == uri or exists_at(here):
        return here
    return here if is_local(uri) and not exists_at(uri) else uri
