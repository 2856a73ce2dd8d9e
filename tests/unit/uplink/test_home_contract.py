"""What every home does, whether it is a bucket or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backhaul.errors import InputError
from backhaul.untrusted import TooLargeError, UnreadableFileError
from backhaul.uplink.folder import FolderHome
from backhaul.uplink.home import Home, Put, Traffic
from backhaul.uplink.once import put_once
from tests.tiny_s3 import TinyS3
from tests.unit.uplink.conftest import OpenAt

WRONG_NAMES = (
    "",
    "/etc/passwd",
    "a//b",
    "../b",
    "a/../b",
    "a/.",
    "a/",
    "a\nb",
    "a\\b",
    "é" * 451,
)


@pytest.fixture(params=["s3", "folder"])
def home(
    request: pytest.FixtureRequest, s3: TinyS3, open_at: OpenAt, tmp_path: Path
) -> Iterator[Home]:
    """A home of each kind."""
    if request.param == "s3":
        yield open_at(s3.port)
        return
    root = tmp_path / "home"
    root.mkdir()
    yield FolderHome(root)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of several pieces."""
    path = tmp_path / "frame.jpg"
    path.write_bytes(bytes(range(256)) * 200)
    return path


@pytest.mark.parametrize("name", ["a", "a/b c/é~$+.jpg", ".hidden/a"])
def test_what_is_put_is_there(home: Home, name: str, file: Path) -> None:
    assert home.size(name) is None
    put = home.put(name, file)
    assert not put.was_there
    assert put.traffic.up_bytes >= file.stat().st_size
    assert home.size(name) == file.stat().st_size
    got = home.get(name)
    assert got is not None
    assert got.data == file.read_bytes()


def test_nothing_is_an_object_as_well(home: Home) -> None:
    home.put("empty", b"")
    got = home.get("empty")
    assert home.size("empty") == 0
    assert got is not None
    assert got.data == b""


def test_what_is_not_there_is_none(home: Home, tmp_path: Path) -> None:
    assert home.size("a") is None
    assert home.get("a") is None
    assert home.download("a", tmp_path / "a", 100) is None
    assert not (tmp_path / "a").exists()


def test_a_version_that_is_known_is_not_sent(home: Home, tmp_path: Path) -> None:
    home.put("model", b"1" * 5000)
    first = home.get("model")
    assert first is not None
    before = home.traffic
    again = home.get("model", first.etag)
    down = home.download("model", tmp_path / "model", 5000, first.etag)
    assert again is not None
    assert (again.etag, again.data) == (first.etag, None)
    assert down is not None
    assert not down.is_new
    assert (home.traffic - before).down_bytes < 1000
    home.put("model", b"22" * 3000)
    newer = home.get("model", first.etag)
    assert newer is not None
    assert newer.data == b"22" * 3000


def test_an_object_is_replaced_unless_it_must_not_be(home: Home) -> None:
    home.put("a", b"1")
    home.put("a", b"22")
    assert home.size("a") == 2
    assert home.put("a", b"333", replace=False).was_there
    assert home.size("a") == 2
    assert not home.put("b", b"333", replace=False).was_there
    assert home.size("b") == 3


def test_downloads_are_whole_and_bounded(home: Home, tmp_path: Path, file: Path) -> None:
    home.put("model", file)
    n_bytes = file.stat().st_size
    target = tmp_path / "model.onnx"
    target.write_bytes(b"the one before")
    with pytest.raises(TooLargeError, match=f"model: has {n_bytes:,} bytes"):
        home.download("model", target, n_bytes - 1)
    with pytest.raises(TooLargeError):
        home.get("model", most_bytes=n_bytes - 1)
    assert target.read_bytes() == b"the one before"
    done = home.download("model", target, n_bytes)
    assert done is not None
    assert done.is_new
    assert target.read_bytes() == file.read_bytes()
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_names_lead_nowhere_else(home: Home, name: str, tmp_path: Path) -> None:
    for act in (
        lambda: home.put(name, b""),
        lambda: home.size(name),
        lambda: home.get(name),
        lambda: home.download(name, tmp_path / "x", 1),
    ):
        with pytest.raises(InputError) as raised:
            act()
        assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"gone\.jpg: No such file"):
        home.put("a", tmp_path / "gone.jpg")
    with pytest.raises(UnreadableFileError, match=r"gone\.jpg: No such file"):
        put_once(home, "a", tmp_path / "gone.jpg", uncertain=True)


def test_what_home_has_is_not_sent_again(home: Home, file: Path) -> None:
    put_once(home, "frames/1", file, uncertain=False)
    again = put_once(home, "frames/1", file, uncertain=True)
    assert again.was_there
    assert again.traffic.up_bytes < 1000
    home.put("frames/2", b"half of it")
    mended = put_once(home, "frames/2", file, uncertain=True)
    assert not mended.was_there
    assert home.size("frames/2") == file.stat().st_size
    assert mended.traffic.up_bytes >= file.stat().st_size


def test_traffic_adds_up(home: Home) -> None:
    puts: list[Put] = [home.put(str(number), b"x" * number) for number in (10, 1000)]
    total = Traffic(
        sum(put.traffic.up_bytes for put in puts), sum(put.traffic.down_bytes for put in puts)
    )
    assert home.traffic == total
    assert home.traffic - total == Traffic()
