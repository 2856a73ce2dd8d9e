"""Files of frames that describe themselves, so that a lost journal can be made again.

A file holds a magic word, the length and the CRC-32 of a description, the description (JSON:
the frame's fields and its sidecar), and the bytes that are sent. Its name is their digest.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from backhaul.node.frame import FIRST, Frame

MAGIC = b"BHF1"
SUFFIX = ".frame"
_HEAD = struct.Struct("<4sII")
_MOST_DESCRIPTION = 1 << 24
_NAMES = {field.name for field in fields(Frame)}


class Kept(NamedTuple):
    """A frame as its file has it: what is known of it, its sidecar, and what is sent."""

    frame: Frame
    sidecar: dict[str, Any]
    content: bytes


class DamagedFrameError(ValueError):
    """The file of a frame is not what was written."""


def pack(kept: Kept) -> bytes:
    """Return the file of a frame."""
    text = json.dumps({"frame": asdict(kept.frame), "sidecar": kept.sidecar}).encode()
    return _HEAD.pack(MAGIC, len(text), zlib.crc32(text)) + text + kept.content


def unpack(data: bytes, digest: str) -> Kept:
    """Return what the file of a frame holds.

    Args:
        data: The file.
        digest: The digest that names it.

    Raises:
        DamagedFrameError: If it was cut off or changed.
    """
    kept = _read(data, _length(data))
    content = kept.content
    if hashlib.sha256(content).hexdigest() != digest or kept.frame.digest != digest:
        raise DamagedFrameError("its content does not match its name")
    return kept


def describe(read: Callable[[int | None], bytes], first_bytes: int) -> Kept:
    """Return what the file of a frame says of it, with little or nothing of its content.

    Args:
        read: Returns the first so many bytes of the file, or all.
        first_bytes: How many are read, if they are enough.

    Raises:
        DamagedFrameError: If the description was cut off or changed.
    """
    data = read(first_bytes)
    length = _length(data)
    return _read(data if _HEAD.size + length <= len(data) else read(None), length)


def _length(data: bytes) -> int:
    """Return the length of the description."""
    if len(data) < _HEAD.size:
        raise DamagedFrameError("it was cut off")
    magic, length, _ = _HEAD.unpack_from(data)
    if magic != MAGIC or length > _MOST_DESCRIPTION:
        raise DamagedFrameError("it is no file of a frame")
    return int(length)


def _read(data: bytes, length: int) -> Kept:
    end = _HEAD.size + length
    text = data[_HEAD.size : end]
    if zlib.crc32(text) != _HEAD.unpack_from(data)[2]:
        raise DamagedFrameError("its description was changed or cut off")
    try:
        known = json.loads(text)
        frame = Frame(**{k: v for k, v in known["frame"].items() if k in _NAMES})
        _ = FIRST[frame.why]
        return Kept(frame, dict(known["sidecar"]), data[end:])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFrameError(f"its description is damaged: {error}") from None
