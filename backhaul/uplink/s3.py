"""Home as a bucket, over S3."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from backhaul.uplink.answer import EXISTS, NO_SUCH_RANGE, NOT_MODIFIED, PARTIAL, Answer
from backhaul.uplink.body import opened
from backhaul.uplink.client import Client
from backhaul.uplink.home import (
    MOST_BYTES,
    Downloaded,
    Got,
    LinkDownError,
    Put,
    Traffic,
    checked_name,
)
from backhaul.uplink.resume import Partial
from backhaul.uplink.signature import Keys


@dataclass(frozen=True)
class S3Home:
    """A bucket, or what lies below a prefix in it; see `Home`.

    Args:
        client: Asks its server.
        prefix: What all names in it begin with, without a ``/`` at its end; may be empty.
    """

    client: Client
    prefix: str = ""

    @property
    def traffic(self) -> Traffic:
        """All bytes so far, headers and TLS included, those of failures as well."""
        return self.client.traffic

    @property
    def clock_offset(self) -> timedelta:
        """How far home is ahead of this machine's clock; 0 until home has refused our time."""
        return self.client.clock_offset

    def put(self, name: str, data: bytes | Path, *, replace: bool = True) -> Put:
        """Store an object, see `Home.put`."""
        before = self.traffic
        headers = {} if replace else {"If-None-Match": "*"}
        with (
            opened(data) as body,
            self.client.asking("PUT", self._key(name), headers, body) as answer,
        ):
            was_there = answer.status == EXISTS and not replace
            if not was_there:
                answer.require_done()
        return Put(self.traffic - before, was_there)

    def size(self, name: str) -> int | None:
        """Return how many bytes an object has, see `Home.size`."""
        with self.client.asking("HEAD", self._key(name), {}) as answer:
            if answer.is_absent:
                return None
            answer.require_done()
            return answer.n_bytes

    def get(
        self, name: str, known: str | None = None, most_bytes: int = MOST_BYTES
    ) -> Got | None:
        """Return an object, see `Home.get`."""
        with self.client.asking("GET", self._key(name), _unless(known)) as answer:
            if known is not None and answer.status == NOT_MODIFIED:
                return Got(known, None)
            if answer.is_absent:
                return None
            answer.require_done()
            return Got(answer.etag, b"".join(answer.pieces(name, most_bytes)))

    def download(
        self, name: str, target: Path, most_bytes: int, known: str | None = None
    ) -> Downloaded | None:
        """Bring an object into a file, see `Home.download`."""
        partial = Partial(target)
        headers = _unless(known)
        if partial.start:
            headers |= {"Range": f"bytes={partial.start}-", "If-Range": partial.etag}
        with self.client.asking("GET", self._key(name), headers) as answer:
            if known is not None and answer.status == NOT_MODIFIED:
                return Downloaded(known, is_new=False)
            if answer.is_absent:
                return None
            start = _start_of(answer, partial)
            partial.receive(answer.etag, start, answer.pieces(name, most_bytes, start))
            return Downloaded(answer.etag, is_new=True)

    def with_keys(self, keys: Keys) -> Self:
        """Return the same bucket with other keys, to try them; they share what is counted."""
        return replace(self, client=self.client.with_keys(keys))

    def use(self, keys: Keys) -> None:
        """Use other keys from the next request on."""
        self.client.use(keys)

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def _key(self, name: str) -> str:
        name = checked_name(name)
        return f"{self.prefix}/{name}" if self.prefix else name


def _unless(known: str | None) -> dict[str, str]:
    return {} if known is None else {"If-None-Match": known}


def _start_of(answer: Answer, partial: Partial) -> int:
    """Return where the content begins, which is where ours ends, or at 0.

    Raises:
        LinkDownError: If it is of another version than what is here, which is forgotten then.
    """
    if answer.status == NO_SUCH_RANGE:
        partial.forget()
        raise LinkDownError("the object became shorter: it begins anew")
    answer.require_done()
    if answer.status != PARTIAL:
        return 0
    if (answer.etag, answer.start) != (partial.etag, partial.start):
        partial.forget()
        raise LinkDownError("the object changed meanwhile: it begins anew")
    return partial.start
