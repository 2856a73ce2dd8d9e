"""The batches that a method has to play: those of a campaign, or those that arrived since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import (
    INITIAL,
    RoundRecord,
    Standing,
    read_record,
    read_setting,
)
from backhaul.campaign.setting import Round
from backhaul.data.settings import InboxData
from backhaul.inbox.state import ArrivingCourse
from blocks import LabelSource
from blocks.opening import load_block, place_of


class Course(Protocol):
    """The way of one method."""

    standing: Standing
    """Where it starts from."""

    def rounds(self) -> Iterator[Round]:
        """Yield what it has to play, in order."""

    def passed(self, record: RoundRecord) -> None:
        """Note that a round is over, and recorded."""


class CampaignCourse:
    """All batches of a campaign, from the initial model on: what still holds is cached."""

    def __init__(self, folder: str) -> None:
        self.standing = read_record(folder, INITIAL).standing
        self._setting = read_setting(folder)

    def rounds(self) -> Iterator[Round]:
        """Yield every batch."""
        yield from self._setting.rounds

    def passed(self, record: RoundRecord) -> None:
        """Do nothing: the rounds' records tell where a campaign stands."""


def course_of(config: CampaignConfig, folder: str, label: str) -> Course:
    """Return what the method of that label has to play.

    Raises:
        InputError: If the run has not begun.
    """
    if isinstance(config.data, InboxData):
        return ArrivingCourse(
            config, config.data, folder, label, labels_at(config.store, config.data)
        )
    return CampaignCourse(folder)


def labels_at(root: str, inbox: InboxData) -> str:
    """Return where labels of images from the inbox are put."""
    if inbox.label_source is None:
        return place_of(root, inbox.labels)
    return place_of(root, load_block(LabelSource, inbox.label_source).address)
