"""Perform what an agent wants done, on the disk and in the journal of a node."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable

from backhaul.node.agent import Agent
from backhaul.node.container import Kept, pack
from backhaul.node.disk import Disk
from backhaul.node.happenings import (
    Commit,
    Drop,
    Effect,
    Erase,
    Event,
    Gather,
    Look,
    Note,
    NotWritten,
    Quarantine,
    Rekey,
    Send,
    Write,
    Written,
)
from backhaul.node.journal import Journal
from backhaul.node.steady import Now


class Performer:
    """Performs the effects of an agent one by one, the same for nodes and simulations.

    Looking and sending take long: they are only begun here, and what comes of them is another
    event.

    Args:
        agent: The agent.
        journal: Its journal.
        disk: Its files.
        look: Begins to look at a frame.
        send: Begins to send a parcel.
        attend: Does what home asks of the node itself, and returns what has happened by that.
    """

    def __init__(
        self,
        agent: Agent,
        journal: Journal,
        disk: Disk,
        look: Callable[[Look], None],
        send: Callable[[Send], None],
        attend: Callable[[Rekey | Gather], Event | None],
    ) -> None:
        self.agent, self._journal, self._disk = agent, journal, disk
        self._look, self._send, self._attend = look, send, attend

    def happen(self, now: Now, event: Event) -> None:
        """Let something happen to the agent, and perform all that follows at once."""
        events = deque([event])
        while events:
            for effect in self.agent.step(now, events.popleft()):
                follows = self.perform(effect)
                if follows is not None:
                    events.append(follows)

    def perform(self, effect: Effect) -> Event | None:
        """Perform an effect; return what has happened by that."""
        match effect:
            case Look():
                self._look(effect)
            case Send():
                self._send(effect)
            case Write(kept):
                return self._write(kept)
            case Rekey() | Gather():
                return self._attend(effect)
            case _:
                self._record(effect)
        return None

    def _write(self, kept: Kept) -> Event:
        digest = kept.frame.digest
        try:
            self._disk.write(digest, pack(kept))
        except OSError:
            return NotWritten(digest)
        return Written(digest)

    def _commit(self, commit: Commit) -> None:
        """Let all count; on a full disk, with the room that was kept for that."""
        self._disk.flush()
        try:
            self._journal.remember(commit.memory, commit.closed)
            self._journal.commit()
        except sqlite3.OperationalError:
            self._disk.release()
            self._journal.remember(commit.memory, commit.closed)
            self._journal.commit()

    def _record(self, effect: Note | Drop | Commit | Erase | Quarantine) -> None:
        match effect:
            case Note(frame):
                self._journal.put(frame)
            case Drop(digest, number, vector):
                self._journal.remove(digest, number, vector)
            case Commit():
                self._commit(effect)
            case Erase(digest):
                self._disk.remove(digest)
            case Quarantine(digest):
                self._disk.quarantine(digest)
