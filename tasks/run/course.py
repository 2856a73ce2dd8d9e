"""The batches that a method has to play: those of a campaign, or those that arrived since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from backhaul.config import CampaignConfig, InboxData
from tasks.hourly.state import ArrivingCourse
from tasks.run.records import INITIAL, RoundRecord, Standing, read_record, read_setting
from tasks.run.setting import Round


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
        return ArrivingCourse(config, config.data, folder, label)
    return CampaignCourse(folder)
