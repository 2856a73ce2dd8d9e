"""Frames of a video file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

from backhaul.errors import InputError
from backhaul.node.settings import VideoFrames
from backhaul.node.sources.source import Shot


class VideoSource:
    """Frames of a video file at a rate; the next one is read when it is asked for.

    Args:
        settings: The file, and the rate.
        began_s: When its first frame was captured, seconds since 1970.

    Raises:
        InputError: If it is no video.
    """

    def __init__(self, settings: VideoFrames, began_s: float) -> None:
        path = Path(settings.path).expanduser()
        self._video = cv2.VideoCapture(str(path))
        self._rate = self._video.get(cv2.CAP_PROP_FPS)
        if not self._video.isOpened() or not self._rate > 0:
            raise InputError(f"frames.path: {path}: expected a video")
        self._step = max(self._rate / settings.rate, 1.0)
        self._name, self._quality, self._began_s = path.name, settings.quality, began_s
        self._frame = self._passed = 0
        self._due = 0.0
        self.is_over = False

    def next(self) -> Shot | None:
        """Return the next frame that is due; None at the end."""
        while not self.is_over:
            if not self._video.grab():
                self.is_over = True
                break
            number, self._frame = self._frame, self._frame + 1
            if number < self._due:
                continue
            fine, pixels = self._video.retrieve()
            if not fine or pixels is None:  # it is damaged there: the next one is taken
                self._passed += 1
                continue
            self._due += self._step
            at_s = self._began_s + number / self._rate
            return shot_of(f"{self._name}#{number:08d}", at_s, pixels, self._quality)
        return None

    def wait_s(self) -> float:
        """Return 0: a video has its frames."""
        return 0.0

    def passed(self) -> int:
        """Return how many frames could not be decoded since it was last asked."""
        passed, self._passed = self._passed, 0
        return passed

    def state(self) -> str:
        """Return nothing: a video that can be read goes on to its end."""
        return ""

    def close(self) -> None:
        """Let go of the file."""
        self._video.release()


def shot_of(name: str, captured_s: float, pixels: Any, quality: int) -> Shot:
    """Return a frame of pixels in OpenCV's order."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    content = bytes(data.tobytes())
    return Shot(name, captured_s, lambda: content, len(content))
