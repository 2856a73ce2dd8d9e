"""Wait for a Prefect server that is being started again, or has too much to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import httpx
from prefect.context import FlowRunContext
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from backhaul.storage.patience import tell_of

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_S = 300.0
"""How long the server may be away before what needs it fails."""
POLL_S = 2.0


def _is_transient(error: BaseException) -> bool:
    """Return whether to ask once more: in a flow run, which the server has answered before.

    Elsewhere a person waits, who may have the address wrong.
    """
    if FlowRunContext.get() is None:
        return False
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def await_prefect(call: Callable[P, R]) -> Callable[P, R]:
    """Return `call`, in a flow run repeated while the Prefect server is away or fails (5xx).

    Prefect repeats the requests of a client that was connected before, and few of the others.
    """
    return retry(
        retry=retry_if_exception(_is_transient),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_fixed(POLL_S),
        before_sleep=tell_of("the Prefect server"),
        reraise=True,
    )(call)
