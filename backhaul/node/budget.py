"""What a node may send now: by its allowances, the hours of its link, and its own rate."""

from __future__ import annotations

from backhaul.link.clock import Clock
from backhaul.link.ledger import Ledger, Meter
from backhaul.link.settings import Link
from backhaul.link.transfer import budget
from backhaul.node.balances import taken_over

ASKING_BYTES = 5_000
"""Up to so many go up to ask home what it publishes, also where some of it is asked again."""


class Budget:
    """Bytes and frames that may go now, forward in steady time.

    A frame is begun only if all allowances have room for the whole of it. The rate is kept on
    average: after so many bytes the link is left free for as long as they may take, of which
    the time that sending took is a part.

    Args:
        link: The rules.
        ledger: What was left of the allowances; empty at first.
        before: The link whose allowances these are; None = it was not kept.
    """

    def __init__(self, link: Link, ledger: Ledger, before: Link | None = None) -> None:
        self.link, self.clock = link, Clock(link)
        self._meter = Meter(self.clock, taken_over(ledger, before, link))
        self.kept_back_bytes = 0
        """What asking home may still take, while that is under way."""
        self._free_s = 0.0

    @property
    def ledger(self) -> Ledger:
        """What is left of the allowances."""
        return self._meter.ledger

    def cost_bytes(self, size_bytes: int) -> int:
        """Return what sending a file is reckoned to cost on the wire."""
        return size_bytes + self.link.overhead_bytes

    def allows(self, size_bytes: int, t: float, images: int = 1) -> bool:
        """Return whether a file may be begun at `t`.

        Args:
            size_bytes: Size of the file.
            t: Steady time.
            images: How many images it counts as; 0 for what is no image.
        """
        return size_bytes <= self.room(t, images)

    def room(self, t: float, images: int = 1) -> float:
        """Return the bytes of the largest file that may be begun at `t`, negative if none may.

        Args:
            t: Steady time.
            images: How many images it counts as; 0 for what is no image.
        """
        self._meter.advance(t)
        left = self._meter.images
        is_used_up = left is not None and left < images
        if is_used_up or t < self._free_s or not self.clock.is_up(t):
            return -1.0
        return self._meter.bytes - self.link.overhead_bytes - self.kept_back_bytes

    def ever_allows(self, size_bytes: int) -> bool:
        """Return whether a file fits into the greatest balance that its allowances can have."""
        cost = self.cost_bytes(size_bytes)
        rules = self.link.allowances
        return all(r.bytes is None or cost <= r.bytes * (1 + r.carry_over) for r in rules)

    def may_come_down(self, t: float) -> float:
        """Return how many bytes may come from home at `t`, >= 0, infinite for no limit.

        To ask takes bytes on the way up: where there is no room for these, nothing may come.
        """
        self._meter.advance(t)
        if not self.clock.is_up(t) or self._meter.bytes < ASKING_BYTES:
            return 0.0
        return self._meter.bytes if self.link.model_counts else float("inf")

    def count(self, n_bytes: int, began_t: float, images: int = 0) -> None:
        """Take what went over the wire from the allowances, and keep the rate.

        Args:
            n_bytes: Bytes on the wire, up.
            began_t: Steady time at which they began to go.
            images: Images that were begun.
        """
        self._meter.count(images=images, n_bytes=n_bytes)
        self._free_s = max(self._free_s, began_t) + n_bytes / self.link.up_bytes_s

    def count_down(self, n_bytes: int) -> None:
        """Take what came down from the allowances, if that counts."""
        if self.link.model_counts:
            self._meter.count(n_bytes=n_bytes)

    def next_change(self, t: float) -> float:
        """Return when what is allowed at `t` may change by itself, infinite if never."""
        free = self._free_s if self._free_s > t else float("inf")
        return min(self.clock.next_change(t), self._meter.next_grant(t), free)

    def window(self, t: float) -> int:
        """Return the number of the window in which `t` is."""
        return int((t - self.clock.begins_s) // self.link.window_s)

    def window_ends(self, number: int) -> float:
        """Return when a window ends."""
        return self.clock.window(number)[1]

    def of_window(self, t: float) -> tuple[int | None, int | None]:
        """Return how many images and bytes may go in the window of `t`; None = any.

        The window counts from its beginning: whoever comes late by a moment, as each agent
        does, would else count what the window after it brings.
        """
        start_s, end_s = self.clock.window(self.window(t))
        return budget(self.link, self.ledger, start_s, end_s)
