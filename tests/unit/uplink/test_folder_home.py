"""A folder as home: whole files, whatever fails, and none outside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from backhaul.errors import InputError
from backhaul.uplink.folder import FolderHome
from backhaul.uplink.home import HomeRefusedError, LinkDownError


@pytest.fixture
def home(tmp_path: Path) -> FolderHome:
    root = tmp_path / "home"
    root.mkdir()
    return FolderHome(root)


def names(home: FolderHome) -> list[str]:
    found = (path for path in home.root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(home.root)) for path in found)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, LinkDownError),
        (errno.EDQUOT, LinkDownError),
        (errno.ESTALE, LinkDownError),
        (errno.EIO, LinkDownError),
        (errno.EROFS, HomeRefusedError),
        (errno.EACCES, HomeRefusedError),
    ],
)
@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_what_fails_leaves_what_was_there(
    home: FolderHome,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
    at: str,
) -> None:
    home.put("a/b", b"as it was")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if at == "fsync" else (Path, "replace")), fail)
        with pytest.raises(error, match=os.strerror(number)):
            home.put("a/b", b"another")
    assert names(home) == ["a/b"]
    assert (home.root / "a" / "b").read_bytes() == b"as it was"


def test_a_full_disk_is_said_with_its_reason(tmp_path: Path) -> None:
    home = FolderHome(tmp_path)
    (tmp_path / ".a.new").symlink_to("/dev/full")
    with pytest.raises(LinkDownError, match="No space left on device"):
        home.put("a", bytes(100_000))
    assert names(home) == []


def test_files_outlive_the_loss_of_power(
    home: FolderHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content before its name, and a folder's name before what is in it."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        fsync(handle)

    def noted_replace(path: Path, target: Path) -> Path:
        done.append(f"name {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    home.put("a/b/c", b"1")
    assert done == ["sync home", "sync a", "sync .c.new", "name c", "sync b"]


def test_no_link_leads_out(home: FolderHome, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"of others")
    (home.root / "out").symlink_to(tmp_path)
    (home.root / "file").symlink_to(tmp_path / "secret")
    for act in (
        lambda: home.put("out/new", b"1"),
        lambda: home.put("file", b"1"),
        lambda: home.get("out/secret"),
        lambda: home.size("file"),
    ):
        with pytest.raises(InputError, match="leads out of"):
            act()
    assert (tmp_path / "secret").read_bytes() == b"of others"
    assert not (tmp_path / "new").exists()


def test_a_copy_goes_on_where_it_broke(
    home: FolderHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(range(256)) * 1000
    home.put("model", data)
    target = tmp_path / "model"
    os_fsync = os.fsync

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken"):
        home.download("model", target, len(data))
    monkeypatch.setattr(os, "fsync", os_fsync)
    before = home.traffic
    assert home.download("model", target, len(data)) is not None
    assert target.read_bytes() == data
    assert (home.traffic - before).down_bytes == 1
