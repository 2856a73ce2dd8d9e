"""What commands that start a flow do first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backhaul.campaign.config import CampaignConfig
from backhaul.cli.view.logfile import internal_folder
from backhaul.data.settings import InboxData
from backhaul.errors import InputError
from backhaul.storage.scratch import remove_abandoned


def prepare_prefect(store: str) -> None:
    """Set what Prefect reads when it is imported; what the user has set stays.

    Without a server of the user's, a temporary one keeps its database below the store's root,
    or where the store is no folder, below the working directory.
    """
    remove_abandoned()
    internal = internal_folder(store)
    internal.mkdir(parents=True, exist_ok=True)
    database = f"sqlite+aiosqlite:///{internal / 'prefect.db'}"
    for key, value in {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        # A busy SQLite fails often; what matters is tried again, or fails at its client, too.
        "PREFECT_LOGGING_LOGGERS_PREFECT_SERVER_LEVEL": "CRITICAL",
        # By default each event is a transaction, and SQLite has one writer at a time.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(internal / "results"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
    }.items():
        os.environ.setdefault(key, value)
    if "prefect" in sys.modules:
        _take_up_settings()


def _take_up_settings() -> None:
    """Let Prefect read its settings again: code that a config names may have imported it."""
    from prefect.context import (
        GLOBAL_SETTINGS_CONTEXT,
        SettingsContext,
        refresh_global_settings_context,
    )

    if SettingsContext.get() is GLOBAL_SETTINGS_CONTEXT:  # else somebody has set others
        refresh_global_settings_context()


def require_server(config: CampaignConfig) -> None:
    """Do nothing if the campaign runs here, or there is a Prefect server.

    Raises:
        InputError: If it needs one and there is none.
    """
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        return
    if config.execution == "work-pool":
        raise InputError(
            "execution: work-pool needs a Prefect server: set PREFECT_API_URL (`make up` "
            "starts one), or --set execution=local"
        )
    if blocks := blocks_of(config):
        named = ", ".join(f"{key}: {value}" for key, value in blocks.items())
        raise InputError(
            f"{named}: lies on a Prefect server: set PREFECT_API_URL (`make up` starts one); a "
            "store or data set can also be given by its s3:// address, with the keys in "
            "AWS_ACCESS_KEY_ID and so on"
        )


def blocks_of(config: CampaignConfig) -> dict[str, str]:
    """Return the blocks that `config` names, by the fields that do."""
    addresses = {"store": config.store} | config.read_from
    blocks = {key: a for key, a in addresses.items() if a.startswith("block://")}
    if config.uplink is not None:
        blocks["uplink"] = config.uplink
    if isinstance(config.data, InboxData):
        service = config.data.annotation
        named = {
            "data.label_source": config.data.label_source,
            "data.annotation.block": None if service is None else service.block,
        }
        blocks |= {key: name for key, name in named.items() if name is not None}
    return blocks


@contextmanager
def flows_at_hand() -> Iterator[None]:
    """Say what to mend where the flows or tasks that the block imports are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("flows", "tasks"):
            raise
        raise InputError(
            "the flows were not found: run from a checkout, installed with "
            "pip install -e '.[all]'"
        ) from None
