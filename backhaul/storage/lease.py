"""Leases: locks in the store, each owned by one process of all machines at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from backhaul.errors import StoreError
from backhaul.layout import lease_place
from backhaul.storage.addresses import absolute
from backhaul.storage.conditional import create, read_or_none, swap
from backhaul.storage.holder import EXPIRE_S, Holder, holder_in
from backhaul.storage.objects import remove_files

LOG = logging.getLogger(__name__)

RENEW_S = 30.0
"""Seconds between two renewals of a lease."""
_LONGEST_PAUSE_S = 2.0


class LeaseLostError(RuntimeError):
    """The lease was not renewed in time and another process took it over; writing stops."""


class Lease:
    """A lease of this process; call `require` before a step that must not happen twice."""

    def __init__(self, uri: str, holder: Holder) -> None:
        self.uri = uri
        self._holder = holder
        self._lost = False
        self._one = Lock()
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._renewing.start()

    def require(self) -> None:
        """Do nothing if this process still has the lease; ask the store if that is uncertain.

        Raises:
            LeaseLostError: If another took it over.
            StoreError: If the store does not answer, so that it is unknown.
        """
        if self._holder.age_s > EXPIRE_S:  # the store was away, or this process was stopped
            self._renew()
        if self._lost:
            raise LeaseLostError(
                f"{self.uri}: was not renewed for {EXPIRE_S:.0f} s, and another goes on with it"
            )

    def release(self) -> None:
        """Release the lease."""
        self._over.set()
        self._renewing.join()
        if not self._lost and read_or_none(self.uri) == self._holder.encoded:
            remove_files([self.uri])

    def _renew(self) -> None:
        with self._one:
            if self._lost:
                return
            late = True
            while late and not self._lost:  # the store may have been away meanwhile
                renewed = self._holder.renewed_now()
                self._lost = not swap(self.uri, self._holder.encoded, renewed.encoded)
                self._holder = renewed
                late = renewed.age_s > EXPIRE_S

    def _keep(self) -> None:
        while not self._lost and not self._over.wait(RENEW_S):
            try:
                self._renew()
            except (StoreError, OSError) as error:  # the next try will tell
                LOG.warning("a lease could not be renewed: %s", error)


OnWait = Callable[[Holder, float], None]
"""What is told of each look at a lease that another holds; see `lease`."""

_locks: defaultdict[str, Lock] = defaultdict(Lock)
_locks_guard = Lock()


@contextmanager
def lease(root: str, key: str, on_wait: OnWait) -> Iterator[Lease]:
    """Wait for the lease on `key` in the store at `root`, and hold it within the block.

    Args:
        root: Root of the store.
        key: Name of the work that the lease protects.
        on_wait: Called at each look at the lease while another process holds it, with that and
            the seconds that it has waited, 0 at first. What it raises ends the waiting.

    Raises:
        StoreError: If the store cannot be used.
    """
    uri = lease_place(absolute(root), key)
    with _locks_guard:
        lock = _locks[uri]
    with lock:  # threads of this process need not ask the store
        own_lease = Lease(uri, _take(uri, on_wait))
        try:
            yield own_lease
        finally:
            own_lease.release()


def _take(uri: str, on_wait: OnWait) -> Holder:
    pause_s, waited_s = 0.1, 0.0
    seen, since = b"", 0.0
    while True:
        mine = Holder.me()
        if create(uri, mine.encoded):
            return mine
        content = read_or_none(uri)
        if content is None:
            continue  # it was given back meanwhile
        if content != seen:
            seen, since = content, time.monotonic()
        other = holder_in(uri, content)
        gone = other.is_gone(silent_s=time.monotonic() - since)
        if gone and swap(uri, content, mine.encoded):
            return mine
        on_wait(other, waited_s)
        time.sleep(pause_s)
        waited_s += pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
