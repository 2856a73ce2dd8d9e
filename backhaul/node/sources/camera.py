"""Frames of a camera."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Protocol

import cv2
import numpy as np

from backhaul.node.settings import CameraFrames
from backhaul.node.sources.grabbing import Grabber
from backhaul.node.sources.source import Shot
from backhaul.node.sources.video import shot_of

MOST_MS = 10_000
"""Milliseconds after which a camera that does not answer is gone."""
STUCK_S = 60.0
"""A camera whose frames are all equal for so long is stuck."""
SOON_S = 0.05
"""After so long it is worth to look again for a frame that was asked for."""
GONE_S = 1.0


class Frames(Protocol):
    """Gives the newest frames of a camera, see `Grabber`."""

    @property
    def is_lost(self) -> bool:
        """Whether the camera gives none."""
        ...

    def take(self) -> tuple[Any, float] | None:
        """Return a frame and when it was captured; None if there is none yet."""
        ...

    def close(self) -> None:
        """Let go of the camera."""
        ...


class CameraSource:
    """Frames of a camera at a rate.

    Args:
        settings: The rate, and the quality that frames are kept in.
        frames: The camera.
    """

    is_over = False

    def __init__(self, settings: CameraFrames, frames: Frames) -> None:
        self._settings, self._frames = settings, frames
        self._due_s = -math.inf
        self._passed = 0
        self._last: bytes = b""
        self._changed_s = time.monotonic()
        self._is_stuck = False

    def next(self) -> Shot | None:
        """Return the frame of now, if one is due."""
        now_s = time.monotonic()
        if self._frames.is_lost:
            self._due_s = -math.inf  # what it does not give is not passed over
        if now_s < self._due_s or (taken := self._frames.take()) is None:
            return None
        pixels, at_s = taken
        period = 1 / self._settings.rate
        due_s = now_s if math.isinf(self._due_s) else self._due_s
        missed = int((now_s - due_s) // period)
        self._passed += missed
        self._due_s = due_s + (1 + missed) * period
        self._note_change(pixels, now_s)
        return shot_of(f"camera-{at_s:.3f}", at_s, pixels, self._settings.quality)

    def wait_s(self) -> float:
        """Return after how many seconds the next frame is due, or may have come."""
        if self._frames.is_lost:
            return GONE_S
        return max(self._due_s - time.monotonic(), SOON_S)

    def passed(self) -> int:
        """Return how many frames were due and not taken, since it was last asked."""
        passed, self._passed = self._passed, 0
        return passed

    def state(self) -> str:
        """Return what is wrong with the camera; empty if nothing is."""
        if self._frames.is_lost:
            return "the camera gives no frames"
        return "the camera is stuck: all frames are equal" if self._is_stuck else ""

    def close(self) -> None:
        """Let go of the camera."""
        self._frames.close()

    def _note_change(self, pixels: Any, now_s: float) -> None:
        small = np.ascontiguousarray(pixels[::16, ::16]).tobytes()
        if small != self._last:
            self._last, self._changed_s = small, now_s
        self._is_stuck = now_s - self._changed_s >= STUCK_S


def open_camera(settings: CameraFrames) -> CameraSource:
    """Return the frames of a camera; it is opened meanwhile, and again when it goes away."""
    return CameraSource(settings, Grabber(lambda: open_capture(settings)))


def open_capture(settings: CameraFrames) -> Any:
    """Open a camera by OpenCV.

    Args:
        settings: Its address: RTSP, or the number of a V4L device.
    """
    address = _address(settings)
    if isinstance(address, int):
        return cv2.VideoCapture(address)
    # By FFmpeg alone: another back end of OpenCV prints the address, with a password in it.
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, MOST_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, MOST_MS]
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)


def _address(settings: CameraFrames) -> str | int:
    address, variable = settings.address, settings.password_variable
    if isinstance(address, int) or address.isdecimal():
        return int(address)
    return address.replace("{password}", os.environ.get(variable, "") if variable else "")
