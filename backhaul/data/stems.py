"""What the names of images say of where they come from: copies of one, or frames of a video."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

COPIES_PATTERN = r"^(.+)\.rf\.[0-9A-Za-z]+\.[^.]+$"
"""As `data.group_pattern`: Roboflow's copies of one original, ``NAME.rf.HASH.jpg``."""

_COPY = re.compile(COPIES_PATTERN)
_SUFFIX = re.compile(r"(?:[._](?:jpe?g|png|bmp|webp|tiff?))+$", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_LAST_NUMBER = re.compile(r"^(.*?)(\d{1,18})(\D*)$", re.DOTALL)
_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_.T ]{0,2}"
    r"([0-2]\d)[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(?:[-_.,]?(\d{1,6}))?(?!\d)"
)
_OF_VIDEO = re.compile(
    r"(?<![a-z])(?:frames?|video|vid|clip|seq|sequence|cam|camera|mp4|avi|mov|mkv)(?![a-z])",
    re.IGNORECASE,
)
_OF_SPLITS = frozenset({"train", "training", "valid", "val", "validation", "test", "testing"})
_OF_LAYOUTS = frozenset({"images", "imgs", "jpegimages", "image_2", "obj_train_data", "data"})


@dataclass(frozen=True, slots=True)
class Stem:
    """What the name of an image says.

    Args:
        original: Name of the image that it is a copy of, or its own name.
        is_copy: Whether it is named as a copy.
        sequence: What frames of one video have in common in their names; None without a number.
        position: Of the frame in the video: its number, or seconds since 1970.
        of_video: Whether a word says that it is of a video or a camera.
        is_timed: Whether the position is a time.
    """

    original: str
    is_copy: bool
    sequence: str | None
    position: float
    of_video: bool
    is_timed: bool


def stems(paths: Sequence[str]) -> list[Stem]:
    """Return what the names of the images at `paths` say.

    Folders that only name a subset or a layout, such as ``train/images``, do not count; another
    folder may hold a video, so that its name is part of what frames have in common.
    """
    start = _common_folder(paths)
    below = [path[start:] for path in paths]
    # a date and a frame's number look like a date and a time, as long as the number does
    shapes = [_DIGIT.sub("0", path.rpartition("/")[2]) for path in below]
    untimed = {
        shape for path, shape in zip(below, shapes, strict=True) if _time_in(path) is None
    }
    return [
        _stem(path, timed=shape not in untimed)
        for path, shape in zip(below, shapes, strict=True)
    ]


def _common_folder(paths: Sequence[str]) -> int:
    """Return how many characters the folder of all images has, its last slash included."""
    if not paths:
        return 0
    low, high = min(paths), max(paths)
    n = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    folder = low[:n].rpartition("/")[0]
    return len(folder) + 1 if folder else 0


def _stem(path: str, *, timed: bool) -> Stem:
    *folders, name = path.split("/")
    match = _COPY.match(name)
    original = match.group(1) if match else name
    kept = [f for f in folders if f.lower() not in _OF_SPLITS | _OF_LAYOUTS]
    whole = "/".join([*kept, _SUFFIX.sub("", original)])
    of_video = bool(_OF_VIDEO.search(whole.replace("_", " ")))
    original = "/".join([*kept, original])
    time = _time_in(whole) if timed else None
    if time is not None:
        return Stem(
            original, match is not None, f"{time.before}#", time.seconds, of_video, True
        )
    numbered = _LAST_NUMBER.match(whole)
    if numbered is None:
        return Stem(original, match is not None, None, 0.0, of_video, False)
    before, number, after = numbered.groups()
    return Stem(
        original, match is not None, f"{before}#{after}", float(number), of_video, False
    )


class _Time(NamedTuple):
    before: str
    seconds: float


def _time_in(name: str) -> _Time | None:
    """Return the first date with a time in a name, and what is before it."""
    match = _TIME.search(name)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    fraction = float(f"0.{match.group(7) or 0}")
    return _Time(name[: match.start()], time.timestamp() + fraction)
