"""Frames that something else writes into a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from backhaul.node.sources.scanned import MOST_BYTES, SUFFIXES, ScannedSource
from backhaul.node.sources.source import Shot, name_of
from backhaul.node.sources.taken import Taken
from backhaul.untrusted import one_line, read_bytes


class FolderSource(ScannedSource):
    """Image files in a folder and all below, by name; each is taken once, and left as it is.

    A file is taken once it has not changed for a while. Links are not followed.

    Args:
        folder: The folder.
        settle_s: How long a file must not have changed.
        taken: What was taken before.
    """

    def __init__(self, folder: Path, settle_s: float, taken: Taken) -> None:
        super().__init__(taken)
        self._folder, self._settle_s = folder, settle_s
        self._problem = ""

    def found(self) -> list[Shot]:
        """Return all image files that are complete, by name."""
        return sorted(self._files(), key=lambda shot: shot.name)

    def state(self) -> str:
        """Return what is wrong with the folder; empty if nothing is."""
        return self._problem

    def _files(self) -> Iterator[Shot]:
        self._problem = ""
        now = time.time()
        for folder, below, files in os.walk(self._folder, onerror=self._note):
            below[:] = [name for name in below if not name.startswith(".")]
            for file in files:
                path = Path(folder, file)
                if not _is_image(file) or path.is_symlink():
                    continue
                try:
                    status = path.stat()
                except OSError:
                    continue
                if now - self._settle_s < status.st_mtime <= now + 60:
                    continue
                name = name_of(path, self._folder)
                version = f"{status.st_mtime_ns}-{status.st_size}"
                yield Shot(
                    name,
                    status.st_mtime,
                    lambda path=path: read_bytes(path, MOST_BYTES),  # type: ignore[misc]
                    status.st_size,
                    version,
                )

    def _note(self, error: OSError) -> None:
        self._problem = one_line(f"{error.filename}: {error.strerror}")


def _is_image(file: str) -> bool:
    return file.lower().endswith(SUFFIXES) and not file.startswith(".")
