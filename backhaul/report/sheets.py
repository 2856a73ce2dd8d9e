"""Contact sheets: the images that a method sent, those of one scene together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd

from backhaul.analysis.sent import COUNTS, EARLIER, EMPTY, FIRST, REPEAT
from backhaul.report.pictures import Thumbnail
from backhaul.report.wording import mean_count, size

Shrunk: TypeAlias = Callable[[str], Thumbnail | None]
"""From the path of an image to its thumbnail, None if there is none."""

MEANINGS = {
    FIRST: "a scene not sent before",
    REPEAT: "one more of a scene of this batch",
    EARLIER: "one more of a scene of an earlier batch",
    EMPTY: "no objects",
}
_COUNTED = {FIRST: "scenes", REPEAT: "repeats", EARLIER: "repeats_earlier", EMPTY: "empty"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: what it counts, how many images, and as text."""

    kind: str
    meaning: str
    n_images: float
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """An image on a sheet; `title` says its name, batch and what it is."""

    kind: str
    title: str
    thumbnail: Thumbnail | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one method sent.

    Args:
        label: The method.
        colour: Its colour.
        text: How much it sent, in words.
        parts: What the images are, with their number; empty where images are gone.
        scenes: Images, those of one scene together, then those without objects.
        left_out: Images that there was no room for.
    """

    label: str
    colour: str
    text: str
    parts: tuple[Part, ...]
    scenes: tuple[tuple[Frame, ...], ...]
    left_out: int


def contact_sheet(
    label: str,
    colour: str,
    counts: pd.DataFrame,
    images: pd.DataFrame,
    shrunk: Shrunk,
    room: int,
) -> Sheet:
    """Return the sheet of a method.

    Args:
        label: Its label.
        colour: Its colour.
        counts: Its rows of `backhaul.analysis.sent.sent_table`, with the column seed.
        images: Its rows of `backhaul.analysis.sent.sent_images`, of the seed that is shown.
        shrunk: Returns the thumbnail of an image.
        room: How many images there is room for; the first that were sent are shown.
    """
    numbers = counts.astype(dict.fromkeys(COUNTS, float))
    sums = numbers.groupby("seed")[list(COUNTS)].sum(skipna=False).mean()
    drawn = images.head(room)
    is_known = bool(sums[list(_COUNTED.values())].notna().all())
    return Sheet(
        label=label,
        colour=colour,
        text=f"{mean_count(sums['images'])} images, {size(sums['bytes'])}",
        parts=tuple(
            Part(kind, MEANINGS[kind], float(sums[name]), mean_count(sums[name]))
            for kind, name in _COUNTED.items()
        )
        if is_known
        else (),
        scenes=_scenes(drawn, shrunk),
        left_out=len(images) - len(drawn),
    )


def _scenes(drawn: pd.DataFrame, shrunk: Shrunk) -> tuple[tuple[Frame, ...], ...]:
    """Return the images by scene, the most frequent scene first, the empty ones at the end."""
    together: dict[str, list[Frame]] = {}
    empty: list[Frame] = []
    columns = (drawn[name].tolist() for name in ("file", "kind", "scene", "batch"))
    for place, (file, kind, scene, batch) in enumerate(zip(*columns, strict=True)):
        name = str(file).replace("\\", "/").rsplit("/", 1)[-1]
        meaning = MEANINGS.get(kind, "not there any more")
        frame = Frame(kind or "", f"{name}, batch {batch}: {meaning}", shrunk(file))
        alike = empty if kind == EMPTY else together.setdefault(scene or str(place), [])
        alike.append(frame)
    scenes = sorted(together.values(), key=len, reverse=True)
    return tuple(tuple(each) for each in (*scenes, empty) if each)
