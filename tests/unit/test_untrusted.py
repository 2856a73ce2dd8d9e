"""Files of others: whatever lies there, it is read or refused in one line."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.errors import InputError
from backhaul.untrusted import (
    MissingFileError,
    UnreadableFileError,
    one_line,
    read_bytes,
    read_text,
    understanding,
    user_path,
)


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a pipe": ("a", os.mkfifo),
    "a socket": ("a", _bind),
    "a device": ("a", lambda path: path.symlink_to("/dev/zero")),
    "a folder": ("a", Path.mkdir),
    "a link to nothing": ("a", lambda path: path.symlink_to("gone")),
    "Too many levels": ("a", lambda path: path.symlink_to(path.name)),
    "a.lnk is a link to nothing": (
        "a.lnk/b/c.txt",
        lambda path: path.parents[1].symlink_to("gone"),
    ),
    "no name that a file can have": ("a\0b", str),
    "File name too long": ("x" * 300, str),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_at_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # addresses of sockets are short
    name, make = KINDS[kind]
    make(Path(name))
    started = time.monotonic()
    with pytest.raises(UnreadableFileError, match=kind) as caught:
        read_bytes(name)
    assert not isinstance(caught.value, MissingFileError)
    assert len(str(caught.value).splitlines()) == 1
    assert time.monotonic() - started < 1


def test_what_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_bytes(tmp_path / "no folder" / "a.txt")


def test_files_are_bounded_also_those_without_a_length(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 11)
    with pytest.raises(UnreadableFileError, match="has 11 bytes, expected at most 10"):
        read_bytes(path, 10)
    with pytest.raises(UnreadableFileError, match="expected at most 10"):
        read_bytes("/proc/self/status", 10)
    assert read_bytes(path, 11) == b"x" * 11


def test_text_is_utf_8_with_any_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(path) == "a\nb\nc\n"
    path.write_bytes(b"secret \xff")
    with pytest.raises(UnreadableFileError, match="expected UTF-8 text") as caught:
        read_text(path)
    assert "secret" not in str(caught.value)


def test_whatever_a_parser_raises_is_about_the_file() -> None:
    with (
        pytest.raises(UnreadableFileError, match=r"a\.xml: cannot be understood \(LookupError"),
        understanding("a.xml"),
    ):
        "x".encode("no such encoding")
    with pytest.raises(InputError, match="as it is"), understanding("a.xml"):
        raise InputError("as it is")


@pytest.mark.parametrize(
    "path", ["~nouser/x", "a\0b", "a\nb", "x" * 300, "x/" * 3000, "a\udcffb"]
)
def test_paths_that_nothing_can_have_are_refused(path: str) -> None:
    with pytest.raises(InputError) as caught:
        user_path(path)
    assert len(str(caught.value).splitlines()) == 1


def test_other_paths_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/a b/ü") == Path("/home/me/a b/ü")
    assert user_path("../x") == Path("../x")


def test_one_line_is_short_and_can_be_printed() -> None:
    assert one_line("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert one_line("ü" * 5, 3) == "üüü..."
