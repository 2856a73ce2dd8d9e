from __future__ import annotations

import socket
from pathlib import Path

import pytest

from backhaul.node.watchdog import notify


def test_tells_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(place)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        assert notify("WATCHDOG=1")
        assert listening.recv(100) == b"WATCHDOG=1"


def test_says_nothing_where_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify("READY=1")
