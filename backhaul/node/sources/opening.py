"""Open the source of frames that a node's settings name."""

from __future__ import annotations

import time
from pathlib import Path

from backhaul.errors import InputError
from backhaul.node.settings import (
    CameraFrames,
    FolderFrames,
    Frames,
    VideoFrames,
    WaggleFrames,
)
from backhaul.node.sources.camera import open_camera
from backhaul.node.sources.folder import FolderSource
from backhaul.node.sources.source import Source
from backhaul.node.sources.taken import Taken
from backhaul.node.sources.video import VideoSource
from backhaul.node.sources.waggle import WaggleSource


def open_source(frames: Frames, taken: Taken) -> Source:
    """Return the source of frames.

    Args:
        frames: Its settings.
        taken: Remembers which files were taken.

    Raises:
        InputError: If its folder or file is not there.
    """
    match frames:
        case FolderFrames():
            return FolderSource(_folder(frames.path), frames.settle_s, taken)
        case WaggleFrames():
            return WaggleSource(_folder(frames.path), taken)
        case VideoFrames():
            return VideoSource(frames, time.time())
        case CameraFrames():
            return open_camera(frames)


def _folder(path: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise InputError(f"frames.path: {folder}: expected a folder")
    return folder
