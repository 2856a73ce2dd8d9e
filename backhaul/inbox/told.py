"""Take in what agents of nodes tell beside pictures: batches of sidecars, summaries of windows.

They put files at ``nodes/NODE/sidecars/BATCH-DIGEST.json.gz`` and
``nodes/NODE/windows/NUMBER-DIGEST.json``. What was read is moved to ``ingested/told``, so that
an ingestion costs what is new. Other files there are left alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from backhaul.data.formats.report import Problem
from backhaul.data.limits import InboxLimits
from backhaul.errors import RefusedFileError
from backhaul.inbox.batch import StoredSidecar, read_batch
from backhaul.inbox.files import in_turns, is_complete
from backhaul.inbox.summary import MOST_BYTES, read_summary
from backhaul.inbox.windows import ToldWindow, add_windows, finish_windows
from backhaul.layout import set_aside_place
from backhaul.nodelayout import sidecar_place, told_by, told_folder, told_place
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.moving import Found, move, read_found, walk
from backhaul.storage.objects import exists_at, replace
from backhaul.untrusted import UnreadableFileError

_DIGITS = 12


@dataclass(frozen=True)
class Told:
    """What nodes told.

    Args:
        n_sidecars: Sidecars that were read.
        n_windows: Summaries that are in the table now, and were not before.
        problems: What is wrong with others.
    """

    n_sidecars: int
    n_windows: int
    problems: tuple[Problem, ...]


def take_told(root: str, limits: InboxLimits, require: Callable[[], None]) -> Told:
    """Take in what is new, nodes in turns; what is wrong is set aside.

    Args:
        root: Root of the store.
        limits: How much nodes may tell.
        require: Raises if another process took over.

    Raises:
        StoreError: If the store cannot be used.
    """
    n_finished, problems = finish_windows(root, require)
    reader = _Reader(root, limits, require)
    reader.problems += problems
    names, later = in_turns(sorted(reader.found), limits.images_per_hour)
    if later:
        reason = f"{later.total():,} files wait for the next hour (limits.images_per_hour)"
        reader.note(told_folder(root), reason)
    kinds = {name: told_by(name) for name in names}
    for name in names:
        if kinds[name] == (_node(name), "sidecars"):
            reader.take_batch(name)
    windows = [name for name in names if kinds[name] == (_node(name), "windows")]
    with ThreadPoolExecutor(TRANSFERS) as threads:
        told = [window for window in threads.map(reader.window, windows) if window is not None]
    n_added = add_windows(root, told, datetime.now(UTC), require)
    return Told(reader.counts["sidecars"], n_finished + n_added, tuple(reader.problems))


class _Reader:
    """Reads the files in the nodes' folder, as they were at its start."""

    def __init__(self, root: str, limits: InboxLimits, require: Callable[[], None]) -> None:
        self._root, self._limits, self._require = root, limits, require
        self._folder = told_folder(root)
        self.problems: list[Problem] = []
        self.counts: Counter[str] = Counter()
        files, alone = walk(self._folder)
        names = {file.uri.removeprefix(f"{self._folder}/"): file for file in files}
        self.found = {n: file for n, file in names.items() if is_complete(n) and told_by(n)}
        for place in alone:
            self.note(place, "is a link, or cannot be read: left alone with all below it")

    def note(self, place: str, reason: str) -> None:
        """Add a line about a place."""
        self.problems.append(Problem(place, None, reason, "warning"))

    def take_batch(self, name: str) -> None:
        """Keep the sidecars of a batch until their pictures come."""
        file = self.found[name]
        data = self._content(name, self._limits.sidecar_bytes)
        if data is None:
            return
        try:
            sidecars, problems = read_batch(data, file.uri, self._limits)
        except UnreadableFileError as error:
            self._set_aside(name, error.reason, data)
            return
        self.problems += problems
        self._require()
        with ThreadPoolExecutor(TRANSFERS) as threads:
            list(threads.map(partial(self._keep, _node(name)), sidecars.items()))
        if move(file, told_place(self._root, name), self._folder):
            self.counts["sidecars"] += len(sidecars)

    def window(self, name: str) -> ToldWindow | None:
        """Return the summary in a file; None if it was read before, or is wrong."""
        file = self.found[name]
        if exists_at(place := told_place(self._root, name)):  # the node was not sure of it
            self._require()
            move(file, place, self._folder)
            return None
        data = self._content(name, MOST_BYTES)
        if data is None:
            return None
        try:
            summary = read_summary(data, file.uri, _node(name))
        except UnreadableFileError as error:
            self._set_aside(name, error.reason, data)
            return None
        return ToldWindow(name=name, file=file, summary=summary)

    def _keep(self, node: str, item: tuple[str, StoredSidecar]) -> None:
        image_id, sidecar = item
        place = sidecar_place(self._root, node, image_id)
        replace(place, sidecar.model_dump_json().encode())

    def _content(self, name: str, most_bytes: int) -> bytes | None:
        """Return the content of a file; None if it is set aside, refused, or gone."""
        file = self.found[name]
        if file.size_bytes > most_bytes:
            reason = f"has {file.size_bytes:,} bytes, expected at most {most_bytes:,}"
            self._set_aside(name, reason, file.version.encode())
            return None
        try:
            return read_found(file, self._folder)
        except RefusedFileError as error:
            self.note(file.uri, str(error))
            return None

    def _set_aside(self, name: str, reason: str, data: bytes) -> None:
        file: Found = self.found[name]
        self._require()
        digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
        stem, dot, suffix = name.partition(".json")
        place = f"nodes/{stem}.{digest}{dot}{suffix}"
        move(file, set_aside_place(self._root, "unreadable", place), self._folder)
        self.note(file.uri, f"set aside: {reason}")


def _node(name: str) -> str:
    return name.partition("/")[0]
