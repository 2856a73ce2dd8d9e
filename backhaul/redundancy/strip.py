"""A picture of frames in time: the first frame of each run, and how long it lasts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from backhaul.data.headers import open_image
from backhaul.errors import InputError
from backhaul.redundancy.frames import Frames
from backhaul.redundancy.measures import run_starts

MOST_RUNS = 600
"""Drawn in one picture; later ones are left out, and it says so."""

_TILE, _TEXT, _GAP, _ACROSS = 72, 12, 4, 20  # pixels, and runs in a row
_PAPER, _INK, _BAR = "white", "#222222", "#0072b2"
_LONGEST = 16  # frames, whose bar is as wide as a tile


def write_strip(frames: Frames, near: float, place: Path) -> None:
    """Write a PNG of all runs in order, from left to right and down; a node begins a new row.

    Below the first frame of each run is a bar as long as the run, and its number of frames.

    Args:
        frames: The frames.
        near: Distance of descriptors up to which two are near-duplicates.
        place: The file.

    Raises:
        InputError: If it cannot be written.
    """
    starts = run_starts(frames, near)
    lengths = np.diff(np.append(starts, len(frames))).tolist()
    drawn = starts[:MOST_RUNS].tolist()
    places = _places([frames.nodes[row] for row in drawn])
    down = max(row for row, _ in places) + 1
    high = _TILE + 2 * _TEXT + _GAP
    picture = Image.new("RGB", (_ACROSS * (_TILE + _GAP) + _GAP, down * high + _TEXT), _PAPER)
    draw = ImageDraw.Draw(picture)
    for start, length, (row, column) in zip(drawn, lengths, places, strict=False):
        left, top = _GAP + column * (_TILE + _GAP), row * high + _TEXT
        if column == 0:
            draw.text((left, top - _TEXT), frames.nodes[start][:40], _INK)
        picture.paste(_tile(frames.paths[start]), (left, top))
        wide = max(2, round(_TILE * min(length, _LONGEST) / _LONGEST))
        draw.rectangle((left, top + _TILE + 1, left + wide - 1, top + _TILE + 4), _BAR)
        draw.text((left, top + _TILE + 4), str(length), _INK)
    if left_out := len(starts) - len(drawn):
        draw.text((_GAP, down * high), f"{left_out} more runs are not drawn", _INK)
    try:
        picture.save(place, "PNG")
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror or error}") from None


def _places(nodes: list[str]) -> list[tuple[int, int]]:
    """Return row and column of each run."""
    places: list[tuple[int, int]] = []
    for number, node in enumerate(nodes):
        row, column = places[-1] if places else (0, -1)
        new = number > 0 and nodes[number - 1] != node
        places.append((row + 1, 0) if new or column + 1 == _ACROSS else (row, column + 1))
    return places


def _tile(path: str) -> Image.Image:
    """Return a small picture of a frame, on a square of paper."""
    with open_image(Path(path).read_bytes()) as image:
        image.draft("RGB", (2 * _TILE, 2 * _TILE))
        return ImageOps.pad(
            ImageOps.exif_transpose(image).convert("RGB"), (_TILE, _TILE), color=_PAPER
        )
