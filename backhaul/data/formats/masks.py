"""Masks of COCO: run lengths of a mask's columns, one after the other.

Runs are of pixels that are not in the mask and of those that are, in turn, as a list, or as the
text that pycocotools makes of it: 6 bits a character from ``0`` on, of which the lowest 5 are
digits, the lowest first, and the highest says that more follow; from the fourth run on a
number is the difference to the one before the last.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

_MOST_RUNS = 10_000_000
_FIRST, _DIGIT_BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10
_ABSOLUTE = 2
_MOST_BITS = 60


class Mask(NamedTuple):
    """The size of a mask, and the box around it as x, y, width, height; all in pixels."""

    size: tuple[int, int]
    bbox: tuple[float, float, float, float]


def looks_like_mask(segmentation: dict[str, Any]) -> bool:
    """Return whether a ``segmentation`` has a size and run lengths, which are not looked at."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    of_two = isinstance(size, list) and [type(side) for side in size] == [int, int]
    return of_two and isinstance(counts, str | list)


def mask_of(segmentation: dict[str, Any]) -> Mask:
    """Return the mask in a ``segmentation`` with ``size`` (height, width) and ``counts``.

    Raises:
        ValueError: If it is none, or has no pixel.
    """
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    runs = _runs(counts) if isinstance(counts, str) else counts
    if len(runs) > _MOST_RUNS or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("expected run lengths")
    ends = list(accumulate(runs))
    if not ends or ends[-1] != height * width:
        raise ValueError("expected as many pixels as the mask has")
    xs, ys = list[int](), list[int]()
    for start, end in zip(ends[0::2], ends[1::2], strict=False):
        if start == end:
            continue
        first, last = divmod(start, height), divmod(end - 1, height)
        whole = first[0] != last[0]  # it goes over the end of a column
        xs += (first[0], last[0])
        ys += (0, height - 1) if whole else (first[1], last[1])
    x, y = min(xs), min(ys)
    return Mask((width, height), (x, y, max(xs) + 1 - x, max(ys) + 1 - y))


def _runs(text: str) -> list[int]:
    runs: list[int] = []
    value, bits = 0, 0
    for character in text.encode("ascii"):
        code = character - _FIRST
        value |= (code & (_MORE - 1)) << bits
        bits += _DIGIT_BITS
        if not 0 <= code < 2 * _MORE or bits > _MOST_BITS:
            raise ValueError("expected run lengths")
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > _ABSOLUTE else 0))
        value, bits = 0, 0
    return runs
