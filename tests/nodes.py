"""What nodes drop into an inbox, for tests."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
from PIL import Image

from backhaul.data.limits import InboxLimits
from backhaul.inbox.files import LOG_COLUMNS
from backhaul.inbox.ingestion import Ingested, ingest
from backhaul.inbox.log import read_log
from backhaul.storage.objects import replace
from backhaul.storage.places import filesystem

CLASSES = ("car", "bus")


def picture(number: int, kind: str = "JPEG", size: tuple[int, int] = (16, 12)) -> bytes:
    """Return an image that differs from those of other numbers."""
    pixels = np.full((size[1], size[0], 3), number % 256, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, comment=str(number))
    return buffer.getvalue()


class Store:
    """A store whose inbox is filled as nodes would."""

    def __init__(self, root: str) -> None:
        self.root = root

    def drop(self, name: str, data: bytes) -> None:
        replace(f"{self.root}/inbox/{name}", data)

    def ingest(self, limits: InboxLimits | None = None) -> Ingested:
        return ingest(self.root, "inbox", CLASSES, limits=limits or InboxLimits())

    @property
    def log(self) -> pd.DataFrame:
        tables = [table for _, table in read_log(self.root)]
        empty = pd.DataFrame(columns=list(LOG_COLUMNS))
        return pd.concat(tables, ignore_index=True) if tables else empty

    @property
    def names(self) -> list[str]:
        return list(self.log["node"] + "/" + self.log["name"])

    def tree(self, below: str = "") -> dict[str, bytes]:
        """Return all files but those of the machinery, with their contents."""
        fs, path = filesystem(self.root)
        found = (name for name in sorted(fs.find(path)) if name.startswith(f"{path}/{below}"))
        return {
            name.removeprefix(f"{path}/"): fs.cat_file(name)
            for name in found
            if not name.startswith(f"{path}/.backhaul") and not name.endswith(".lock")
        }


def fill(store: Store) -> None:
    saw = [{"class_id": 0, "confidence": 1, "xyxy": [0, 0, 5, 5]}]
    for number in range(5):
        store.drop(f"cam/{number}.jpg", picture(number))
    store.drop("cam/1.detections.json", json.dumps(saw).encode())
    store.drop("cam/2.detections.json", b"{}")
    store.drop("cam/twice.jpg", picture(2))
    store.drop("cam/twice.detections.json", b"[]")
    store.drop("cam/bad.jpg", b"no image")
