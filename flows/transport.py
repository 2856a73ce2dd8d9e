"""How a campaign's parts are started: in this process, or on the workers of a work pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.outcome import MethodOutcome
from flows import local, workpool


class Transport(Protocol):
    """What both ways have in common; the flows they run are the same."""

    def begin(self, config: CampaignConfig) -> MethodOutcome:
        """Run the initial training, and return how it ended."""

    def play(
        self, config: CampaignConfig, labels: Iterable[str], turn: str = ""
    ) -> dict[str, MethodOutcome]:
        """Run the methods of these labels side by side, and return how each ended.

        In another `turn` a method runs again, also where the same parent was retried.

        Args:
            config: The campaign.
            labels: Labels of the methods.
            turn: Tells apart several calls of one parent run.
        """


TRANSPORTS: dict[str, Transport] = {"local": local, "work-pool": workpool}
"""By the config's ``execution``."""
