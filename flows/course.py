"""The batches that a method runs: those of a campaign, or newly arrived ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.rounds import read_round
from backhaul.campaign.runrecords import RunRecords
from backhaul.campaign.setting import Play
from backhaul.data.settings import InboxData
from backhaul.inbox.state import ArrivingCourse
from backhaul.layout import INITIAL, RunFiles
from backhaul.values.bandwidth import Bandwidth
from blocks import LabelSource
from blocks.opening import load_block, place_of


class Course(Protocol):
    """Sequence of batches of one method."""

    standing: Standing
    """Where it starts from."""

    def plays(self, bandwidth_of: Callable[[int], Bandwidth]) -> Iterator[Play]:
        """Yield the batches to run, in order; see `Setting.plays`."""

    def passed(self, record: RoundRecord) -> None:
        """Note that a round is over, and recorded."""


class CampaignCourse:
    """All batches of a campaign, from the initial model on: what still holds is cached."""

    def __init__(self, files: RunFiles) -> None:
        self.standing = read_round(files, INITIAL).standing
        self._setting = RunRecords(files).required_setting

    def plays(self, bandwidth_of: Callable[[int], Bandwidth]) -> Iterator[Play]:
        """Yield every batch."""
        return self._setting.plays(bandwidth_of)

    def passed(self, record: RoundRecord) -> None:
        """Do nothing: the rounds' records tell where a campaign stands."""


def course_of(config: CampaignConfig, files: RunFiles, label: str) -> Course:
    """Return the batches that a method has to run.

    Args:
        config: The campaign.
        files: Where the files of the run lie.
        label: Label of the method.

    Raises:
        InputError: If the run has not begun.
    """
    if isinstance(config.data, InboxData):
        return ArrivingCourse(
            config, config.data, files, label, labels_at(config.store, config.data)
        )
    return CampaignCourse(files)


def labels_at(root: str, inbox: InboxData) -> str:
    """Return the folder for labels of images from the inbox."""
    if inbox.label_source is None:
        return place_of(root, inbox.labels)
    return open_labels(root, inbox.label_source)


def open_labels(root: str, label_source: str) -> str:
    """Return the folder that a block LabelSource names, with its keys taken up."""
    return place_of(root, load_block(LabelSource, label_source).address)
