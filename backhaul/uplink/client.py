"""Signed requests to a bucket over one kept-alive connection."""

from __future__ import annotations

import copy
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import urlsplit

import certifi
import httpcore

from backhaul.errors import InputError
from backhaul.untrusted import FilePath
from backhaul.uplink.answer import FORBIDDEN, Answer
from backhaul.uplink.body import Body
from backhaul.uplink.home import LinkDownError, Traffic
from backhaul.uplink.signature import NOTHING, Keys, encoded, signed
from backhaul.uplink.streams import CountingBackend
from backhaul.uplink.wire import Meter

_KEPT_S = 240.0
"""How long a connection may lie idle: phone networks forget one after five minutes or so."""
_SKEW = timedelta(minutes=1)
_MOST_OFFSET = timedelta(days=36500)  # a clock without a battery starts in 1970
_PORTS = {"http": 80, "https": 443}


def utc_now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Bucket:
    """Where a bucket is.

    Args:
        url: Of the service, ``http(s)://host[:port]``.
        name: Of the bucket.
        region: Of the bucket.
        in_host: Whether its name is part of the host (virtual-host style), not of the path.
    """

    url: str
    name: str
    region: str
    in_host: bool = False

    @property
    def host(self) -> str:
        """Name of the host."""
        host = urlsplit(self.url).hostname or ""
        return f"{self.name}.{host}" if self.in_host else host

    @property
    def port(self) -> int:
        """Port of the host."""
        return urlsplit(self.url).port or _PORTS[self.scheme]

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return urlsplit(self.url).scheme

    @property
    def host_header(self) -> str:
        """Host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def path(self, key: str) -> str:
        """Return the path of an object, as it is requested."""
        return encoded(f"/{key}" if self.in_host else f"/{self.name}/{key}")


class Client:
    """Asks an S3 server, one request at a time, from one thread.

    Args:
        bucket: Where it is.
        keys: That open it.
        certificates: What the server's certificate is checked with.
        stall_s: Seconds without a byte after which a connection is given up.
        connect_s: Seconds that a connection may take to come about.
        now: Returns the time, in UTC.
    """

    def __init__(
        self,
        bucket: Bucket,
        keys: Keys,
        certificates: ssl.SSLContext,
        *,
        stall_s: float,
        connect_s: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._bucket = bucket
        self._keys = keys
        self._now = now
        self._meter = Meter()
        self._timeouts = {"connect": connect_s, "read": stall_s, "write": stall_s}
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            max_connections=1,
            keepalive_expiry=_KEPT_S,
            network_backend=CountingBackend(self._meter),
        )
        self.clock_offset = timedelta()
        """What was added to our time for the last signatures, to have the server's."""

    @property
    def traffic(self) -> Traffic:
        """All bytes so far."""
        return self._meter.traffic

    @contextmanager
    def asking(
        self, method: str, key: str, headers: Mapping[str, str], body: Body | None = None
    ) -> Iterator[Answer]:
        """Give the answer to a request; where our clock is wrong, to a second one.

        Args:
            method: Such as ``PUT``.
            key: Name of the object in its bucket.
            headers: Beside those of every request.
            body: What to send.

        Raises:
            LinkDownError: If there is no answer, or it breaks off within the block.
            UnreadableFileError: If the file of the body changes meanwhile.
        """
        with self._exchange(method, key, headers, body) as answer:
            if not self._learns_time(answer):
                yield answer
                return
        with self._exchange(method, key, headers, body) as answer:
            yield answer

    def with_keys(self, keys: Keys) -> Self:
        """Return a client with other keys, on the same connection and with the same count."""
        other = copy.copy(self)
        other.use(keys)
        return other

    def use(self, keys: Keys) -> None:
        """Sign with other keys from the next request on."""
        self._keys = keys

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

    def _learns_time(self, answer: Answer) -> bool:
        """Take up the server's time, if a wrong one may be why it refused."""
        if answer.status != FORBIDDEN or answer.time is None:
            return False
        offset = answer.time - self._now()
        if abs(offset - self.clock_offset) < _SKEW or abs(offset) > _MOST_OFFSET:
            return False
        self.clock_offset = offset
        return True

    @contextmanager
    def _exchange(
        self, method: str, key: str, headers: Mapping[str, str], body: Body | None
    ) -> Iterator[Answer]:
        bucket, path = self._bucket, self._bucket.path(key)
        whole = signed(
            method,
            path,
            {"Host": bucket.host_header, **headers},
            NOTHING if body is None else body.sha256,
            keys=self._keys,
            region=bucket.region,
            now=self._now() + self.clock_offset,
        )
        if body is not None:
            whole["Content-Length"] = str(body.n_bytes)
        url = httpcore.URL(
            scheme=bucket.scheme, host=bucket.host, port=bucket.port, target=path
        )
        what = f"{method} {bucket.scheme}://{bucket.host_header}{path}"
        with (
            _as_our_errors(what),
            self._pool.stream(
                method,
                url,
                headers=[(name.encode(), value.encode()) for name, value in whole.items()],
                content=None if body is None else body.pieces(),
                extensions={"timeout": self._timeouts},
            ) as response,
        ):
            answer = Answer(response, what)
            yield answer
            answer.finish()


@contextmanager
def _as_our_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise LinkDownError(f"{what}: {error}") from error


def trusted_certificates(ca_file: FilePath | None) -> ssl.SSLContext:
    """Return what certificates of servers are checked with: one's own, or those of the system.

    Where the system has none, they are those that come with certifi.

    Raises:
        InputError: If the file has none.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if ca_file is None and not context.cert_store_stats()["x509_ca"]:
            context.load_verify_locations(certifi.where())
    except OSError as error:
        raise InputError(f"{ca_file}: expected certificates in PEM: {error}") from None
    return context
