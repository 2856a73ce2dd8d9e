"""Bytes are counted as they go, slow links are waited for, and still ones given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from backhaul.uplink.home import HomeRefusedError, LinkDownError
from backhaul.uplink.s3 import S3Home
from tests.certificates import make_certificate
from tests.faulty_link import FaultyLink, Weather, faulty_link
from tests.tiny_s3 import TinyS3, tiny_s3
from tests.unit.uplink.conftest import OpenAt


@contextmanager
def linked(
    open_at: OpenAt, folder: Path, *, tls: bool, weather: Weather, stall_s: float = 5.0
) -> Iterator[tuple[S3Home, FaultyLink, TinyS3]]:
    """Run a server behind a link, and open it."""
    ca_file, certificate = make_certificate(folder)
    with (
        tiny_s3(certificate if tls else None) as s3,
        faulty_link(s3.port, weather) as link,
    ):
        home = open_at(link.port, ca_file if tls else None, stall_s)
        yield home, link, s3
        home.close()


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_counts_are_those_of_the_link(open_at: OpenAt, tmp_path: Path, tls: bool) -> None:
    data = np.random.default_rng(0).bytes(300_000)
    with linked(open_at, tmp_path, tls=tls, weather=Weather()) as (home, link, s3):
        put = home.put("a", data)
        home.put("empty", b"")
        home.get("a")
        home.size("nothing")
        s3.keys.clear()
        with pytest.raises(HomeRefusedError):
            home.put("b", b"1")
        time.sleep(0.05)  # the link counts what it has passed on
        assert (home.traffic.up_bytes, home.traffic.down_bytes) == (
            link.up_bytes,
            link.down_bytes,
        )
        assert s3.connections == 1
        assert len(data) < put.traffic.up_bytes < len(data) + 2000


def test_a_session_of_tls_is_gone_on_with(open_at: OpenAt, tmp_path: Path) -> None:
    with linked(open_at, tmp_path, tls=True, weather=Weather()) as (home, _, s3):
        first = home.put("a", b"1")
        home.close()
        second = home.put("a", b"1")
        assert s3.connections == 2
        assert second.traffic.down_bytes < first.traffic.down_bytes - 500


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_slow_link_is_waited_for(open_at: OpenAt, tmp_path: Path, tls: bool) -> None:
    weather = Weather(kbit_s=800)
    with linked(open_at, tmp_path, tls=tls, weather=weather, stall_s=0.25) as (home, _, s3):
        began = time.monotonic()
        home.put("a", bytes(60_000))
        assert time.monotonic() - began > 0.5
        got = home.get("a")
        assert got is not None
        assert got.data == bytes(60_000)
        assert len(s3.puts) == 1


@pytest.mark.slow
def test_1_kbit_s_is_enough(open_at: OpenAt, tmp_path: Path) -> None:
    """An image of 8 kB takes a minute, though nothing may stand still for so long."""
    with linked(open_at, tmp_path, tls=True, weather=Weather(kbit_s=1), stall_s=45) as found:
        home, link, s3 = found
        began = time.monotonic()
        home.put("a", bytes(8_000))
        assert time.monotonic() - began > 45
        assert len(s3.puts) == 1
        assert home.traffic.up_bytes == link.up_bytes


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_link_that_stands_still_is_given_up(
    open_at: OpenAt, tmp_path: Path, tls: bool
) -> None:
    weather = Weather()
    with linked(open_at, tmp_path, tls=tls, weather=weather, stall_s=0.3) as (home, _, _s3):
        home.put("a", b"1")
        weather.silent = True
        with pytest.raises(LinkDownError, match=r"no byte moved for 0\.3 s"):
            home.put("a", bytes(2_000_000))
        weather.silent = False
        home.put("a", bytes(20_000))


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_bytes_of_requests_that_break_are_counted(
    open_at: OpenAt, tmp_path: Path, tls: bool
) -> None:
    weather = Weather(reset=0.3, lost=0.2, opaque_bytes=30_000, seed=3)
    with linked(open_at, tmp_path, tls=tls, weather=weather) as (home, link, _):
        failures = 0
        for number in range(40):
            try:
                home.put(str(number), bytes(30_000))
            except LinkDownError:
                failures += 1
        time.sleep(0.05)
        assert failures > 5
        assert link.breaks >= failures
        # What was on its way when a connection broke, the other side never saw.
        assert link.up_bytes <= home.traffic.up_bytes
        assert home.traffic.up_bytes - link.up_bytes < failures * 40_000


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_what_is_refused_early_is_not_sent_to_its_end(
    open_at: OpenAt, tmp_path: Path, tls: bool
) -> None:
    ca_file, certificate = make_certificate(tmp_path)
    answer = b"HTTP/1.1 403 No\r\nContent-Length: 26\r\n\r\n<Code>AccessDenied</Code>\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def refuse() -> None:
            plain, _ = server.accept()
            with (
                certificate.wrap_socket(plain, server_side=True) if tls else plain
            ) as connection:
                connection.recv(2000)
                connection.sendall(answer)
                done.wait(10)

        thread = threading.Thread(target=refuse)
        thread.start()
        home = open_at(server.getsockname()[1], ca_file if tls else None)
        with pytest.raises(HomeRefusedError, match="403 AccessDenied"):
            home.put("a", bytes(50_000_000))
        assert home.traffic.up_bytes < 20_000_000
        done.set()
        thread.join()


def test_a_server_with_another_certificate_is_not_trusted(
    open_at: OpenAt, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other, _ = make_certificate(tmp_path / "other")
    _, certificate = make_certificate(tmp_path)
    with tiny_s3(certificate) as s3:
        home = open_at(s3.port, other)
        with pytest.raises(LinkDownError, match="certificate verify failed"):
            home.put("a", b"1")
        assert not s3.requests
        home.close()
