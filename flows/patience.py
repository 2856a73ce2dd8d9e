"""Wait for a Prefect server that is being started again, or has too much to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import get_client, get_run_logger
from tenacity import RetryCallState, retry, retry_if_exception, stop_after_delay, wait_fixed

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_S = 300.0
"""How long the server may be away before what needs it fails."""
POLL_S = 2.0


class ServerAwayError(ConnectionError):
    """The Prefect server does not answer."""


def _is_the_servers(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError | ServerAwayError)


def _tell(state: RetryCallState) -> None:
    assert state.outcome is not None  # noqa: S101 - tenacity calls this after a failure
    error: Any = state.outcome.exception()
    get_run_logger().warning("the Prefect server does not answer (%s), once more", error)


def patiently(call: Callable[P, R]) -> Callable[P, R]:
    """Return `call`, repeated while the Prefect server is away or fails inside (5xx).

    Prefect repeats few of these requests, and only at once.
    """
    return retry(
        retry=retry_if_exception(_is_the_servers),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_fixed(POLL_S),
        before_sleep=_tell,
        reraise=True,
    )(call)


@patiently
def await_server() -> None:
    """Return once the Prefect server answers; what comes next may then start a flow run.

    Prefect repeats the requests of a client that was connected before. A flow run is created by
    a new one, though, which fails at once while the server is away.

    Raises:
        ServerAwayError: If the server stays away.
    """
    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is not None:
        raise ServerAwayError(str(error) or type(error).__name__) from error
