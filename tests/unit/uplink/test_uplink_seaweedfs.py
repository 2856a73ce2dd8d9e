"""The uplink against a real S3 server, with a node's keys, over a link that fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from backhaul.uplink.client import Bucket, Client, utc_now
from backhaul.uplink.home import HomeRefusedError, LinkDownError
from backhaul.uplink.once import put_once
from backhaul.uplink.s3 import S3Home
from backhaul.uplink.signature import Keys
from deployments.local.seaweedfs import SeaweedFS
from tests.faulty_link import FaultyLink, Weather, faulty_link
from tests.identities import STORE, environment_of, files_of
from tests.tiny_s3 import NO_TLS

pytestmark = pytest.mark.s3


@pytest.fixture
def link(object_store: SeaweedFS) -> Iterator[FaultyLink]:
    with faulty_link(object_store.ports["s3"], Weather()) as found:
        yield found


def node_home(
    store: SeaweedFS, port: int, keys: Keys | None = None, ahead: timedelta = timedelta()
) -> S3Home:
    environment = environment_of(store, "node-cam-1")
    client = Client(
        Bucket(f"http://127.0.0.1:{port}", "edge", "us-east-1"),
        keys or Keys(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]),
        NO_TLS,
        stall_s=20,
        connect_s=10,
        now=lambda: utc_now() + ahead,
    )
    return S3Home(client, STORE)


def test_a_node_puts_asks_and_gets(
    object_store: SeaweedFS, link: FaultyLink, tmp_path: Path
) -> None:
    data, name = np.random.default_rng(0).bytes(200_000), "inbox/cam-1/a b~é+.bin"
    with closing(node_home(object_store, link.port)) as home:
        assert home.size(name) is None
        assert home.get(name) is None
        home.put(name, data)
        assert home.size(name) == len(data)
        got = home.get(name)
        assert got is not None
        assert got.data == data
        again = home.get(name, got.etag)
        assert again is not None
        assert again.data is None
        assert home.put(name, b"other", replace=False).was_there
        assert home.download(name, tmp_path / "a", len(data)) is not None
        assert (tmp_path / "a").read_bytes() == data
        assert home.traffic.up_bytes == link.up_bytes


def test_a_download_is_gone_on_with(
    object_store: SeaweedFS, link: FaultyLink, tmp_path: Path
) -> None:
    data = np.random.default_rng(1).bytes(3_000_000)
    with closing(node_home(object_store, link.port)) as home:
        home.put("inbox/cam-1/model", data)
        link.weather.cut_after = 1_000_000
        for _ in range(8):
            try:
                done = home.download("inbox/cam-1/model", tmp_path / "model", len(data))
            except LinkDownError:
                link.weather.cut_after += 300_000
            else:
                break
        assert done is not None
        assert (tmp_path / "model").read_bytes() == data
        assert home.traffic.down_bytes < 1.5 * len(data)


def test_no_right_unknown_keys_and_a_wrong_clock(
    object_store: SeaweedFS, link: FaultyLink
) -> None:
    with (
        closing(node_home(object_store, link.port)) as home,
        pytest.raises(HomeRefusedError, match="403 AccessDenied"),
    ):
        home.put("inbox/cam-2/a", b"1")
    with closing(node_home(object_store, link.port, Keys("revoked", "x"))) as home:
        with pytest.raises(HomeRefusedError, match="InvalidAccessKeyId") as raised:
            home.put("inbox/cam-1/a", b"1")
        assert raised.value.home_time is not None
        assert abs(raised.value.home_time - datetime.now(UTC)) < timedelta(minutes=1)
    ahead = timedelta(days=-400)
    with closing(node_home(object_store, link.port, ahead=ahead)) as home:
        home.put("inbox/cam-1/late", b"1")
        assert abs(home.clock_offset + ahead) < timedelta(seconds=10)


def test_200_puts_over_a_link_that_breaks(object_store: SeaweedFS) -> None:
    rng = np.random.default_rng(5)
    weather = Weather(reset=0.1, lost=0.1, seed=5)
    sent, body_bytes, failures = {}, 0, 0
    with (
        faulty_link(object_store.ports["s3"], weather) as link,
        closing(node_home(object_store, link.port)) as home,
    ):
        for _ in range(200):
            data = rng.bytes(int(rng.integers(1_000, 30_000)))
            name = f"inbox/cam-1/{hashlib.sha256(data).hexdigest()}"
            for number in range(40):
                try:
                    put_once(home, name, data, uncertain=number > 0)
                    break
                except LinkDownError:
                    failures += 1
            sent[name] = data
            body_bytes += len(data)
        traffic = home.traffic
    files = files_of(object_store, "home-site")
    for name, data in sent.items():
        assert files.cat_file(f"edge/{STORE}/{name}") == data
    assert failures > 20
    assert link.up_bytes <= traffic.up_bytes
    assert traffic.up_bytes < 1.3 * body_bytes
