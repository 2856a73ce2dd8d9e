"""Uploads staged on a Waggle node: one folder an upload, with files data and meta."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backhaul.node.sources.scanned import MOST_BYTES, SUFFIXES, ScannedSource
from backhaul.node.sources.source import Shot, name_of
from backhaul.node.sources.taken import Taken
from backhaul.untrusted import read_bytes

_UPLOAD = re.compile(r"(\d{10,19})-([0-9a-f]{40})")
_MOST_META = 100_000
_NS = 1_000_000_000


class WaggleSource(ScannedSource):
    """Images in folders ``TIMESTAMP-SHA1``, by time; each is taken once, and left as it is.

    ``TIMESTAMP`` is in nanoseconds. ``data`` is the file, ``meta`` its description (JSON); an
    upload without either is not complete.

    Args:
        folder: The folder of the uploads, with all folders below.
        taken: What was taken before.
    """

    def __init__(self, folder: Path, taken: Taken) -> None:
        super().__init__(taken)
        self._folder = folder

    def found(self) -> list[Shot]:
        """Return all uploads that are complete, by time."""
        return sorted(self._uploads(), key=lambda shot: (shot.captured_s, shot.name))

    def state(self) -> str:
        """Return what is wrong with the folder; empty if nothing is."""
        return "" if self._folder.is_dir() else f"{self._folder}: no folder"

    def _uploads(self) -> Iterator[Shot]:
        for folder in self._folder.rglob("*-*"):
            parsed = _UPLOAD.fullmatch(folder.name)
            data, meta = folder / "data", folder / "meta"
            if parsed is None or not data.is_file() or not meta.is_file():
                continue
            if not _original(meta).lower().endswith(SUFFIXES):
                continue
            yield Shot(
                name_of(folder, self._folder),
                int(parsed[1]) / _NS,
                lambda data=data: read_bytes(data, MOST_BYTES),  # type: ignore[misc]
                data.stat().st_size,
                parsed[2],
            )


def _original(meta: Path) -> str:
    """Return the name that the file had, as its description says; empty if it says none."""
    try:
        known: Any = json.loads(read_bytes(meta, _MOST_META))
        return str(known["labels"]["filename"])
    except (ValueError, KeyError, TypeError, OSError):
        return ""
