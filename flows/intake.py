"""Take in what nodes dropped and told since the last time."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runstate import RunState
from backhaul.data.settings import InboxData
from backhaul.inbox.ingestion import ingest
from backhaul.inbox.state import take_in
from backhaul.layout import RunFiles
from tasks.progress import Progress


def take_in_new(config: CampaignConfig, inbox: InboxData, files: RunFiles) -> RunState:
    """Ingest what is new, form batches of it, log what was found, and return the run's state.

    Args:
        config: The campaign, opened.
        inbox: Its data.
        files: Where the files of the run lie; its initial model is trained.

    Raises:
        StoreError: If the store cannot be used.
    """
    class_names = RunRecords(files).beginning.class_names
    progress = Progress("reading the inbox")
    found = ingest(config.store, inbox.inbox, class_names, progress, inbox.limits)
    for problem in found.problems:
        get_run_logger().warning("%s", problem)
    get_run_logger().info(
        "inbox: %d new images (%d bytes), %d duplicates, %d unreadable, %d to look at again",
        found.n_new,
        found.new_bytes,
        found.n_duplicates,
        found.n_unreadable,
        found.n_waiting,
    )
    if found.n_sidecars or found.n_windows or found.n_awaiting:
        get_run_logger().info(
            "agents of nodes: %d sidecars, %d windows; %d pictures wait for their sidecars",
            found.n_sidecars,
            found.n_windows,
            found.n_awaiting,
        )
    return take_in(config, files)
