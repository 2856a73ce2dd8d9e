"""Homes for the tests of the uplink."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backhaul.uplink.client import Bucket, Client, trusted_certificates, utc_now
from backhaul.uplink.s3 import S3Home
from backhaul.uplink.signature import Keys
from tests.tiny_s3 import KEY_ID, NO_TLS, REGION, SECRET, TinyS3, tiny_s3

OpenAt = Callable[..., S3Home]
KEYS = Keys(KEY_ID, SECRET)


@pytest.fixture
def s3() -> Iterator[TinyS3]:
    """A small S3 server."""
    with tiny_s3() as server:
        yield server


@pytest.fixture
def open_at() -> Iterator[OpenAt]:
    """Return a home at a port, over TLS where there is a file of certificates to trust."""
    with ExitStack() as stack:

        def opened(
            port: int,
            ca_file: Path | None = None,
            stall_s: float = 5.0,
            keys: Keys = KEYS,
            now: Callable[..., object] = utc_now,
        ) -> S3Home:
            scheme = "http" if ca_file is None else "https"
            client = Client(
                Bucket(f"{scheme}://127.0.0.1:{port}", "edge", REGION),
                keys,
                NO_TLS if ca_file is None else trusted_certificates(ca_file),
                stall_s=stall_s,
                connect_s=5.0,
                now=now,  # type: ignore[arg-type]
            )
            stack.callback(client.close)
            return S3Home(client, "inbox/cam")

        yield opened
