"""Say while a run goes on whether a wished gain is still to be expected."""

from __future__ import annotations

from threading import Lock

import pandas as pd
from prefect import get_run_logger

from backhaul.analysis.futility import NAME, OUT_OF_REACH, futility, verdicts
from backhaul.analysis.writing import keep_finding
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.continued import read_table
from backhaul.campaign.finding import FINDING, StoredFinding
from backhaul.campaign.runrecords import RunRecords, runs_of
from backhaul.campaign.tables import summary_table
from backhaul.layout import RunFiles
from backhaul.storage.objects import has
from flows.server.publish import publish_finding

_telling = Lock()


def tell_futility(config: CampaignConfig, files: RunFiles) -> None:
    """Store and log what the rounds so far say of the wished gain, if that has changed.

    It is a warning where the gain of a method has come out of reach.

    Args:
        config: The campaign; nothing is told if it wishes for no gain.
        files: Where the files of its run lie, or those of the run of all its seeds.
    """
    if config.futility is None:
        return
    with _telling:  # methods that run side by side tell it once
        finding = futility(_summary(files), config.futility)
        stored = FINDING.read(files.finding(NAME))
        if finding is None or (stored is not None and stored.finding == finding):
            return
        FINDING.write(files.finding(NAME), StoredFinding(finding=finding))
    before = {} if stored is None else verdicts(stored.finding)
    lost = {m for m, found in verdicts(finding).items() if found == OUT_OF_REACH}
    is_new = any(before.get(method) != OUT_OF_REACH for method in lost)
    log = get_run_logger()
    (log.warning if is_new else log.info)("futility: %s", finding.note)


def keep_futility(config: CampaignConfig, files: RunFiles) -> None:
    """Write what all rounds say into the folder of the run, and show it in Prefect's UI.

    Args:
        config: The campaign; nothing is written if it wishes for no gain.
        files: Where the files of its run lie, or those of the run of all its seeds.
    """
    tell_futility(config, files)
    stored = None if config.futility is None else FINDING.read(files.finding(NAME))
    if stored is not None:
        keep_finding(files, stored.finding)
        publish_finding(files, stored.finding)


def _summary(files: RunFiles) -> pd.DataFrame:
    """Return the rows of summary.csv of all seeds, with the column seed."""
    runs = [(_rows(run), run.config["seed"]) for run in runs_of(files)]
    return pd.concat([rows.assign(seed=seed) for rows, seed in runs], ignore_index=True)


def _rows(run: RunRecords) -> pd.DataFrame:
    """Return the rows of one run; of one that goes on for ever no earlier round is read."""
    known = read_table(run.files, "summary") if run.goes_on_for_ever else None
    if known is not None:
        return known
    return summary_table(record for record in run.rounds if has(record.evaluation))
