"""Whatever the link does, home has exactly the bytes in the end, and takes none in twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.uplink.backoff import Backoff
from backhaul.uplink.client import Bucket, Client
from backhaul.uplink.home import LinkDownError, Put
from backhaul.uplink.once import put_once
from backhaul.uplink.s3 import S3Home
from backhaul.uplink.signature import Keys
from tests.faulty_link import Weather, faulty_link
from tests.tiny_s3 import KEY_ID, NO_TLS, REGION, SECRET, TinyS3, tiny_s3

MOST_TRIES = 60


def open_home(port: int, stall_s: float = 5.0) -> S3Home:
    bucket = Bucket(f"http://127.0.0.1:{port}", "edge", REGION)
    client = Client(bucket, Keys(KEY_ID, SECRET), NO_TLS, stall_s=stall_s, connect_s=5.0)
    return S3Home(client)


def send(home: S3Home, data: bytes) -> tuple[str, Put]:
    """Put it as the agent does: until home has it."""
    name = hashlib.sha256(data).hexdigest()
    for number in range(MOST_TRIES):
        try:
            return name, put_once(home, name, data, uncertain=number > 0)
        except LinkDownError:
            pass
    raise AssertionError("home never got it")


@given(
    sizes=st.lists(st.integers(0, 60_000), min_size=1, max_size=4),
    reset=st.floats(0, 0.5),
    lost=st.floats(0, 0.3),
    busy=st.lists(st.sampled_from([500, 503, 429]), max_size=3),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=8)
def test_home_has_exactly_the_bytes(
    sizes: list[int], reset: float, lost: float, busy: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weather = Weather(reset=reset, lost=lost, seed=seed)
    with (
        tiny_s3() as s3,
        faulty_link(s3.port, weather) as link,
        closing(open_home(link.port)) as home,
    ):
        s3.answers = busy
        for number, size in enumerate(sizes):
            data = bytes([number]) + rng.bytes(size)
            name, _ = send(home, data)
            assert s3.objects[f"/edge/{name}"] == data
        assert len(s3.puts) == len(set(s3.puts))


def test_what_home_has_does_not_cross_a_faulty_link_again() -> None:
    """Of 200 puts over a link that breaks one in five, or loses its answer."""
    rng = np.random.default_rng(1)
    weather = Weather(reset=0.1, lost=0.1, seed=1)
    with (
        tiny_s3() as s3,
        faulty_link(s3.port, weather) as link,
        closing(open_home(link.port)) as home,
    ):
        sent = {}
        for _ in range(200):
            data = rng.bytes(int(rng.integers(1_000, 30_000)))
            name, _put = send(home, data)
            sent[f"/edge/{name}"] = data
        again = [path for number, path in enumerate(s3.puts) if path in s3.puts[:number]]
    assert s3.objects == sent
    assert link.breaks > 20
    assert sum(len(sent[path]) for path in again) <= 0.01 * sum(map(len, sent.values()))


def test_an_outage_is_sat_out() -> None:
    rng, backoff = np.random.default_rng(3), Backoff(base_s=0.05, cap_s=0.2)
    weather = Weather(outages=((0.0, 0.4),))
    with (
        tiny_s3() as s3,
        faulty_link(s3.port, weather) as link,
        closing(open_home(link.port)) as home,
    ):
        while not s3.puts:
            try:
                put_once(home, "a", b"1", uncertain=backoff.failures > 0)
            except LinkDownError:
                backoff = backoff.after_failure(rng)
                time.sleep(backoff.wait_s)
        assert backoff.failures > 1
        assert s3.objects == {"/edge/a": b"1"}


@contextmanager
def _breaking(data: bytes, folder: Path) -> Iterator[tuple[TinyS3, S3Home, Weather, Path]]:
    """Give a server that has a model, behind a link, and where the model is to lie."""
    weather = Weather()
    with (
        tiny_s3() as s3,
        faulty_link(s3.port, weather) as link,
        closing(open_home(link.port)) as home,
    ):
        s3.objects["/edge/model"] = data
        (folder / "models").mkdir()
        yield s3, home, weather, folder / "models" / "model"


def test_a_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    data = np.random.default_rng(2).bytes(900_000)
    with _breaking(data, tmp_path) as (_, home, weather, target):
        for after in (300_000, 350_000):  # less arrives: what is in buffers is lost
            weather.cut_after = after
            with pytest.raises(LinkDownError):
                home.download("model", target, len(data))
            assert not target.exists()
        [part] = target.parent.iterdir()
        n_bytes = part.stat().st_size
        assert n_bytes > 10_000
        before = home.traffic
        weather.cut_after = None
        assert home.download("model", target, len(data)) is not None
        assert target.read_bytes() == data
        assert (home.traffic - before).down_bytes < len(data) - n_bytes + 1000
        assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_a_download_of_what_changed_begins_anew(tmp_path: Path, takes_ranges: bool) -> None:
    data = np.random.default_rng(2).bytes(300_000)
    with _breaking(data, tmp_path) as (s3, home, weather, target):
        weather.cut_after = 200_000
        with pytest.raises(LinkDownError):
            home.download("model", target, len(data))
        weather.cut_after = None
        s3.takes_ranges = takes_ranges
        s3.objects["/edge/model"] = newer = data[::-1]
        assert home.download("model", target, len(data)) is not None
        assert target.read_bytes() == newer
