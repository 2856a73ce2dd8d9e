"""What waits to be sent, in order of value for each byte."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import TypeAlias

from backhaul.node.frame import FIRST, Frame

Density: TypeAlias = Callable[[Frame], float]
"""What sending a frame now is worth for each byte, >= 0."""

_Key: TypeAlias = tuple[int, float, int, str]


class Queue:
    """Frames that wait, best first: what is wanted, what chance drew, then by value density.

    Where values add up, to send by value / bytes is the best that can be done on any link
    (greedy for the fractional knapsack). Of equal frames the later one is first.

    A density that fell, as where frames that are alike were sent meanwhile, is looked at again
    when its frame is next in turn (lazy greedy; Minoux, 1978).

    What is given up first goes by the frames' own values, not by what they add to what was
    sent: of many frames that are alike each would seem to add much.

    Args:
        density: What sending a frame is worth for each byte.
        own: What a frame is worth for each byte by itself, which does not change.
    """

    def __init__(self, density: Density, own: Density) -> None:
        self._density, self._own = density, own
        self._frames: dict[str, Frame] = {}
        self._keys: dict[str, _Key] = {}
        self._order: list[_Key] = []
        self._staying: list[_Key] = []
        self._sizes: list[int] = []
        self.disk_bytes = 0
        self.underway: str | None = None
        """Digest of the frame that is being sent: it is not given up meanwhile."""

    def __len__(self) -> int:
        return len(self._frames)

    def __contains__(self, digest: str) -> bool:
        return digest in self._frames

    def __getitem__(self, digest: str) -> Frame:
        return self._frames[digest]

    @property
    def smallest_bytes(self) -> float:
        """Bytes of the smallest frame; infinite without any."""
        return self._sizes[0] if self._sizes else math.inf

    def get(self, digest: str) -> Frame | None:
        """Return a frame by its digest; None if it does not wait."""
        return self._frames.get(digest)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, best first, by what is known of their worth."""
        return (self._frames[key[-1]] for key in reversed(self._order))

    def put(self, frame: Frame) -> None:
        """Add a frame, or take it in place of the one with its digest."""
        self.discard(frame.digest)
        self._frames[frame.digest] = frame
        self.disk_bytes += frame.disk_bytes
        self._place(frame)
        insort(self._staying, self._key(frame, self._own))
        insort(self._sizes, frame.size_bytes)

    def discard(self, digest: str) -> None:
        """Take a frame out, if it is there."""
        frame = self._frames.pop(digest, None)
        if frame is not None:
            self.disk_bytes -= frame.disk_bytes
            self._unplace(digest)
            del self._staying[bisect_left(self._staying, self._key(frame, self._own))]
            del self._sizes[bisect_left(self._sizes, frame.size_bytes)]

    def best(self, fits: Callable[[Frame], bool] = lambda _: True) -> Frame | None:
        """Return the best frame of those that fit, by its worth of now; None if none does."""
        while (frame := next(filter(fits, self), None)) is not None:
            before = self._keys[frame.digest]
            self._unplace(frame.digest)
            self._place(frame)
            if self._keys[frame.digest] >= before or next(filter(fits, self)) is frame:
                return frame
        return None

    def refresh(self) -> None:
        """Look at the worth of all frames again, where it may have risen."""
        self._keys.clear()
        self._order.clear()
        for frame in self._frames.values():
            self._place(frame)

    def worst(self) -> Frame | None:
        """Return the frame that is given up first; None if there is none that may be."""
        key = self._first_to_go()
        return None if key is None else self._frames[key[-1]]

    def is_behind(self, frame: Frame) -> bool:
        """Return whether a frame that is not in the queue would be given up first."""
        key = self._first_to_go()
        return key is None or self._key(frame, self._own) < key

    def density(self, frame: Frame) -> float:
        """Return what sending a frame now is worth for each byte."""
        return self._density(frame)

    def _first_to_go(self) -> _Key | None:
        return next((key for key in self._staying[:2] if key[-1] != self.underway), None)

    def _place(self, frame: Frame) -> None:
        key = self._keys[frame.digest] = self._key(frame, self._density)
        insort(self._order, key)

    def _unplace(self, digest: str) -> None:
        key = self._keys.pop(digest)
        del self._order[bisect_left(self._order, key)]

    @staticmethod
    def _key(frame: Frame, density: Density) -> _Key:
        return (FIRST[frame.why], density(frame), frame.number, frame.digest)
