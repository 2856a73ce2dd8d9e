"""What answers that are none of Label Studio's do to who asks: one line, and no secret."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from backhaul.annotation.labelstudio import client
from backhaul.annotation.labelstudio.client import (
    LabelStudio,
    LabelStudioAwayError,
    LabelStudioError,
    LabelStudioRefusalError,
)
from deployments.local.private import secret

TOKEN = secret()
VERSION = {"label-studio-os-package": {"version": "1.23.2"}}

Reply = tuple[int, bytes]


@contextmanager
def answering(reply: Callable[[str, dict[str, str]], Reply]) -> Iterator[str]:
    """Meanwhile a server of this machine answers as it is told; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = reply(self.path, dict(self.headers.items()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names of the library

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    monkeypatch.setattr(client, "POLL_S", 0.01)


def as_json(value: object, status: int = 200) -> Reply:
    return status, json.dumps(value).encode()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((200, b"<html>Prefect</html>"), "is no Label Studio"),
        (as_json({"version": 3}), "is no Label Studio"),
        (as_json({"detail": "no"}, 404), "404"),
        ((302, b""), "302"),
        ((200, b"[" * 100_000), "is no Label Studio"),
    ],
)
def test_another_program_at_its_port_is_named(reply: Reply, reason: str) -> None:
    with (
        answering(lambda path, headers: reply) as address,
        LabelStudio(address, TOKEN) as server,
        pytest.raises(LabelStudioError, match=reason) as error,
    ):
        server.require_ours()
    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)


def test_another_s_label_studio_refuses_the_token() -> None:
    def reply(path: str, headers: dict[str, str]) -> Reply:
        if path == "/api/version":
            assert "Authorization" not in headers
            return as_json(VERSION)
        assert headers["Authorization"] == f"Token {TOKEN}"
        return as_json({"detail": "Invalid token."}, 401)

    with (
        answering(reply) as address,
        LabelStudio(address, TOKEN) as server,
        pytest.raises(LabelStudioError, match="moved to another port"),
    ):
        server.require_ours()


def test_a_question_is_repeated_and_a_change_is_not() -> None:
    asked: list[str] = []

    def reply(path: str, headers: dict[str, str]) -> Reply:
        asked.append(path)
        broken = len(asked) < 3 or path == "/change"
        return as_json({}, 503) if broken else as_json({"right": True})

    with answering(reply) as address, LabelStudio(address, TOKEN) as server:
        assert server.get("/question") == {"right": True}
        with pytest.raises(LabelStudioAwayError, match="503"):
            server.post("/change", {})
    assert asked == [*["/question"] * 3, "/change"]


def test_a_personal_token_is_changed_for_one_of_minutes_and_again_when_it_ends() -> None:
    given: list[str] = []

    def reply(path: str, headers: dict[str, str]) -> Reply:
        if path == "/api/token/refresh":
            given.append(f"access-{len(given)}")
            return as_json({"access": given[-1]})
        is_first = headers["Authorization"] == "Bearer access-0"
        if is_first and path == "/second":
            return as_json({"detail": "Token is expired"}, 401)
        return as_json({"as": headers["Authorization"]})

    with answering(reply) as address, LabelStudio(address, "aa.bb.cc") as server:
        assert server.get("/first") == {"as": "Bearer access-0"}
        assert server.get("/second") == {"as": "Bearer access-1"}


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 1_000)
    with (
        answering(lambda path, headers: (200, b" " * 1_001)) as address,
        LabelStudio(address, TOKEN) as server,
        pytest.raises(LabelStudioError, match="more than 1,000 bytes"),
    ):
        server.get("/much")


@contextmanager
def dripping(start: bytes, drip: bytes) -> Iterator[str]:
    """Meanwhile a server begins an answer, and sends a little of it from time to time."""
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(9_999)
                connection.sendall(start)
                while not is_over.wait(0.02):
                    connection.sendall(drip)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        is_over.set()
        listener.close()
        thread.join()


OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"Content-Length: 60000000\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        (SIZED, b" "),
        (OK + b"\r\n", b" "),  # until the connection ends
        (OK + b"Content-Encoding: gzip\r\n\r\n", b""),
        (OK, b"X-More: 1\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"", b""),
    ],
)
def test_an_answer_that_drips_holds_nobody_up(
    start: bytes, drip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.3)
    began = time.monotonic()
    with (
        dripping(start, drip) as address,
        LabelStudio(address, TOKEN) as server,
        pytest.raises(LabelStudioAwayError, match=r"not answered in whole within 0\.3 s"),
    ):
        server.get("/much")
    assert time.monotonic() - began < 5


def test_of_what_is_asked_over_one_connection_each_has_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.5)

    def reply(path: str, headers: dict[str, str]) -> Reply:
        time.sleep(0.2)
        return as_json(path)

    with answering(reply) as address, LabelStudio(address, TOKEN) as server:
        assert [server.get(f"/{k}") for k in range(4)] == [f"/{k}" for k in range(4)]


@pytest.mark.parametrize(
    ("status", "is_refusal"), [(400, True), (413, True), (403, False), (429, False)]
)
def test_what_is_refused_is_told_from_a_token_that_is(status: int, is_refusal: bool) -> None:
    with (
        answering(lambda path, headers: as_json({"detail": "no"}, status)) as address,
        LabelStudio(address, TOKEN) as server,
        pytest.raises(LabelStudioError) as error,
    ):
        server.upload("/picture", "0.png", b"x", {})
    assert isinstance(error.value, LabelStudioRefusalError) == is_refusal


@pytest.mark.parametrize("token", ["", "  ", "a\nb", "ä"])
def test_what_is_no_token_is_never_sent(token: str) -> None:
    with pytest.raises(LabelStudioError, match="access token"):
        LabelStudio("http://127.0.0.1:9", token)


def test_nobody_there() -> None:
    with (
        LabelStudio("http://127.0.0.1:9", TOKEN) as server,
        pytest.raises(LabelStudioAwayError, match="does not answer"),
    ):
        server.require_ours()
