"""The process that holds a lease, and whether it is still running."""

from __future__ import annotations

import socket
import uuid
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from backhaul.errors import StoreError

EXPIRE_S = 120.0
"""Seconds without a renewal after which another may take a lease over."""
ABANDONED_S = 3600.0
"""Age of a renewal that no wrong clock explains: S3 refuses clocks 15 minutes off."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


class Holder(BaseModel):
    """The process that holds a lease, and when it last renewed it.

    Args:
        host: Name of the machine.
        machine: The same for processes that see each other; see `this_machine`.
        pid: Number of the process.
        began: When the process began, seconds after the machine did.
        token: Different for each time that a lease is taken.
        renewed: Time of the last renewal by the holder's clock, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    machine: str
    pid: int
    began: float
    token: str
    renewed: datetime

    @classmethod
    def me(cls) -> Holder:
        """Return this process as the holder of a new lease."""
        process = psutil.Process()
        return cls(
            host=socket.gethostname(),
            machine=this_machine(),
            pid=process.pid,
            began=began_after_boot(process),
            token=uuid.uuid4().hex,
            renewed=datetime.now(UTC),
        )

    @property
    def encoded(self) -> bytes:
        """The content of the lease's object in the store."""
        return self.model_dump_json().encode()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def age_s(self) -> float:
        """Seconds since the last renewal by the clock of this machine."""
        return (datetime.now(UTC) - self.renewed).total_seconds()

    def renewed_now(self) -> Holder:
        """Return the same holder with the current time as its last renewal."""
        return self.model_copy(update={"renewed": datetime.now(UTC)})

    @property
    def seems_alive(self) -> bool:
        """Whether it renewed the lease lately, by our clock: a guess, as clocks may differ."""
        return not self.is_gone(silent_s=0.0) and abs(self.age_s) < EXPIRE_S

    def is_gone(self, silent_s: float) -> bool:
        """Return whether another process may take over the lease.

        It may if the holder's process has ended, or has not renewed the lease for too long.
        Clocks of two machines are not compared, unless they differ by far more than clocks do.

        Args:
            silent_s: Seconds without a renewal, as observed by a waiting process.
        """
        if silent_s > EXPIRE_S or self.age_s > ABANDONED_S:
            return True
        if self.machine != this_machine():
            return False
        try:
            began = began_after_boot(psutil.Process(self.pid))
        except psutil.NoSuchProcess:
            return True
        return abs(began - self.began) > 1.0


def began_after_boot(process: psutil.Process) -> float:
    """Return when a process began, seconds after its machine did; no clock changes that."""
    return float(process.create_time() - psutil.boot_time())


def holder_in(uri: str, content: bytes) -> Holder:
    """Return the holder that is recorded in a lease's object.

    Raises:
        StoreError: If another version of Backhaul wrote it.
    """
    try:
        return Holder.model_validate_json(content)
    except ValidationError:
        raise StoreError(
            f"{uri}: is no lease of this version; remove it if nothing runs on this store"
        ) from None


def this_machine() -> str:
    """Return an identifier shared by all processes that have the same process numbers.

    Containers of one host may have the same host name, and so may two machines.
    """
    if _BOOT.exists() and _PROCESSES.exists():
        return f"{_BOOT.read_text().strip()} {_PROCESSES.readlink()}"
    return f"{uuid.getnode():x}"
