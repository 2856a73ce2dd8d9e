"""The model that a node looks with: swapped under load, watched, and taken back if it fails."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from backhaul.errors import InputError
from backhaul.node.happenings import Captured, Event, Fetched, Looked, Ruled
from backhaul.node.lens import Lens
from backhaul.node.policies import AnyPolicy
from backhaul.node.settings import NodeConfig
from backhaul.node.setup import Setup, own_setup
from backhaul.node.updates.check import Checker, Ready
from backhaul.node.updates.errors import RefusedError, UnreachedError
from backhaul.node.updates.release import require_choice
from backhaul.node.updates.settings import Updates
from backhaul.node.updates.shelf import Shelf
from backhaul.node.updates.source import Published
from backhaul.node.updates.watch import Watch
from backhaul.randomness import generator
from backhaul.untrusted import read_bytes, user_path
from backhaul.uplink.backoff import Backoff
from backhaul.uplink.home import Home

LOG = logging.getLogger(__name__)

JITTER = 0.1
"""Part of the time between two looks by which it differs from look to look."""
FIRST_S = 60.0
"""The first look is within so long after the start."""


class _Outcome(NamedTuple):
    """What came of one look at what is published."""

    up_bytes: int
    down_bytes: int
    ready: Ready | None = None
    refused: str = ""
    unreached: str = ""


class Keeper:
    """Keeps the model of a node whose settings have `updates`.

    Home is asked in a thread of its own, where a model is also tried and loaded. What is in use
    changes only between two frames, in `tick` and at the start.

    Args:
        config: The node.
        updates: What it takes.
        folder: Its folder.
        home: Home, for this alone.

    Raises:
        InputError: If the trusted root, or the node's own model, cannot be used.
    """

    def __init__(self, config: NodeConfig, updates: Updates, folder: Path, home: Home) -> None:
        self._config, self._home = config, home
        self._shelf = Shelf(folder / "models")
        incoming = folder / "incoming"
        incoming.mkdir(exist_ok=True)
        try:
            root = read_bytes(user_path(updates.root))
            published = Published(home, root, folder / "trusted")
            published.require_root()
        except RefusedError as error:
            raise InputError(f"updates.root: {updates.root}: {error.reason}") from None
        self._checker = Checker(config, updates, published, self._shelf, incoming)
        self._watch = Watch(folder / "models" / "looking", updates.look_s)
        self._rng = generator(config.seed, "updates", config.node)
        self._every_s, self._backoff = updates.every_s, Backoff()
        self._due_s = float(self._rng.uniform(0, min(FIRST_S, updates.every_s)))
        self._outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._began_s: float | None = None
        self.refused = ""
        """Why what is published is not taken; empty = it is."""
        self.asked_mono_s: float | None = None
        """When home last answered what it publishes, by the monotonic clock; None = not yet."""
        self.setup, self._lens = self._first()

    @property
    def lens(self) -> Lens:
        """What looks now."""
        return self._lens

    def look(self, frame: Captured, content: bytes, policy: AnyPolicy) -> Looked:
        """Return what is seen in a frame; see `Lens.look`."""
        if not self.setup.release:
            return self._lens.look(frame, content, policy)
        try:
            with self._watch.look():
                return self._lens.look(frame, content, policy)
        except Exception as error:  # whatever a model brings about; it is counted, and it goes
            LOG.warning("a look failed: %s", error)
            return Looked(frame, None, "failed")

    def tick(self, mono_s: float, may_bytes: float) -> Iterator[Event]:
        """Do what is due between two frames; yield what the agent has to know.

        Args:
            mono_s: The monotonic clock.
            may_bytes: How many bytes may come down now; 0 = home is not to be asked.
        """
        if self._began_s is None:
            self._began_s = mono_s
            self._due_s += mono_s
        with suppress(queue.Empty):
            outcome = self._outcomes.get_nowait()
            self._thread = None
            yield Fetched(outcome.up_bytes, outcome.down_bytes)
            yield from self._after(outcome, mono_s)
        if self._watch.verdict and self.setup.release:
            self._go_back(self._watch.verdict)
            yield self._ruled()
        if self._thread is None and mono_s >= self._due_s and may_bytes > 0:
            self._thread = threading.Thread(
                target=self._check, args=(self.setup, may_bytes), name="updates", daemon=True
            )
            self._thread.start()

    @property
    def is_asking(self) -> bool:
        """Whether home is being asked now."""
        return self._thread is not None

    def close(self, wait_s: float) -> None:
        """End what is under way, if that does not take too long."""
        if self._thread is not None:
            self._thread.join(wait_s)
        if self._thread is None or not self._thread.is_alive():
            self._home.close()

    def _check(self, now: Setup, may_bytes: float) -> None:
        """Look at what is published, in a thread of its own."""
        before = self._home.traffic
        ready, refused, unreached = None, "", ""
        try:
            ready = self._checker.check(now, may_bytes)
        except RefusedError as error:
            refused = error.reason
        except UnreachedError as error:
            unreached = str(error)
        except Exception as error:  # the node goes on without updates, and says why
            refused = f"{type(error).__name__}: {error}"
        gone = self._home.traffic - before
        self._outcomes.put(_Outcome(gone.up_bytes, gone.down_bytes, ready, refused, unreached))

    def _after(self, outcome: _Outcome, mono_s: float) -> Iterator[Event]:
        if outcome.unreached:
            self._backoff = self._backoff.after_failure(self._rng)
            LOG.info("updates: %s", outcome.unreached)
            self._due_s = mono_s + min(self._backoff.wait_s, self._every_s)
            return
        self._backoff = self._backoff.after_success()
        self.asked_mono_s = mono_s
        self._due_s = mono_s + self._every_s * self._rng.uniform(1 - JITTER, 1 + JITTER)
        if outcome.refused and outcome.refused != self.refused:
            LOG.warning("updates: %s", outcome.refused)
        self.refused = outcome.refused
        if outcome.ready is not None:
            self._swap(outcome.ready)
            yield self._ruled()

    def _swap(self, ready: Ready) -> None:
        self._shelf.take(ready.taken)
        if ready.lens is not None:
            self._lens = ready.lens
            self._watch.restart()
        self.setup = ready.setup
        LOG.info("updates: model %s from now on", self._lens.version)

    def _go_back(self, reason: str) -> None:
        current = self._shelf.current
        if current is not None:
            self.refused = f"model {current.model[:12]}: {reason}"
            LOG.warning("updates: %s: back to the one before", self.refused)
            self._shelf.fail(current.model, reason)
            self._shelf.go_back()
        self._watch.restart()
        self.setup, self._lens = self._first()

    def _first(self) -> tuple[Setup, Lens]:
        """Return what was in use last, or what was before if that cannot be."""
        while (taken := self._shelf.current) is not None:
            reason = self._shelf.failed(taken.model) or self._watch.verdict
            try:
                if not reason:
                    return self._opened()
            except RefusedError as error:  # by these settings: no fault of the model
                self.refused = error.reason
                break
            except (InputError, OSError) as error:
                reason = str(error)
            LOG.warning("updates: model %s: %s", taken.model[:12], reason)
            self.refused = f"model {taken.model[:12]}: {reason}"
            if _is_whole(self._shelf.model_file(taken.model), taken.model):
                self._shelf.fail(taken.model, reason)
            self._shelf.go_back()
            self._watch.restart()
        setup = own_setup(self._config)
        return setup, Lens(self._config, setup.model)

    def _opened(self) -> tuple[Setup, Lens]:
        setup = self._kept()
        with self._watch.look():  # it may crash already when it is loaded
            return setup, Lens(self._config, setup.model, setup.sha256)

    def _kept(self) -> Setup:
        taken = self._shelf.current
        assert taken is not None  # noqa: S101 - asked just before
        config = require_choice(self._config, self._shelf.release(taken))
        path = self._shelf.model_file(taken.model)
        return Setup(path, taken.model, config.policies, config.link, taken.release)

    def _ruled(self) -> Ruled:
        return Ruled(self._lens.version, self.setup.policies, self.setup.link)


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
