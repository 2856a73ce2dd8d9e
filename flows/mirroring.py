"""Copy a run's models into MLflow, where the config asks for it."""

from __future__ import annotations

import os

from prefect import get_run_logger

from backhaul.campaign.config import CampaignConfig
from backhaul.layout import RunFiles
from backhaul.registrylayout import RegistryFiles
from backhaul.untrusted import one_line

ADDRESS = "MLFLOW_TRACKING_URI"


def mirror_models(config: CampaignConfig, files: RunFiles) -> None:
    """Bring the copy in MLflow up to date, if there is to be one; a failure is logged alone.

    Args:
        config: The campaign.
        files: Where the files of the run lie.
    """
    if config.publish is None or not config.publish.mlflow:
        return
    address = os.environ.get(ADDRESS)
    if not address:
        get_run_logger().warning("publish.mlflow: %s is not set: nothing is copied", ADDRESS)
        return
    from backhaul.registry.mirror import mirror, without_login

    try:
        n_versions = mirror(RegistryFiles(files), address)
    except Exception as error:  # also of whatever keeps MLflow's files
        said = one_line(without_login(str(error)))
        get_run_logger().warning("models are not copied into MLflow: %s", said)
        return
    get_run_logger().info("%d versions are in MLflow as they are here", n_versions)
