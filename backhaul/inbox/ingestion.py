"""Ingest images that edge nodes put into the inbox."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from backhaul.data.formats.files import stem_and_suffix
from backhaul.data.formats.report import Problem
from backhaul.data.images import OnProgress
from backhaul.data.limits import InboxLimits
from backhaul.errors import InputError, RefusedFileError
from backhaul.inbox.awaiting import read_waited, waiting_for, write_waited
from backhaul.inbox.files import DETECTIONS, in_turns, sort_out
from backhaul.inbox.log import (
    Arrival,
    Entry,
    finish_pending,
    next_number,
    write_entry,
)
from backhaul.inbox.look import Look, look_at
from backhaul.inbox.told import take_told
from backhaul.layout import inbox_name, inbox_waiting, set_aside_place
from backhaul.storage.addresses import absolute, is_local
from backhaul.storage.conditional import create, read_or_none
from backhaul.storage.holder import Holder
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.lease import lease
from backhaul.storage.moving import Found, move, read_found, walk
from backhaul.storage.objects import exists_at, replace

LOG = logging.getLogger(__name__)

ENTRY_IMAGES = 500
"""Most images of one entry of the log, so that a long absence does not fill the memory."""
MOST_NAME_BYTES = 180
"""Of what is left of the name of a file that is set aside; a disk takes 255 in all."""
MOST_PATH_BYTES = 600
"""Of the whole name; one with more is kept under its digest, as S3 takes 1,024 in all."""
MOST_NAMED = 5
"""Nodes that a line names."""
DEFAULT_LIMITS = InboxLimits()
_WAITING = TypeAdapter(dict[str, str])
_DIGITS = 12  # of the digest in the name of a file that was set aside


class Ingested(BaseModel):
    """Counts and problems of one ingestion.

    Args:
        n_new: Images that are in the log now, and were not before.
        new_bytes: Their lengths together.
        n_duplicates: Images set aside, as their content came before.
        n_unreadable: Files set aside, as they are no readable image.
        n_waiting: Images that the next ingestion tries again: they cannot be read, or changed
            while they were taken in.
        n_later: Images over the limit of one hour, not looked at yet.
        n_others: Files that are no image, left where they are.
        n_awaiting: Pictures that wait for what their node's agent tells about them.
        n_sidecars: Sidecars of agents that were read.
        n_windows: Summaries of windows that are in the table now, and were not before.
        problems: What was wrong, a line each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_new: int = 0
    new_bytes: int = 0
    n_duplicates: int = 0
    n_unreadable: int = 0
    n_waiting: int = 0
    n_later: int = 0
    n_others: int = 0
    n_awaiting: int = 0
    n_sidecars: int = 0
    n_windows: int = 0
    problems: tuple[str, ...] = ()


def ingest(
    root: str,
    inbox: str,
    class_names: tuple[str, ...],
    on_progress: OnProgress | None = None,
    limits: InboxLimits = DEFAULT_LIMITS,
) -> Ingested:
    """Ingest complete images of the inbox into the log, and return counts and problems.

    One process at a time ingests; it first finishes what an interrupted one left. The work
    grows with the number of files in the inbox alone. If the inbox is empty, nothing is
    written.

    Args:
        root: Root of the store.
        inbox: The inbox, below the root.
        class_names: The class list, to check the nodes' detections.
        on_progress: Called with how many images are done, and how many there are.
        limits: How much nodes may drop.

    Raises:
        InputError: If the store has taken in another inbox: both would share one log.
        StoreError: If the store cannot be used.
        LeaseLostError: If another process took over, as this one was stopped for too long.
    """
    root = absolute(root)
    with lease(root, "inbox", _log_wait) as owned:
        _require_own(root, inbox.strip("/"))
        place = f"{root}/{inbox.strip('/')}"
        finished, problems = finish_pending(root, place, owned.require)
        told = take_told(root, limits, owned.require)
        ingestion = _Ingestion(root, place, class_names, limits, owned.require)
        ingestion.count_new(finished)
        ingestion.problems += [*problems, *told.problems]
        if ingestion.n_images:
            owned.require()
            create(_owner(root), inbox.strip("/").encode())
        ingestion.run(on_progress)
        counts = {"n_sidecars": told.n_sidecars, "n_windows": told.n_windows}
        return ingestion.summary().model_copy(update=counts)


def _require_own(root: str, inbox: str) -> None:
    known = read_or_none(_owner(root))
    if known is not None and known != inbox.encode():
        raise InputError(
            f"data.inbox: {inbox!r}: the log of this store is of another inbox, which "
            f"{_owner(root)} names: give every inbox a store of its own"
        )


def _log_wait(holder: Holder, waited_s: float) -> None:
    if not waited_s:
        LOG.info("the inbox: waits for %s, which is at it", holder)


class _Ingestion:
    """One ingestion: the files in the inbox at its start, and what became of them."""

    def __init__(
        self,
        root: str,
        inbox: str,
        class_names: tuple[str, ...],
        limits: InboxLimits,
        require: Callable[[], None],
    ) -> None:
        self._root, self._class_names, self._require = root, class_names, require
        self._inbox, self._limits = inbox, limits
        files, alone = walk(inbox)
        self._found = {file.uri.removeprefix(f"{inbox}/"): file for file in files}
        self._contents = sort_out(self._found)
        self.problems = list(self._contents.problems)
        reason = "is a link, or cannot be read: left alone with all that is below it"
        self.problems += [Problem(place, None, reason, "warning") for place in alone]
        bare = [each for each in self._contents.images if each not in self._contents.detections]
        self._waited_told = read_waited(root)
        self._awaiting = waiting_for(root, bare, self._waited_told, limits.sidecar_waits)
        ready = [each for each in self._contents.images if each not in self._awaiting]
        self._images, self._later = in_turns(ready, limits.images_per_hour)
        if self._later:
            self.problems.append(self._line_on_later(inbox))
        self._waited = _read_waiting(root)
        later = set(self._contents.images).difference(self._images)
        self._waiting = {name: v for name, v in self._waited.items() if name in later}
        self._counts: Counter[str] = Counter()

    @property
    def n_images(self) -> int:
        """Number of images of this hour."""
        return len(self._images)

    def _line_on_later(self, inbox: str) -> Problem:
        nodes = [f"{count:,} of {node}" for node, count in self._later.most_common(MOST_NAMED)]
        more = len(self._later) - len(nodes)
        named = ", ".join(nodes) + (f" and {more} more nodes" if more else "")
        most = self._limits.images_per_hour
        reason = (
            f"{self._later.total():,} images wait for the next hour, {named}: there are more "
            f"than {most:,} (limits.images_per_hour)"
        )
        return Problem(inbox, None, reason, "warning")

    def run(self, on_progress: OnProgress | None) -> None:
        """Ingest the readable images of this hour, `ENTRY_IMAGES` at a time."""
        images = self._images
        number = next_number(self._root) if images else 0
        for start in range(0, len(images), ENTRY_IMAGES):
            part = images[start : start + ENTRY_IMAGES]
            with ThreadPoolExecutor(TRANSFERS) as threads:
                inspected = [look for look in threads.map(self._look, part) if look]
                taken = self._take(inspected, number)
                rest = [look for look in inspected if look.name not in taken]
                for look, went in zip(rest, threads.map(self._set_aside, rest), strict=True):
                    self._note(look, went)
            number += bool(taken)
            if on_progress is not None:
                on_progress(start + len(part), len(images))
        if self._waiting != self._waited:
            self._require()
            replace(_waiting(self._root), json.dumps(self._waiting, indent=1).encode())
        if self._awaiting != self._waited_told:
            self._require()
            write_waited(self._root, self._awaiting)

    def count_new(self, arrivals: Iterable[Arrival]) -> None:
        """Count images that were added to the log."""
        for arrival in arrivals:
            self._counts["n_new"] += 1
            self._counts["new_bytes"] += arrival.image.size_bytes

    def summary(self) -> Ingested:
        """Return counts and problems."""
        return Ingested(
            **self._counts,
            n_waiting=len(self._waiting),
            n_later=self._later.total(),
            n_others=len(self._contents.others),
            n_awaiting=len(self._awaiting),
            problems=tuple(map(str, self.problems)),
        )

    def _look(self, name: str) -> Look | None:
        beside = self._contents.detections.get(name)
        detections = None if beside is None else self._found[beside]
        image, names = self._found[name], self._class_names
        return look_at(self._root, name, image, detections, names, self._limits)

    def _take(self, files: Sequence[Look], number: int) -> set[str]:
        """Log the first image of each new content; return the names of the logged ones."""
        new: dict[str, Arrival] = {}
        for look in files:
            if look.arrival is not None and not look.known:
                new.setdefault(look.digest, look.arrival)
        if not new:
            return set()
        now = datetime.now(UTC)
        entry = Entry(number=number, arrived=now, arrivals=tuple(new.values()))
        taken = write_entry(self._root, entry, self._require)
        self.count_new(taken)
        names = {f"{arrival.node}/{arrival.name}" for arrival in taken}
        self.problems += [p for look in files if look.name in names for p in look.problems]
        return names

    def _set_aside(self, look: Look) -> bool:
        """Move a duplicate or unreadable file out of the inbox; return whether it moved."""
        if look.arrival is None:
            # A file of a folder may still be written; an object of a bucket is whole.
            unchanged = self._waited.get(look.name) == look.image.version
            kind, ready = "unreadable", unchanged or not is_local(look.image.uri)
        else:
            kind, ready = "duplicates", exists_at(look.arrival.place(self._root))
        if not ready:
            return False
        self._require()
        name, suffix = stem_and_suffix(look.name)
        stem = set_aside_place(self._root, kind, _shortened(name))
        if look.beside is not None and (digest := self._digest_of(look.beside)) is not None:
            move(look.beside, f"{stem}.{digest[:_DIGITS]}{DETECTIONS}", self._inbox)
        return move(look.image, f"{stem}.{look.digest[:_DIGITS]}{suffix}", self._inbox)

    def _digest_of(self, beside: Found) -> str | None:
        """Return a digest of a file of detections; None if it is gone."""
        if beside.size_bytes > self._limits.sidecar_bytes:
            return hashlib.sha256(beside.version.encode()).hexdigest()
        try:
            data = read_found(beside, self._inbox)
        except RefusedFileError:
            return hashlib.sha256(beside.version.encode()).hexdigest()
        return None if data is None else hashlib.sha256(data).hexdigest()

    def _note(self, look: Look, went: bool) -> None:
        """Count an image that was not ingested, or record that it stays in the inbox."""
        if not went:
            self._waiting[look.name] = look.image.version
        elif look.arrival is not None:
            self._counts["n_duplicates"] += 1
        else:
            self._counts["n_unreadable"] += 1
        if look.arrival is None:
            what = "set aside" if went else "looked at again next time"
            reason = f"unreadable image, {what}: {look.reason}"
            self.problems.append(Problem(look.image.uri, None, reason, "warning"))


def _shortened(name: str) -> str:
    """Return a name whose last part has room for a digest and a suffix."""
    if len(name.encode()) > MOST_PATH_BYTES:
        return f"long/{hashlib.sha256(name.encode()).hexdigest()}"
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.encode()[:MOST_NAME_BYTES].decode(errors="ignore")


def _owner(root: str) -> str:
    return inbox_name(root)


def _read_waiting(root: str) -> dict[str, str]:
    """Return, by name, the versions of images that the last ingestion left in the inbox."""
    data = read_or_none(_waiting(root))
    try:
        return {} if data is None else _WAITING.validate_json(data)
    except ValidationError:  # then each is only looked at once more
        return {}


def _waiting(root: str) -> str:
    return inbox_waiting(root)
