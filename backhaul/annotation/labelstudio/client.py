"""Label Studio's REST API, as far as it is needed here.

Answers are bounded in bytes and time. Redirects are not followed: they would carry the token
elsewhere. What only asks is repeated for a while; what changes something is not: who is not
sure whether it was done asks first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from backhaul.annotation.labelstudio.deadline import Deadline, DeadlineError
from backhaul.errors import InputError
from backhaul.untrusted import one_line

MOST_BYTES = 64 * 2**20
"""Of an answer."""
TIMEOUT_S, PATIENCE_S, POLL_S = 60.0, 20.0, 1.0
ANSWER_S = 300.0
"""Of a question and its whole answer; `TIMEOUT_S` is of each read and write."""
_JWT_PARTS = 3
_OK, _UNAUTHORISED, _FORBIDDEN, _TOO_MANY, _BROKEN = 200, 401, 403, 429, 500
_REFUSED = 400
_SHOWN = 200  # characters of an answer in an error

Json = Any
"""What an answer holds: it is checked where it is used."""


class LabelStudioError(InputError):
    """Label Studio refuses something, is another program, or does not answer."""


class LabelStudioRefusalError(LabelStudioError):
    """Label Studio refuses what it was sent, whoever sends it; it may take something else."""


class LabelStudioAwayError(LabelStudioError):
    """Label Studio does not answer, or says that it is broken: it may do so later."""


class LabelStudio:
    """A Label Studio, and the person in whose name it is asked.

    Args:
        address: Where it is, http(s)://host:port.
        token: Access token of a person: a personal one, or a legacy one.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self._token = token.strip()
        self._access = ""
        self._deadline = Deadline()
        self._http = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)
        if not self._token.isascii() or not self._token.isprintable() or not self._token:
            raise LabelStudioError(f"{self.address}: its access token is empty, or is no token")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def require_ours(self) -> None:
        """Do nothing if a Label Studio is there, and takes the token.

        Raises:
            LabelStudioError: If it is another program, or another's: Label Studio moves to the
                next port where its own is taken.
        """
        version = self._json(self._send("GET", "/api/version", None, {}))
        if not isinstance(version, dict) or "label-studio-os-package" not in version:
            raise LabelStudioError(f"{self.address}: is no Label Studio")
        self.get("/api/current-user/whoami")

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Json:
        """Return the answer to a question; it is repeated while the server is away.

        Raises:
            LabelStudioError: If the answer is none, or the server stays away.
        """

        @retry(
            retry=retry_if_exception_type(LabelStudioAwayError),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_fixed(POLL_S),
            reraise=True,
        )
        def asked() -> Json:
            return self._ask("GET", path, {"params": dict(params or {})})

        return asked()

    def post(self, path: str, body: Json, params: Mapping[str, str] | None = None) -> Json:
        """Send something new, once, and return the answer.

        Raises:
            LabelStudioError: If it is refused, or the server is away: it may have come about.
        """
        return self._ask("POST", path, {"json": body, "params": dict(params or {})})

    def patch(self, path: str, body: Json) -> Json:
        """Change something, once, and return the answer.

        Raises:
            LabelStudioError: If it is refused, or the server is away: it may have come about.
        """
        return self._ask("PATCH", path, {"json": body})

    def upload(self, path: str, name: str, data: bytes, params: Mapping[str, str]) -> Json:
        """Send a file, once, and return the answer.

        Raises:
            LabelStudioError: If it is refused, or the server is away: it may have come about.
        """
        files = {name: (name, data, "application/octet-stream")}
        return self._ask("POST", path, {"files": files, "params": dict(params)})

    def _ask(self, method: str, path: str, given: dict[str, Any]) -> Json:
        answer = self._send(method, path, self._authorisation(), given)
        if answer.status_code == _UNAUTHORISED and self._access:
            self._access = ""  # it is good for minutes
            answer = self._send(method, path, self._authorisation(), given)
        if answer.status_code in (_UNAUTHORISED, _FORBIDDEN):
            raise LabelStudioError(
                f"{self.address}: refuses the access token: {self._reason(answer)}; expected "
                "one of this server (Account & Settings; legacy tokens need "
                "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN), which may have moved to another port"
            )
        return self._json(answer)

    def _authorisation(self) -> str:
        """Return the header; personal tokens are changed for one that is good for minutes."""
        if self._token.count(".") != _JWT_PARTS - 1:
            return f"Token {self._token}"
        if not self._access:
            body = {"json": {"refresh": self._token}}
            answer = self._send("POST", "/api/token/refresh", None, body)
            if answer.status_code != _OK:
                raise LabelStudioError(
                    f"{self.address}: refuses the personal access token: {self._reason(answer)}"
                )
            found = self._json(answer)
            access = found.get("access") if isinstance(found, dict) else None
            if not isinstance(access, str) or not access.isascii():
                raise LabelStudioError(f"{self.address}: gives nothing for the access token")
            self._access = access
        return f"Bearer {self._access}"

    def _send(
        self, method: str, path: str, authorisation: str | None, given: dict[str, Any]
    ) -> httpx.Response:
        """Return an answer, with its content.

        Raises:
            LabelStudioError: If there is none in time, or it is too large.
        """
        headers = {} if authorisation is None else {"Authorization": authorisation}
        traced = {"trace": self._deadline.trace}
        try:
            request = self._http.build_request(
                method, f"{self.address}{path}", headers=headers, extensions=traced, **given
            )
            with self._deadline.within(ANSWER_S):
                answer = self._http.send(request, stream=True)
                try:
                    content = self._content(answer)
                finally:
                    answer.close()
        except DeadlineError as error:
            raise LabelStudioAwayError(f"{self.address}: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = one_line(str(error)) or type(error).__name__
            raise LabelStudioAwayError(f"{self.address}: does not answer: {reason}") from None
        return httpx.Response(answer.status_code, content=content, request=request)

    def _content(self, answer: httpx.Response) -> bytes:
        parts, n_bytes = [], 0
        for part in answer.iter_bytes():
            n_bytes += len(part)
            if n_bytes > MOST_BYTES:
                raise LabelStudioError(
                    f"{self.address}: its answer has more than {MOST_BYTES:,} bytes"
                )
            parts.append(part)
        return b"".join(parts)

    def _json(self, answer: httpx.Response) -> Json:
        place = f"{self.address}{answer.request.url.path}"
        if answer.status_code >= _BROKEN or answer.status_code == _TOO_MANY:
            reason = self._reason(answer)
            raise LabelStudioAwayError(f"{place}: {answer.status_code}: {reason}")
        if not answer.is_success:
            is_refused = answer.status_code >= _REFUSED
            kind = LabelStudioRefusalError if is_refused else LabelStudioError
            raise kind(f"{place}: {answer.status_code}: {self._reason(answer)}")
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            raise LabelStudioError(f"{place}: is no Label Studio: expected JSON") from None

    def _reason(self, answer: httpx.Response) -> str:
        text = answer.content.decode(errors="replace")
        try:
            found = json.loads(text)
            told = found.get("validation_errors") or found.get("detail") or text
        except (ValueError, AttributeError, RecursionError):
            told = text
        return one_line(str(told), _SHOWN)
