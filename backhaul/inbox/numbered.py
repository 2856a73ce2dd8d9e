"""Numbered entries, of which one after the other is written and none is removed."""

from __future__ import annotations

from collections.abc import Callable

from backhaul.storage.objects import exists_at


def first_free(place: Callable[[int], str]) -> int:
    """Return the number of the next entry; the search takes logarithmically many requests.

    Args:
        place: Where the entry with a number, from 1, lies.
    """
    above = 1
    while exists_at(place(above)):
        above *= 2
    last = above // 2
    while above - last > 1:
        middle = (last + above) // 2
        last, above = (middle, above) if exists_at(place(middle)) else (last, middle)
    return above
