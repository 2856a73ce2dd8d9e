"""Names of the frames of a stream, which say node, part, time and scene."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

StreamPart: TypeAlias = Literal["initial", "stream", "test"]
STREAM_PARTS: tuple[StreamPart, ...] = ("initial", "stream", "test")

GROUP_PATTERN = r"_([ist]b?\d+)\.jpg$"
"""As `data.group_pattern`: frames of one scene belong together."""

_NAME = re.compile(r"cam(\d\d)_(initial|stream|test)_(\d{6})_([ist]b?\d+)\.jpg$")


class Moment(NamedTuple):
    """When a frame was captured, and where; sorted by part and time, then by node.

    Args:
        part: Part of the stream, as its place in `STREAM_PARTS`.
        time: Number of the frame among those of its node and part.
        node: Number of the node.
    """

    part: int
    time: int
    node: int


def scene_name(part: StreamPart, number: int, *, background: bool = False) -> str:
    """Return the name of a scene, or of a background of its own, alike in all its frames.

    Args:
        part: The only part of the stream that has it.
        number: Its number in the part.
        background: Whether it has no objects.
    """
    return f"{part[0]}{'b' if background else ''}{number:05d}"


def frame_name(node: int, part: StreamPart, time: int, scene: str) -> str:
    """Return the name of a frame: those of a node and a part, sorted, are in order of capture.

    Example:
        >>> frame_name(0, "stream", 12, scene_name("stream", 3))
        'cam00_stream_000012_s00003.jpg'
    """
    return f"cam{node:02d}_{part}_{time:06d}_{scene}.jpg"


def node_name(path: str) -> str | None:
    """Return the name of the node of a frame; None for an image that is no frame of a stream.

    Example:
        >>> node_name("cam00_stream_000012_s00003.jpg")
        'cam00'
    """
    moment = moment_of(path)
    return None if moment is None else f"cam{moment.node:02d}"


def moment_of(path: str) -> Moment | None:
    """Return when a frame was captured; None for an image that is no frame of a stream."""
    found = _NAME.search(path)
    if found is None:
        return None
    node, part, time, _ = found.groups()
    names: tuple[str, ...] = STREAM_PARTS
    return Moment(names.index(part), int(time), int(node))


def scene_of(path: str) -> str | None:
    """Return the name of the scene that a frame shows; None for an image that is no frame.

    Example:
        >>> scene_of("images/cam00_stream_000012_s00003.jpg")
        's00003'
    """
    found = _NAME.search(path)
    return None if found is None else found[4]
