"""Why a node does not take what home publishes."""

from __future__ import annotations

from backhaul.errors import InputError


class UnreachedError(Exception):
    """What is published could not be asked for now; the next try may."""


class RefusedError(InputError):
    """What is published is not taken: it is not home's, not whole, old, or of no use here.

    Args:
        reason: Why, one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
