"""Frames of a camera: of now, at a rate, and what it does when the camera does not."""

import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from backhaul.node.settings import CameraFrames
from backhaul.node.sources import grabbing
from backhaul.node.sources.camera import CameraSource, open_capture
from backhaul.node.sources.grabbing import Grabber

PATIENCE_S = 20.0


class Camera:
    """Numbers its frames, at the pace of whoever reads it or of a clock; then it is gone."""

    def __init__(self, n_frames: int, pace_s: float = 0.0) -> None:
        self.n_frames, self.pace_s = n_frames, pace_s
        self.number = self.made = 0
        self.is_released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self.n_frames > 0

    def grab(self) -> bool:
        time.sleep(self.pace_s)
        self.number += 1
        return self.number <= self.n_frames

    def retrieve(self) -> tuple[bool, Any]:
        self.made += 1
        return True, np.full((32, 32), self.number, np.uint16)

    def release(self) -> None:
        self.is_released = True


class Given:
    """Frames of a camera that are there at once."""

    def __init__(self) -> None:
        self.is_lost = False
        self.is_still = False
        self.n_taken = 0

    def take(self) -> tuple[Any, float] | None:
        if self.is_lost:
            return None
        self.n_taken += 1
        grey = 0 if self.is_still else self.n_taken % 256
        return np.full((32, 32, 3), grey, np.uint8), 1_700_000_000.0 + self.n_taken

    def close(self) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def wait_for(what: Callable[[], Any]) -> Any:
    """Return what comes of a call once it is true."""
    end_s = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < end_s:
        if found := what():
            return found
        time.sleep(0.002)
    raise AssertionError("it has not come about")


def test_whoever_asks_seldom_gets_a_frame_of_now() -> None:
    camera = Camera(10_000, pace_s=0.001)
    grabber = Grabber(lambda: camera)
    wait_for(lambda: camera.number > 100)
    asked_at = camera.number
    pixels, at_s = wait_for(grabber.take)
    assert pixels[0, 0] >= asked_at
    assert time.time() - at_s < PATIENCE_S
    assert camera.made == 1  # of all others no pixels were made
    grabber.close()
    wait_for(lambda: camera.is_released)


def test_a_frame_is_given_once() -> None:
    camera = Camera(10_000, pace_s=0.001)
    grabber = Grabber(lambda: camera)
    first, _ = wait_for(grabber.take)
    second, _ = wait_for(grabber.take)
    assert first[0, 0] < second[0, 0]
    grabber.close()


def test_a_camera_that_is_gone_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grabbing, "RETRY_S", 0.01)
    cameras = iter([Camera(3), Camera(0), Camera(10_000, pace_s=0.001)])
    opened = list[Camera]()

    def open_() -> Camera:
        opened.append(next(cameras))
        return opened[-1]

    grabber = Grabber(open_)
    wait_for(lambda: len(opened) == 3)
    assert opened[0].is_released
    wait_for(lambda: not grabber.is_lost)
    wait_for(grabber.take)
    grabber.close()


def test_a_camera_that_fails_in_any_way_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(grabbing, "RETRY_S", 0.01)

    class Broken(Camera):
        def retrieve(self) -> tuple[bool, Any]:
            raise cv2.error("no memory for rtsp://me:s3cret@cam/1")

    broken = Broken(10_000, pace_s=0.001)
    cameras = iter([broken, Camera(10_000, pace_s=0.001)])
    grabber = Grabber(lambda: next(cameras))
    wait_for(grabber.take)
    assert broken.is_released
    assert "s3cret" not in caplog.text
    grabber.close()


def test_who_asks_as_a_frame_comes_gets_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no further one is kept, which would be of long ago when the next is due."""
    given = list[Any]()

    class Asked(threading.Event):
        def clear(self) -> None:
            super().clear()
            given.append(grabber.take())

    monkeypatch.setattr("backhaul.node.sources.grabbing.threading.Event", Asked)
    grabber = Grabber(lambda: Camera(10_000, pace_s=0.001))
    monkeypatch.undo()
    assert grabber.take() is None
    wait_for(lambda: given)
    assert given[0] is not None
    grabber.close()


def test_a_camera_that_hangs_holds_nobody_up() -> None:
    hangs = threading.Event()

    class Hanging(Camera):
        def grab(self) -> bool:
            hangs.wait(PATIENCE_S)
            return False

    grabber = Grabber(lambda: Hanging(1))
    began_s = time.perf_counter()
    assert grabber.take() is None
    assert time.perf_counter() - began_s < 1.0
    hangs.set()
    grabber.close()


def test_frames_come_at_the_rate_and_the_missed_are_counted(clock: list[float]) -> None:
    source = CameraSource(CameraFrames(address=0, rate=1.0), Given())
    seen = 0
    for _ in range(40):
        seen += source.next() is not None
        clock[0] += 0.25
    assert (seen, source.passed()) == (10, 0)
    clock[0] += 5.2
    assert source.next() is not None
    assert (source.passed(), source.passed()) == (5, 0)


def test_a_lost_camera_is_told_and_what_it_did_not_give_is_not_missed(
    clock: list[float],
) -> None:
    frames = Given()
    source = CameraSource(CameraFrames(address=0, rate=1.0), frames)
    assert source.next() is not None
    frames.is_lost = True
    for _ in range(25):
        clock[0] += 1.0
        assert source.next() is None
    assert "no frames" in source.state()
    assert source.wait_s() <= 1.0
    frames.is_lost = False
    assert source.next() is not None
    assert (source.state(), source.passed()) == ("", 0)


def test_a_camera_whose_frames_are_all_equal_is_stuck(clock: list[float]) -> None:
    frames = Given()
    frames.is_still = True
    source = CameraSource(CameraFrames(address=0, rate=0.1), frames)
    states = []
    for _ in range(9):
        assert source.next() is not None
        states.append(source.state())
        clock[0] += 10.0
    assert states[:6] == [""] * 6
    assert "stuck" in states[-1]


def test_the_password_is_not_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "s3cret")
    settings = CameraFrames(
        address="rtsp://me:{password}@cam/1",
        password_variable="CAMERA_PASSWORD",  # noqa: S106 - its name
    )
    opened = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda *how: opened.append(how[0]))
    open_capture(settings)
    assert opened == ["rtsp://me:s3cret@cam/1"]
    assert "s3cret" not in repr(settings)


def test_an_address_goes_to_no_back_end_that_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[tuple[Any, ...]]()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *how: given.append(how))
    open_capture(CameraFrames(address="rtsp://me:s3cret@cam/1"))
    open_capture(CameraFrames(address=0))
    (address, back_end, limits), number = given
    assert (address, back_end) == ("rtsp://me:s3cret@cam/1", cv2.CAP_FFMPEG)
    assert max(limits[1::2]) <= 10_000
    assert number == (0,)
