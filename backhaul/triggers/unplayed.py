"""What has arrived of a run, and was not played yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.runstate import RunState
from backhaul.code import UserCode
from backhaul.data.settings import InboxData
from backhaul.inbox.labels import read_truth
from backhaul.layout import RunFiles
from backhaul.storage.objects import read_value
from backhaul.triggers.decisions import DecisionLog
from backhaul.values.images import ImageSet


@dataclass(frozen=True)
class Hourly:
    """A run whose images arrive hour by hour.

    Args:
        config: The campaign, opened.
        inbox: Its data.
        files: Where its files lie.
        labels_at: The folder in which annotators put labels.
    """

    config: CampaignConfig
    inbox: InboxData
    files: RunFiles
    labels_at: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of its arms."""
        return tuple(arm.label for arm in self.config.arms)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Its class list."""
        return RunRecords(self.files).beginning.class_names

    def truth_of(self, rows: pd.DataFrame) -> ImageSet:
        """Return images of the inbox with their labels, None where there are none yet.

        Args:
            rows: The images, with ``LOG_COLUMNS``.
        """
        source = self.inbox.label_source or self.inbox.labels
        return read_truth(self.labels_at, rows, self.class_names, source)


def let_be_played(state: RunState, log: DecisionLog) -> int:
    """Return how many batches triggers have let be played, or were played without them."""
    return max(state.triggered or 0, log.given, *state.played.values())


class Unplayed:
    """Images that have arrived and that no trigger has let be played; each is read once.

    Args:
        run: The run.
        state: Its state.
        log: The decisions of its triggers.
    """

    def __init__(self, run: Hourly, state: RunState, log: DecisionLog) -> None:
        self.run, self._state = run, state
        self.first = let_be_played(state, log)
        """Number of the first batch that triggers have not let be played."""

    @property
    def n_batches(self) -> int:
        """How many batches are full."""
        return max(self._state.formed - self.first, 0)

    @property
    def labels_are_put(self) -> bool:
        """Whether labels come from people, and not from code of the campaign."""
        return not isinstance(self.run.config.labelling.source, UserCode)

    @cached_property
    def full(self) -> pd.DataFrame | None:
        """The images of batches that are full, with ``LOG_COLUMNS``; None without any."""
        tables = [
            read_value(pd.DataFrame, rows)
            for number, rows in sorted(self._state.batches.items())
            if number >= self.first
        ]
        return pd.concat(tables, ignore_index=True) if tables else None

    @cached_property
    def waiting(self) -> pd.DataFrame | None:
        """The images that wait for their batch to be full; None without any."""
        rows = self._state.waiting
        return None if rows is None else read_value(pd.DataFrame, rows)

    @cached_property
    def rows(self) -> pd.DataFrame | None:
        """Both, in order of arrival; None without any."""
        tables = [table for table in (self.full, self.waiting) if table is not None]
        return pd.concat(tables, ignore_index=True) if tables else None

    @cached_property
    def truth(self) -> ImageSet | None:
        """All these images with their labels; None without any."""
        return None if self.rows is None else self.run.truth_of(self.rows)

    @property
    def n_waiting(self) -> int:
        """How many images wait for their batch to be full."""
        return 0 if self.waiting is None else len(self.waiting)
