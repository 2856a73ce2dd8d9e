from collections.abc import Iterator

import pytest

from tests.tiny_s3 import TinyS3, tiny_s3


@pytest.fixture
def s3() -> Iterator[TinyS3]:
    """A small object store."""
    with tiny_s3() as server:
        yield server


@pytest.fixture
def hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nodes wait for comes soon."""
    monkeypatch.setattr("backhaul.node.outgoing.TELL_S", 0.2)
    monkeypatch.setattr("backhaul.node.requests.KEYS_AGAIN_S", 0.5)
