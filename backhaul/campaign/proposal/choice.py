"""A value of a config that was chosen, and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of a campaign.

    Args:
        key: Its place in the config, as ``training.img_size``.
        value: Its value.
        reason: Why that one; empty where it only says what is there.
    """

    key: str
    value: Any
    reason: str = ""
