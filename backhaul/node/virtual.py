"""A virtual disk and a virtual home, for simulations and tests."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator


class VirtualDisk:
    """Files in memory that behave like those of a disk, also when power is lost.

    A file that is written has its content on the disk, but its name only after `flush`; so has
    a removal.

    Args:
        most_bytes: Room of the disk; None = no limit.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = self.peak_bytes = 0
        self._files: dict[str, bytes] = {}
        self._flushed: dict[str, bytes] = {}
        self._changed: set[str] = set()
        self.quarantined: list[str] = []

    def write(self, digest: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        more = len(data) - len(self._files.get(digest, b""))
        if self.most_bytes is not None and self.used_bytes + more > self.most_bytes:
            raise OSError(errno.ENOSPC, "no space left on device")
        self._files[digest] = data
        self._changed.add(digest)
        self.used_bytes += more
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)

    def read(self, digest: str, n_bytes: int | None = None) -> bytes:
        """Return a file, or its first bytes."""
        if digest not in self._files:
            raise FileNotFoundError(digest)
        return self._files[digest][:n_bytes]

    def remove(self, digest: str) -> None:
        """Remove a file, if it is there."""
        data = self._files.pop(digest, None)
        if data is not None:
            self.used_bytes -= len(data)
            self._changed.add(digest)

    def quarantine(self, digest: str) -> None:
        """Put a file away."""
        if digest in self._files:
            self.quarantined.append(digest)
        self.remove(digest)

    def names(self) -> Iterator[str]:
        """Yield the names of all files."""
        return iter(list(self._files))

    def flush(self) -> None:
        """Let all names be on the disk for good."""
        for digest in self._changed:
            if digest in self._files:
                self._flushed[digest] = self._files[digest]
            else:
                self._flushed.pop(digest, None)
        self._changed.clear()

    def release(self) -> None:
        """Do nothing: a virtual journal lies elsewhere."""

    def lose_power(self) -> None:
        """Forget all that was not flushed."""
        self._files = dict(self._flushed)
        self._changed.clear()
        self.used_bytes = sum(map(len, self._files.values()))

    def damage(self, digest: str) -> None:
        """Change a byte in the middle of a file."""
        data = bytearray(self._files[digest])
        data[len(data) // 2] ^= 0xFF
        self._files[digest] = self._flushed[digest] = bytes(data)


class VirtualHome:
    """What home has: sizes of objects by name, and how often each came whole."""

    def __init__(self) -> None:
        self.objects: dict[str, int] = {}
        self.arrived: dict[str, float] = {}
        self.came: Counter[str] = Counter()
        self.came_bytes = 0
        self.again_bytes = 0

    def take(self, name: str, size_bytes: int, t: float) -> None:
        """Take an object at a time; one that is there already was sent in vain."""
        self.came[name] += 1
        self.came_bytes += size_bytes
        if name in self.objects:
            self.again_bytes += size_bytes
        self.objects[name] = size_bytes
        self.arrived.setdefault(name, t)
