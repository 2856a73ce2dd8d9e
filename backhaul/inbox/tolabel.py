"""Images that wait for their labels: a list for those who annotate."""

from __future__ import annotations

import pandas as pd

from backhaul.campaign.folder import write_csv
from backhaul.campaign.setting import Round
from backhaul.storage.objects import read_value, remove


def write_list(folder: str, method: str, play: Round, image_ids: tuple[str, ...]) -> str | None:
    """Write which images of a batch wait, and where their labels are to be put.

    Args:
        folder: The run's folder.
        method: Label of the method that waits.
        play: The batch; without `label_files` there is nothing to be put.
        image_ids: The images whose labels are missing.

    Returns:
        Where the list is: a CSV with node, name, image and the file that its labels go to.
    """
    if play.label_files is None:
        return None
    files = read_value(pd.DataFrame, play.label_files)
    uri = _place(folder, method, play.number)
    write_csv(uri, files[files["image_id"].isin(image_ids)].drop(columns="image_id"))
    return uri


def remove_list(folder: str, method: str, number: int) -> None:
    """Remove the list of a batch whose labels have come."""
    remove(_place(folder, method, number))


def _place(folder: str, method: str, number: int) -> str:
    return f"{folder}/to_label/{method}{number}.csv"
