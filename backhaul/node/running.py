"""A node that runs: frames in, what is worth it out, for as long as it is left alone."""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from backhaul.errors import InputError
from backhaul.node.agent import Agent
from backhaul.node.attempts import NAME as TRYING
from backhaul.node.attempts import Attempts
from backhaul.node.budget import ASKING_BYTES
from backhaul.node.disk import FolderDisk
from backhaul.node.happenings import (
    Captured,
    Event,
    Gather,
    Gathered,
    Held,
    KeysParcel,
    Look,
    Looked,
    Offered,
    Passed,
    Rekey,
    Send,
    SidecarParcel,
    StatusParcel,
    Woke,
)
from backhaul.node.journal import NAME, Journal
from backhaul.node.keyring import Keyring
from backhaul.node.lens import Lens
from backhaul.node.logtail import LogTail
from backhaul.node.performing import Performer
from backhaul.node.policies import AnyPolicy
from backhaul.node.recovery import open_journal, recover
from backhaul.node.report import Report, secrets_of
from backhaul.node.sender import Sender
from backhaul.node.settings import NodeConfig
from backhaul.node.setup import Setup, own_setup
from backhaul.node.sources.opening import open_source
from backhaul.node.sources.source import Shot
from backhaul.node.standing import Rules
from backhaul.node.steady import Now
from backhaul.node.updates.keeper import Keeper
from backhaul.untrusted import one_line
from backhaul.uplink.home import Home
from backhaul.uplink.opening import open_home

LOG = logging.getLogger(__name__)

LONGEST_WAIT_S = 1.0
CLOSING_S = 30.0
QUIET_S = 5.0
"""After so long without a frame, a source has none for now."""


class Node:
    """An agent with a camera, a model, a disk and a link.

    Args:
        config: The node.
        home: Where it sends to.

    Raises:
        InputError: If something that the config names cannot be used, or another agent runs in
            the folder.
    """

    def __init__(self, config: NodeConfig, home: Home | None = None) -> None:
        self._config = config
        self._folder = Path(config.folder).expanduser()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self._folder)
        setup = own_setup(config)
        self._keeper: Keeper | None = None
        self._tail = LogTail()
        homes = [home or open_home(config.uplink)]
        if config.updates is None:
            self._lens = Lens(config, setup.model)
        else:
            homes.append(updates_home := open_home(config.uplink))
            self._keeper = Keeper(config, config.updates, self._folder, updates_home)
            setup, self._lens = self._keeper.setup, self._keeper.lens
        disk = FolderDisk(self._folder / "frames")
        self._journal = self._opened_journal(disk)
        self._source = open_source(config.frames, self._journal)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._keyring = Keyring(config.node, config.uplink, homes)
        self._sender = Sender(config.node, homes[0], disk, self._keyring, self._events.put)
        rules = rules_of(config, setup, self._lens.version)
        agent = Agent(rules, recover(self._journal, disk), _now())
        self._performer = Performer(
            agent, self._journal, disk, self._look, self._send, self._attend
        )
        self._shot: Shot | None = None
        self._attempts = Attempts(self._folder / TRYING)
        self._was_held = False
        self._began_s = self._last_frame_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def agent(self) -> Agent:
        """The agent, to be looked at."""
        return self._performer.agent

    def run(self, stops: Callable[[], bool]) -> None:
        """Run until told to stop, or until the source is over and all has been sent.

        Args:
            stops: Asked again and again; true = stop.
        """
        self._check_hold()
        self._happen(Woke())
        while not stops():
            self._check_hold()
            self._keep_model()
            shot = self._source.next()
            if shot is not None:
                self._take(shot)
            elif self._source.is_over and self.is_idle:
                break
            wait_s = 0.0 if shot is not None else self._wait_s()
            self._drain(wait_s)
            if time.monotonic() >= self.agent.wake_mono_s():
                self._happen(Woke())

    @property
    def is_done(self) -> bool:
        """Whether the source has nothing left for now, and nothing waits to be sent."""
        is_fresh = time.monotonic() - self._last_frame_s < QUIET_S
        return self.is_idle and not is_fresh and self._shot is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be sent."""
        at = self.agent.standing
        return not (len(at.queue) or at.untold or at.memory.closed)

    def close(self) -> None:
        """Stop: what is under way is ended, the rest is kept for the next start."""
        self.agent.outgoing.is_held = True
        self._source.close()
        if self._keeper is not None:
            self._keeper.close(CLOSING_S)
        self._sender.close(CLOSING_S)
        self._drain(0.0)
        for effect in self.agent.standing.commit():
            self._performer.perform(effect)
        self._journal.close()
        self._attempts.close()
        self._tail.close()
        os.close(self._lock)

    def _opened_journal(self, disk: FolderDisk) -> Journal:
        journal, away = open_journal(self._folder / NAME, disk)
        if away is not None:
            LOG.warning(
                "the journal was damaged: it is made again from the frames; see %s", away
            )
        return journal

    def _take(self, shot: Shot) -> None:
        self._shot = shot
        self._last_frame_s = time.monotonic()
        if passed := self._source.passed():
            self._happen(Passed(passed))
        self._happen(Captured(shot.name, shot.captured_s, shot.size_bytes))

    def _look(self, effect: Look) -> None:
        assert self._shot is not None  # noqa: S101 - it was just taken
        policy = self.agent.standing.policy_named(effect.policy)
        shot, self._shot = self._shot, None
        if self._attempts.is_hopeless(shot):
            LOG.warning("%s: the process ended at it before: passed over", one_line(shot.name))
            self._events.put(Looked(effect.frame, None, "failed"))
            return
        with self._attempts.at(shot):
            self._events.put(self._looked(effect.frame, shot, policy))

    def _looked(self, frame: Captured, shot: Shot, policy: AnyPolicy) -> Looked:
        try:
            content = shot.read()
        except (InputError, OSError):
            return Looked(frame, None)
        try:
            return (self._keeper or self._lens).look(frame, content, policy)
        except Exception as error:  # one frame must not end the agent, again and again
            LOG.warning("%s: a look failed: %s", one_line(shot.name), one_line(str(error)))
            return Looked(frame, None, "failed")

    def _send(self, effect: Send) -> None:
        known: dict[str, Any] = {}
        if isinstance(effect.parcel, StatusParcel | KeysParcel):
            known = self.status()
        if isinstance(effect.parcel, SidecarParcel):
            at = self.agent.standing
            both = (at.untold.get(d) or at.queue.get(d) for d in effect.parcel.digests)
            known = {frame.digest: frame for frame in both if frame is not None}
        self._sender.send(effect, known)

    def _attend(self, effect: Rekey | Gather) -> Event | None:
        if isinstance(effect, Rekey):
            return Offered("") if self._keyring.take(effect.sealed) else None
        try:
            return Gathered(effect.question, self._report(effect))
        except Exception as error:  # a question must not end the agent, after each start again
            LOG.warning("no report can be made: %s", one_line(str(error)))
            return None

    def _report(self, effect: Gather) -> bytes:
        report = Report(
            effect.question,
            self._config,
            self.status(),
            self._journal.counts(),
            self._tail.lines(),
        )
        return report.packed(effect.most_bytes, secrets_of(self._config))

    def _happen(self, event: Event) -> None:
        self._performer.happen(_now(), event)

    def _drain(self, wait_s: float) -> None:
        """Let everything happen that has happened, after waiting for it so long."""
        try:
            event = self._events.get(block=wait_s > 0, timeout=wait_s or None)
            while True:
                self._happen(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _wait_s(self) -> float:
        until_wake = self.agent.wake_mono_s() - time.monotonic()
        return max(min(until_wake, self._source.wait_s(), LONGEST_WAIT_S), 0.001)

    def _keep_model(self) -> None:
        """Let what home published be in use from the next frame on, if it is ready."""
        if self._keeper is None:
            return
        at, now = self.agent.standing, _now()
        may_bytes = 0.0 if self._was_held else at.budget.may_come_down(at.t)
        for event in self._keeper.tick(now.mono_s, may_bytes):
            self._happen(event)
        at.budget.kept_back_bytes = ASKING_BYTES if self._keeper.is_asking else 0

    def _check_hold(self) -> None:
        if self._config.hold_file is None:
            return
        is_held = Path(self._config.hold_file).expanduser().exists()
        if is_held != self._was_held:
            self._was_held = is_held
            self._happen(Held(is_held))

    def status(self) -> dict[str, Any]:
        """Return how the node is, as home gets it."""
        at, now_s = self.agent.standing, time.monotonic()
        return {
            "schema": 1,
            "node": self._config.node,
            "agent": version("backhaul"),
            "time_s": time.time(),
            "up_s": round(now_s - self._began_s),
            "model": at.rules.model,
            **self._updates(now_s),
            "policies": [policy.name for policy in at.rules.policies],
            "window": at.window.number,
            "waiting": len(at.queue),
            "waiting_bytes": at.queue.disk_bytes,
            "most_bytes": at.rules.most_bytes,
            "disk_free_bytes": _free_bytes(self._folder),
            "last_frame_s_ago": round(now_s - self._last_frame_s),
            "source": self._source.state(),
            "held": self._was_held,
            "choice_failed": at.choice_failed,
            "refused": one_line(self.agent.outgoing.refused),
            "keys": self._keyring.mark,
            "keys_refused": one_line(self._keyring.refused),
            "failures": self.agent.outgoing.failures,
            "totals": at.totals(),
        }

    def _updates(self, now_s: float) -> dict[str, Any]:
        """Return what home has to know of how published releases fare here."""
        updates, keeper = self._config.updates, self._keeper
        if updates is None or keeper is None:
            return {"group": "", "release": "", "update_refused": ""}
        asked_s = keeper.asked_mono_s
        return {
            "group": updates.group,
            "release": keeper.setup.release[:12],
            "update_refused": one_line(keeper.refused),
            "update_asked_s_ago": None if asked_s is None else round(now_s - asked_s),
        }


def rules_of(config: NodeConfig, setup: Setup, model: str) -> Rules:
    """Return what the agent of a node goes by.

    Args:
        config: The node.
        setup: How it chooses, and what it may send.
        model: Version of the model that looks.
    """
    return Rules(
        node=config.node,
        policies=setup.policies,
        link=setup.link,
        most_bytes=config.most_frame_bytes,
        seed=config.seed,
        model=model,
        status_s=config.status_s,
    )


def _locked(folder: Path) -> int:
    """Return the open lock of a folder, so that one agent alone runs in it."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise InputError(f"{folder}: another agent runs in this folder") from None
    return handle


def _now() -> Now:
    now_s = time.time()
    offset_s = time.localtime(now_s).tm_gmtoff
    return Now(now_s + offset_s, time.monotonic())


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
