"""What runs do where stored objects were lost or damaged: what made them runs again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from backhaul.campaign.outcome import MethodOutcome
from backhaul.errors import CorruptArtifactError, DamagedRecordError, MissingObjectError
from backhaul.layout import INTERNAL
from backhaul.storage.objects import set_damaged_aside
from tasks.logs import logger
from tasks.stage import thorough

T = TypeVar("T")

LOSSES = (CorruptArtifactError, DamagedRecordError, MissingObjectError)


def can_be_made_again(loss: object) -> bool:
    """Return whether what is lost was computed; images of a user or a node were not."""
    return f"/{INTERNAL}/" in str(loss)


def again_if_lost(play: Callable[[], T]) -> T:
    """Call `play`; as often as it comes upon another object that is lost, again, thoroughly.

    Args:
        play: Runs stages, and reads what they stored.

    Raises:
        MissingObjectError: If what is lost cannot be made again, or was not.
    """
    seen: set[str] = set()
    while True:
        try:
            with thorough() if seen else nullcontext():
                return play()
        except MissingObjectError as error:
            if not can_be_made_again(error) or str(error) in seen:
                raise
            logger().warning("%s; what made it runs again", error)
            seen.add(str(error))
            if isinstance(error, CorruptArtifactError):
                set_damaged_aside(error.uri)


def lost(outcomes: dict[str, MethodOutcome]) -> list[str]:
    """Return the methods that failed as computed objects were lost, here or on a worker."""
    names = tuple(f"{error.__name__}:" for error in LOSSES)
    return [
        label
        for label, outcome in outcomes.items()
        if outcome.state == "failed"
        and (outcome.error or "").startswith(names)
        and can_be_made_again(outcome.error)
    ]
