"""What a node has after a restart, however the one before ended."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backhaul.arrays import Float32Array
from backhaul.errors import InputError
from backhaul.node.container import DamagedFrameError, describe, unpack
from backhaul.node.disk import Disk
from backhaul.node.frame import Frame
from backhaul.node.journal import DamagedJournalError, Journal, set_aside
from backhaul.node.records import Memory
from backhaul.node.sidecar import seen_of
from backhaul.node.standing import Recovered

HEAD_BYTES = 1 << 16
"""Description and sidecar of nearly all frames lie in so much of their files."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a node has after a restart.

    Args:
        memory: What it remembers.
        waiting: Frames that wait, as the journal says.
        adopted: Frames whose files were there and not in the journal: they were written just
            before the end, or the journal was lost.
        lost: Frames in the journal whose file is gone or damaged.
        gone: Digests of frames that were sent or given up, the oldest first.
        sent: Descriptors of the last that were sent, the oldest first.
    """

    memory: Memory
    waiting: tuple[Recovered, ...]
    adopted: tuple[Recovered, ...]
    lost: tuple[Frame, ...]
    gone: tuple[str, ...]
    sent: tuple[Float32Array, ...] = ()


def open_journal(path: Path, disk: Disk, durable: bool = True) -> tuple[Journal, Path | None]:
    """Return the journal, and where a damaged one lies now in whose place it is new.

    One that cannot be opened for another reason is not damaged: it knows what was used of the
    allowances, and what was sent. Opening it takes some room, which a full disk is given back.

    Raises:
        InputError: If it cannot be opened, though it is not damaged.
    """
    try:
        return _opened(path, durable)
    except sqlite3.OperationalError:
        disk.release()
    try:
        return _opened(path, durable)
    except sqlite3.OperationalError as error:
        raise InputError(f"{path}: {error}") from None


def _opened(path: Path, durable: bool) -> tuple[Journal, Path | None]:
    try:
        journal = Journal(path, durable)
        journal.memory()
    except DamagedJournalError:
        away = set_aside(path)
        return Journal(path, durable), away
    return journal, None


def recover(journal: Journal, disk: Disk) -> Found:
    """Return what a node has, with journal and files brought to agree.

    Files of frames that are gone are removed, damaged ones put away. A frame whose file is
    whole and that the journal does not know waits; home may have it.
    """
    known = {frame.digest: frame for frame in journal.waiting()}
    gone = tuple(journal.gone())
    is_gone = set(gone)
    waiting, adopted = list[Recovered](), list[Recovered]()
    for digest in sorted(disk.names()):
        if digest in is_gone and digest not in known:
            disk.remove(digest)
            continue
        try:
            if digest in known:
                waiting.append(_described(disk, known[digest]))
            else:
                adopted.append(_adopted(disk, digest))
        except (DamagedFrameError, ValueError, OSError):
            disk.quarantine(digest)
    here = {frame.digest for frame, _ in waiting}
    lost = tuple(frame for digest, frame in sorted(known.items()) if digest not in here)
    memory = journal.memory()
    for frame in lost:
        journal.remove(frame.digest, memory.number, None)
    for frame, _ in adopted:
        journal.put(frame)
    disk.flush()
    vectors = (np.frombuffer(each, np.float16) for each in journal.sent_vectors())
    sent = tuple(vector.astype(np.float32) for vector in vectors)
    return Found(memory, tuple(waiting), tuple(adopted), lost, gone, sent)


def _described(disk: Disk, frame: Frame) -> Recovered:
    kept = describe(lambda n: disk.read(frame.digest, n), HEAD_BYTES)
    return Recovered(frame, seen_of(kept.sidecar, frame.digest))


def _adopted(disk: Disk, digest: str) -> Recovered:
    kept = unpack(disk.read(digest), digest)
    frame = replace(kept.frame, sent=False, told=False, doubtful=True)
    return Recovered(frame, seen_of(kept.sidecar, digest))
