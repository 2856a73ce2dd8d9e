"""Leases: of all processes on all machines, one at a time does a thing."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock

import psutil
from prefect.logging import get_logger
from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.errors import StoreError
from backhaul.storeroot import INTERNAL
from tasks.conditional import create, read_or_none, swap
from tasks.places import absolute
from tasks.store import remove

RENEW_S = 30.0
"""Seconds between two renewals of a lease."""
EXPIRE_S = 120.0
"""Seconds without a renewal after which another may take a lease over."""
_LONGEST_PAUSE_S = 2.0


class LeaseLostError(RuntimeError):
    """Another took the lease over, as it was not renewed in time; nothing more is written."""


class Holder(BaseModel):
    """Who holds a lease, and when that was last said.

    Args:
        host: Name of the machine.
        pid: Number of the process.
        began: When the process began, seconds since 1970.
        token: Different for each time that a lease is taken.
        renewed: Time of the last renewal, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    began: float
    token: str
    renewed: datetime

    @classmethod
    def me(cls) -> Holder:
        """Return this process as a new holder."""
        process = psutil.Process()
        return cls(
            host=socket.gethostname(),
            pid=process.pid,
            began=process.create_time(),
            token=uuid.uuid4().hex,
            renewed=datetime.now(UTC),
        )

    @property
    def encoded(self) -> bytes:
        """The content of the lease's object."""
        return self.model_dump_json().encode()

    def is_late(self) -> bool:
        """Return whether the last renewal is so long ago that another may take over."""
        return (datetime.now(UTC) - self.renewed).total_seconds() > EXPIRE_S

    def is_gone(self) -> bool:
        """Return whether the lease may be taken over: it expired, or its process is no more."""
        if self.is_late():
            return True
        if self.host != socket.gethostname():
            return False
        try:
            began: float = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        return abs(began - self.began) > 1.0


class Lease:
    """A lease that is held; call `require` before what must not happen twice."""

    def __init__(self, uri: str, holder: Holder) -> None:
        self.uri = uri
        self._holder = holder
        self._lost = False
        self._one = Lock()
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._renewing.start()

    def require(self) -> None:
        """Do nothing if the lease is still held; ask the store if that is not certain.

        Raises:
            LeaseLostError: If another took it over.
            StoreError: If the store stays away, so that nobody can tell.
        """
        if self._holder.is_late():  # the store was away, or this process was stopped
            self._renew()
        if self._lost:
            raise LeaseLostError(
                f"{self.uri}: was not renewed for {EXPIRE_S:.0f} s, and another goes on with it"
            )

    def release(self) -> None:
        """Give the lease back."""
        self._over.set()
        self._renewing.join()
        if not self._lost and read_or_none(self.uri) == self._holder.encoded:
            remove(self.uri)

    def _renew(self) -> None:
        with self._one:
            if self._lost:
                return
            late = True
            while late and not self._lost:  # the store may have been away meanwhile
                renewed = self._holder.model_copy(update={"renewed": datetime.now(UTC)})
                self._lost = not swap(self.uri, self._holder.encoded, renewed.encoded)
                self._holder = renewed
                late = renewed.is_late()

    def _keep(self) -> None:
        while not self._lost and not self._over.wait(RENEW_S):
            try:
                self._renew()
            except (StoreError, OSError) as error:  # the next try will tell
                get_logger("backhaul").warning("a lease could not be renewed: %s", error)


_locks: defaultdict[str, Lock] = defaultdict(Lock)
_locks_guard = Lock()


@contextmanager
def lease(root: str, key: str, on_wait: Callable[[str], None]) -> Iterator[Lease]:
    """Hold the lease on `key` in the store at `root` during the block; wait for it first.

    Args:
        root: Root of the store.
        key: What is done.
        on_wait: Called with who holds it, once, if another does.

    Raises:
        StoreError: If the store cannot be used.
    """
    uri = f"{absolute(root)}/{INTERNAL}/leases/{key}.json"
    with _locks_guard:
        lock = _locks[uri]
    with lock:  # threads of this process need not ask the store
        held = Lease(uri, _take(uri, on_wait))
        try:
            yield held
        finally:
            held.release()


def _take(uri: str, on_wait: Callable[[str], None]) -> Holder:
    pause_s, told = 0.1, False
    while True:
        mine = Holder.me()
        if create(uri, mine.encoded):
            return mine
        content = read_or_none(uri)
        if content is None:
            continue  # it was given back meanwhile
        theirs = _holder_in(uri, content)
        if theirs.is_gone() and swap(uri, content, mine.encoded):
            return mine
        if not told:
            on_wait(f"process {theirs.pid} on {theirs.host}")
            told = True
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _holder_in(uri: str, content: bytes) -> Holder:
    try:
        return Holder.model_validate_json(content)
    except ValidationError:
        raise StoreError(
            f"{uri}: is no lease of this version; remove it if nothing runs on this store"
        ) from None
