"""Set damaged records of a run aside when it is started: it writes them again."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from backhaul.campaign.bandwidths import BANDWIDTH
from backhaul.campaign.claim import CONFIG
from backhaul.campaign.finding import FINDING
from backhaul.campaign.provenance import START
from backhaul.campaign.recordfiles import RecordType
from backhaul.campaign.rounds import ROUND
from backhaul.campaign.runrecords import BEGINNING, OUTCOME, SETTING, WAITING
from backhaul.campaign.runstate import STATE
from backhaul.errors import DamagedRecordError
from backhaul.layout import RunFiles
from backhaul.storage.conditional import read_or_none
from backhaul.storage.damaged import set_aside
from backhaul.storage.imagefiles import TRANSFERS
from backhaul.storage.listing import names_in


def set_damaged_aside(files: RunFiles) -> None:
    """Set all damaged records of a run aside.

    Raises:
        InputError: If one is of a newer version.
    """
    set_damaged_state_aside(files)
    folders: dict[str, RecordType[Any]] = {
        files.rounds: ROUND,
        files.starts: START,
        files.findings: FINDING,
        files.all_waiting: WAITING,
        files.bandwidths: BANDWIDTH,
    }
    for folder, kind in folders.items():
        _check(kind, (f"{folder}/{n}" for n in names_in(folder) if n.endswith(".json")))


def set_damaged_state_aside(files: RunFiles) -> None:
    """Set those damaged records aside whose number does not grow with the run.

    Raises:
        InputError: If one is of a newer version.
    """
    singles: dict[str, RecordType[Any]] = {
        files.beginning: BEGINNING,
        files.setting: SETTING,
        files.state: STATE,
        files.outcome: OUTCOME,
        files.last_start: START,
    }
    _set_config_aside(files.config)
    for place, kind in singles.items():
        _check(kind, (place,))


def _check(kind: RecordType[Any], places: Iterable[str]) -> None:
    with ThreadPoolExecutor(TRANSFERS) as threads:
        for _ in threads.map(kind.set_aside_if_damaged, places):
            pass


def _set_config_aside(place: str) -> None:
    """Set a damaged config aside, of which only the fields are read: its code may be gone."""
    data = read_or_none(place)
    try:
        if data is not None:
            CONFIG.require_unchanged(data, place)
    except DamagedRecordError as error:
        set_aside(place, str(error).removeprefix(f"{place}: "))
