"""Frames of a video file, or of a camera."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backhaul.errors import InputError
from backhaul.node.settings import CameraFrames, VideoFrames
from backhaul.node.sources.source import Shot

RETRY_S = 10.0
"""A camera that is gone is tried again so often."""
MOST_MS = 10_000
"""Milliseconds that a camera may take to answer: nothing is sent meanwhile."""
STUCK_S = 60.0
"""A camera whose frames are all equal for so long is stuck."""


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
            return _shot(f"{self._name}#{number:08d}", at_s, pixels, self._quality)
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


def _open(address: str | int) -> Any:
    if isinstance(address, int):
        return cv2.VideoCapture(address)
    # By FFmpeg alone: another back end of OpenCV prints the address, with a password in it.
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, MOST_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, MOST_MS]
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)


class CameraSource:
    """Frames of a camera at a rate. It is opened again when it goes away.

    Args:
        settings: Its address, and the rate.
        open_: Opens a camera; OpenCV's if not given.
    """

    is_over = False

    def __init__(
        self, settings: CameraFrames, open_: Callable[[str | int], Any] = _open
    ) -> None:
        self._settings, self._open = settings, open_
        self._camera: Any = None
        self._due_s = self._retry_s = -math.inf
        self._passed = 0
        self._problem = ""
        self._last: bytes = b""
        self._changed_s = time.monotonic()

    def next(self) -> Shot | None:
        """Return the frame of now, if one is due."""
        now_s = time.monotonic()
        if now_s < max(self._due_s, self._retry_s):
            return None
        pixels = self._read()
        if pixels is None:
            self._lose()
            return None
        period = 1 / self._settings.rate
        due_s = now_s if math.isinf(self._due_s) else self._due_s
        missed = int((now_s - due_s) // period)
        self._passed += missed
        self._due_s = due_s + (1 + missed) * period
        self._note_change(pixels, now_s)
        at_s = time.time()
        return _shot(f"camera-{at_s:.3f}", at_s, pixels, self._settings.quality)

    def wait_s(self) -> float:
        """Return after how many seconds the next frame is due."""
        return max(max(self._due_s, self._retry_s) - time.monotonic(), 0.0)

    def passed(self) -> int:
        """Return how many frames were due and not taken, since it was last asked."""
        passed, self._passed = self._passed, 0
        return passed

    def state(self) -> str:
        """Return what is wrong with the camera; empty if nothing is."""
        return self._problem

    def close(self) -> None:
        """Let go of the camera."""
        if self._camera is not None:
            self._camera.release()
            self._camera = None

    def _read(self) -> Any:
        if self._camera is None:
            self._camera = self._open(self._address())
            self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not self._camera.isOpened():
            return None
        fine, pixels = self._camera.read()
        return pixels if fine and pixels is not None and pixels.size else None

    def _address(self) -> str | int:
        address, variable = self._settings.address, self._settings.password_variable
        if isinstance(address, int) or address.isdecimal():
            return int(address)
        return address.replace("{password}", os.environ.get(variable, "") if variable else "")

    def _lose(self) -> None:
        self._problem = "the camera gives no frames"
        self.close()
        self._due_s = -math.inf  # what it does not give is not passed over
        self._retry_s = time.monotonic() + RETRY_S

    def _note_change(self, pixels: Any, now_s: float) -> None:
        small = np.ascontiguousarray(pixels[::16, ::16]).tobytes()
        if small != self._last:
            self._last, self._changed_s = small, now_s
        is_stuck = now_s - self._changed_s >= STUCK_S
        self._problem = "the camera is stuck: all frames are equal" if is_stuck else ""


def _shot(name: str, captured_s: float, pixels: Any, quality: int) -> Shot:
    """Return a frame of pixels in OpenCV's order."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    content = bytes(data.tobytes())
    return Shot(name, captured_s, lambda: content, len(content))
