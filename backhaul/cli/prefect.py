"""What commands that start a flow do first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backhaul.errors import InputError


def prepare_prefect(store: str) -> None:
    """Set what Prefect reads when it is imported; what the user has set stays.

    Without a server of the user's, a temporary one keeps its database below the store's root.
    """
    internal = Path(store).resolve() / ".backhaul"
    internal.mkdir(parents=True, exist_ok=True)
    database = f"sqlite+aiosqlite:///{internal / 'prefect.db'}"
    for key, value in {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(internal / "results"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
    }.items():
        os.environ.setdefault(key, value)


@contextmanager
def flows_at_hand() -> Iterator[None]:
    """Say what to mend where the flows or tasks that the block imports are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("flows", "tasks"):
            raise
        raise InputError(
            "the flows were not found: run from a checkout installed with pip install -e ."
        ) from None
