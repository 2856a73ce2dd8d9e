"""The newest frame of a camera, which is read all the time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

LOG = logging.getLogger(__name__)

RETRY_S = 10.0
"""A camera that is gone is tried again so often."""
CLOSING_S = 1.0


class Grabber:
    """Reads a camera in a thread of its own, and gives a frame of now to whoever asks.

    A camera, or the network, holds frames back for whoever reads slowly: read once a minute, it
    would give frames of long ago, or break off. So all are taken, and only those that somebody
    asked for are made pixels. One that goes away is opened again.

    Args:
        open_: Opens the camera as OpenCV does.
    """

    def __init__(self, open_: Callable[[], Any]) -> None:
        self._open = open_
        self._wanted, self._closing = threading.Event(), threading.Event()
        self._frame: tuple[Any, float] | None = None
        self.is_lost = False
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def take(self) -> tuple[Any, float] | None:
        """Return the first frame since it was asked for, once; None if it is not there yet.

        Returns:
            Its pixels, shape (height, width, 3) in OpenCV's order of channels, and when it was
            captured, seconds since 1970.
        """
        if self._frame is None:
            self._wanted.set()
            return None
        frame, self._frame = self._frame, None
        return frame

    def close(self) -> None:
        """Let go of the camera, as soon as it answers."""
        self._closing.set()
        self._thread.join(CLOSING_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                camera = self._open()
                try:
                    self._read(camera)
                finally:
                    camera.release()
            except Exception as error:  # of any type, as where OpenCV finds no memory
                # Its text may have the camera's address, and that a password.
                LOG.warning("the camera failed (%s): it is opened again", type(error).__name__)
            self.is_lost = True
            self._closing.wait(RETRY_S)

    def _read(self, camera: Any) -> None:
        """Take frames until the camera gives none."""
        while not self._closing.is_set() and camera.isOpened() and camera.grab():
            at_s = time.time()
            if self._wanted.is_set():
                fine, pixels = camera.retrieve()
                if not fine or pixels is None or not pixels.size:  # the next one is taken
                    continue
                self._frame = pixels, at_s
                self._wanted.clear()  # not before: who asks between would get the next one late
            self.is_lost = False
