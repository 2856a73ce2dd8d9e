"""A small S3 server in a thread: it checks signatures as botocore makes them."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY_ID, SECRET = "AKIDTINY", "secret/of+the/tests"
REGION = "eu-north-1"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # that of the system takes its time
_MOST_SKEW = timedelta(minutes=15)


@dataclass
class TinyS3:
    """A running server.

    Args:
        port: On 127.0.0.1.
        objects: By path, with the bucket.
        puts: Paths that were stored, in order.
        ahead: How far its clock is.
        keys: Secrets by key id.
        answers: Statuses that the next requests get, in place of what they ask for.
        lists: Whether who asks for what is missing may know so; else that is 403.
        takes_ranges: Whether part of an object can be had.
    """

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    ahead: timedelta = timedelta()
    keys: dict[str, str] = field(default_factory=lambda: {KEY_ID: SECRET})
    answers: list[int] = field(default_factory=list)
    lists: bool = False
    takes_ranges: bool = True
    connections: int = 0

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@contextmanager
def tiny_s3(certificate: ssl.SSLContext | None = None) -> Iterator[TinyS3]:
    """Run a server during the block, with TLS where there is a certificate."""
    state = TinyS3()

    class Handler(_Handler):
        s3 = state

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Connections break; that is what they are for."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        server.socket = certificate.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    state.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    s3: TinyS3

    def setup(self) -> None:
        super().setup()
        self.s3.connections += 1

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.s3.now, usegmt=True)

    def do_PUT(self) -> None:
        n_bytes = int(self.headers["Content-Length"])
        body = self.rfile.read(n_bytes)
        if len(body) < n_bytes:
            raise ConnectionResetError
        if self._is_refused():
            return
        if hashlib.sha256(body).hexdigest() != self.headers["x-amz-content-sha256"]:
            self._refuse(400, "XAmzContentSHA256Mismatch")
        elif self.headers["If-None-Match"] == "*" and self.path in self.s3.objects:
            self._refuse(412, "PreconditionFailed")
        else:
            self.s3.objects[self.path] = body
            self.s3.puts.append(self.path)
            self._answer(200, {"ETag": _etag(body)})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self._is_refused():
            return
        body = self.s3.objects.get(self.path)
        if body is None:
            self._refuse(404, "NoSuchKey") if self.s3.lists else self._refuse(
                403, "AccessDenied"
            )
        elif self.headers["If-None-Match"] == _etag(body):
            self._answer(304, {"ETag": _etag(body)})
        elif self._has_range(body):
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            where = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._answer(206, {"ETag": _etag(body), "Content-Range": where}, body[start:])
        else:
            self._answer(200, {"ETag": _etag(body)}, body)

    def _has_range(self, body: bytes) -> bool:
        asked = self.headers["Range"] and self.headers["If-Range"] in (None, _etag(body))
        return bool(self.s3.takes_ranges and asked)

    def _is_refused(self) -> bool:
        self.s3.requests.append(f"{self.command} {self.path}")
        if self.s3.answers:
            self._answer(self.s3.answers.pop(0), {})
        elif (key_id := self._key_id()) not in self.s3.keys:
            self._refuse(403, "InvalidAccessKeyId")
        elif abs(self._signed_at() - self.s3.now) > _MOST_SKEW:
            self._refuse(403, "RequestTimeTooSkewed")
        elif self._signature(key_id) != self.headers["Authorization"].rpartition("=")[2]:
            self._refuse(403, "SignatureDoesNotMatch")
        else:
            return False
        return True

    def _key_id(self) -> str:
        return str(self.headers["Authorization"]).partition("Credential=")[2].partition("/")[0]

    def _signed_at(self) -> datetime:
        date = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
        return date.replace(tzinfo=UTC)

    def _signature(self, key_id: str) -> str:
        """Return the signature that botocore would give to this request."""
        names = self.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
        request = AWSRequest(
            method=self.command,
            url=f"http://{self.headers['Host']}{self.path}",
            headers={name: self.headers[name] for name in names.split(";")},
        )
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials(key_id, self.s3.keys[key_id]), "s3", REGION)
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return str(signer.signature(text, request))

    def _refuse(self, status: int, code: str) -> None:
        said = f"<?xml version='1.0'?><Error><Code>{code}</Code><Key>{KEY_ID}</Key></Error>"
        self._answer(status, {"Content-Type": "application/xml"}, said.encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
