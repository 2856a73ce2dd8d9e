"""A bucket as home: what its answers mean, and what a wrong clock costs."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backhaul.uplink.client import Bucket
from backhaul.uplink.home import HomeRefusedError, LinkDownError
from backhaul.uplink.signature import Keys
from deployments.local.ports import free_port
from tests.tiny_s3 import KEY_ID, SECRET, TinyS3
from tests.unit.uplink.conftest import OpenAt


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 302])
def test_an_uncertain_answer_is_the_links_fault(
    s3: TinyS3, open_at: OpenAt, status: int
) -> None:
    home = open_at(s3.port)
    s3.answers = [status] * 3
    for act in (lambda: home.put("a", b"1"), lambda: home.size("a"), lambda: home.get("a")):
        with pytest.raises(LinkDownError, match=f"answered {status}"):
            act()
    home.put("a", b"1")


@pytest.mark.parametrize("status", [400, 403, 405, 411, 501])
def test_other_answers_are_refusals(s3: TinyS3, open_at: OpenAt, status: int) -> None:
    home = open_at(s3.port)
    s3.answers = [status]
    with pytest.raises(HomeRefusedError) as raised:
        home.put("a", b"1")
    assert raised.value.status == status
    assert raised.value.code is None


def test_a_page_that_wants_a_login_is_not_home(s3: TinyS3, open_at: OpenAt) -> None:
    home = open_at(s3.port)
    s3.answers = [200, 200, 200]
    for act in (lambda: home.put("a", b"1"), lambda: home.size("a"), lambda: home.get("a")):
        with pytest.raises(LinkDownError, match="without an ETag"):
            act()


@pytest.mark.parametrize("lists", [False, True])
def test_revoked_keys_are_a_refusal_and_no_absence(
    s3: TinyS3, open_at: OpenAt, lists: bool
) -> None:
    s3.lists = lists
    home = open_at(s3.port)
    assert home.get("a") is None
    s3.keys.clear()
    for act in (lambda: home.put("a", b"1"), lambda: home.get("a")):
        with pytest.raises(HomeRefusedError, match="403 InvalidAccessKeyId") as raised:
            act()
        assert raised.value.code == "InvalidAccessKeyId"
        assert raised.value.home_time is not None
        assert abs(raised.value.home_time - datetime.now(UTC)) < timedelta(minutes=1)
        assert SECRET not in str(raised.value)
        assert KEY_ID not in str(raised.value)


def test_another_secret_is_refused(s3: TinyS3, open_at: OpenAt) -> None:
    home = open_at(s3.port, keys=Keys(KEY_ID, "another"))
    with pytest.raises(HomeRefusedError, match="SignatureDoesNotMatch"):
        home.put("a", b"1")


@pytest.mark.parametrize("ahead", [timedelta(days=20000), timedelta(days=-3)])
def test_a_wrong_clock_costs_one_more_request(
    s3: TinyS3, open_at: OpenAt, ahead: timedelta
) -> None:
    home = open_at(s3.port, now=lambda: datetime.now(UTC) - ahead)
    assert home.size("a") is None
    assert abs(home.clock_offset - ahead) < timedelta(seconds=5)
    assert len(s3.requests) == 2
    home.put("a", b"1")
    assert len(s3.requests) == 3
    assert s3.connections == 1


def test_a_clock_that_jumps_is_followed(s3: TinyS3, open_at: OpenAt) -> None:
    home = open_at(s3.port)
    for hours in (0, 5, -7, 0):
        s3.ahead = timedelta(hours=hours)
        assert not home.put(f"at {hours}", b"1").was_there
    assert abs(home.clock_offset) < timedelta(seconds=5)


def test_a_time_that_changes_nothing_is_not_asked_for_twice(
    s3: TinyS3, open_at: OpenAt
) -> None:
    s3.keys.clear()
    s3.ahead = timedelta(hours=2)
    with pytest.raises(HomeRefusedError):
        open_at(s3.port).put("a", b"1")
    assert len(s3.requests) == 2  # it might have been the clock


def test_a_file_that_changes_is_not_stored(s3: TinyS3, open_at: OpenAt, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1" * 10_000)
    home = open_at(s3.port, now=lambda: _changing(file))
    with pytest.raises(HomeRefusedError, match="XAmzContentSHA256Mismatch"):
        home.put("a", file)
    assert not s3.objects


def _changing(file: Path) -> datetime:
    """Return the time of the signature, when the digest is known and nothing is sent yet."""
    file.write_bytes(b"2" * 10_000)
    return datetime.now(UTC)


def test_nobody_at_home_is_the_links_fault(open_at: OpenAt) -> None:
    home = open_at(free_port())
    with pytest.raises(LinkDownError, match="refused"):
        home.put("a", b"1")
    assert home.traffic.up_bytes == 0


def test_a_server_that_is_none_of_http_is_the_links_fault(open_at: OpenAt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        home = open_at(server.getsockname()[1], stall_s=0.2)
        with pytest.raises(LinkDownError, match=r"no byte moved for 0\.2 s"):
            home.put("a", b"1")


@pytest.mark.parametrize(
    ("in_host", "url", "path", "host"),
    [
        (False, "http://s3.local:8333", "/edge/a%20b/%25", "s3.local:8333"),
        (
            True,
            "https://s3.eu-north-1.amazonaws.com",
            "/a%20b/%25",
            "edge.s3.eu-north-1.amazonaws.com",
        ),
        (False, "https://[::1]:443", "/edge/a%20b/%25", "[::1]"),
    ],
)
def test_both_styles_of_addresses(in_host: bool, url: str, path: str, host: str) -> None:
    bucket = Bucket(url, "edge", "eu-north-1", in_host)
    assert (bucket.path("a b/%"), bucket.host_header) == (path, host)
