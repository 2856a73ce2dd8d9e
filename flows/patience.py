"""Wait for a Prefect server that is being started again."""

from __future__ import annotations

import time

from prefect import get_client, get_run_logger

PATIENCE_S = 300.0
"""How long the server may be away before what needs it fails."""
POLL_S = 2.0


def await_server() -> None:
    """Return once the Prefect server answers; what comes next may then start a flow run.

    Prefect repeats the requests of a client that was connected before. A flow run is created by
    a new one, though, which fails at once while the server is away.

    Raises:
        Exception: What the connection failed with, if the server stays away.
    """
    end = time.monotonic() + PATIENCE_S
    with get_client(sync_client=True) as client:
        while (error := client.api_healthcheck()) is not None:
            if time.monotonic() > end:
                raise error
            get_run_logger().warning(
                "the Prefect server does not answer (%s), once more", error
            )
            time.sleep(POLL_S)
