from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from backhaul.errors import InputError
from backhaul.node.journal import Journal
from backhaul.node.pixels import Gate, masked
from backhaul.node.settings import (
    FolderFrames,
    Gates,
    Mask,
    VideoFrames,
    WaggleFrames,
)
from backhaul.node.sources.folder import FolderSource
from backhaul.node.sources.opening import open_source
from backhaul.node.sources.source import Source
from backhaul.node.sources.video import VideoSource
from backhaul.node.sources.waggle import WaggleSource


class Notes:
    """Remembers what was taken, as the journal does."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def taken(self) -> dict[str, str]:
        return dict(self.known)

    def take(self, name: str, version: str) -> None:
        self.known[name] = version

    def forget_taken(self, names: Iterable[str]) -> None:
        for name in names:
            del self.known[name]


def names(source: Source) -> list[str]:
    """Return the names of all frames that there are for now."""
    found = []
    while (shot := source.next()) is not None:
        found.append(shot.name)
    return found


def put(path: Path, data: bytes = b"x", age_s: float = 60) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - age_s,) * 2)


def test_files_of_a_folder_are_taken_once_and_left_alone(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "sub/c.jpeg"):
        put(tmp_path / name, name.encode())
    for name in (".hidden.jpg", "a.jpg.part", "notes.txt", ".cache/d.jpg"):
        put(tmp_path / name)
    put(tmp_path / "fresh.jpg", age_s=0)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    notes = Notes()
    source = FolderSource(tmp_path, 2.0, notes)
    shots = [source.next(), source.next(), source.next()]
    assert [shot and shot.name for shot in shots] == ["a.png", "b.jpg", "sub/c.jpeg"]
    assert [shot and shot.read() for shot in shots] == [b"a.png", b"b.jpg", b"sub/c.jpeg"]
    assert source.next() is None
    assert names(FolderSource(tmp_path, 2.0, notes)) == []
    put(tmp_path / "b.jpg", b"another", age_s=50)
    (tmp_path / "a.png").unlink()
    assert names(FolderSource(tmp_path, 2.0, notes)) == ["b.jpg"]
    assert set(notes.known) == {"b.jpg", "sub/c.jpeg"}


def test_a_file_counts_as_taken_once_its_frame_is_done_with(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg")
    put(tmp_path / "b.jpg")
    notes = Notes()
    source = FolderSource(tmp_path, 2.0, notes)
    assert source.next() is not None
    assert notes.known == {}  # were the process to end now, nobody would have looked at it
    assert source.next() is not None
    assert set(notes.known) == {"a.jpg"}
    source.close()
    assert set(notes.known) == {"a.jpg", "b.jpg"}


@pytest.mark.parametrize("name", [b"\xff\xfe.jpg", b"two\nlines.jpg", "\u00fc.jpg".encode()])
def test_files_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    put(tmp_path / "in" / os.fsdecode(name))
    journal = Journal(tmp_path / "journal.sqlite", durable=False)
    source = FolderSource(tmp_path / "in", 2.0, journal)
    shot = source.next()
    assert shot is not None
    assert shot.read() == b"x"
    assert json.loads(json.dumps(shot.name).encode("utf-8", "strict")) == shot.name
    shot.name.encode()
    source.close()
    assert names(FolderSource(tmp_path / "in", 2.0, journal)) == []
    journal.close()


def test_a_folder_of_very_many_files_is_looked_through_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    source = FolderSource(tmp_path, 2.0, Notes())

    def slow(*_: object, **__: object) -> list[object]:
        now[0] += 3.0
        return []

    monkeypatch.setattr("os.walk", slow)
    assert source.next() is None
    assert now[0] == 103.0
    assert source.wait_s() == 60.0
    assert source.next() is None
    assert now[0] == 103.0


def test_a_folder_that_goes_away_forgets_nothing(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.jpg")
    notes = Notes()
    source = FolderSource(tmp_path / "in", 2.0, notes)
    assert names(source) == ["a.jpg"]
    (tmp_path / "in").rename(tmp_path / "away")
    away = FolderSource(tmp_path / "in", 2.0, notes)
    assert names(away) == []
    assert "in" in away.state()
    (tmp_path / "away").rename(tmp_path / "in")
    assert names(FolderSource(tmp_path / "in", 2.0, notes)) == []


def test_uploads_of_waggle_are_taken_by_time(tmp_path: Path) -> None:
    def upload(ns: int, sha: str, *, name: str = "x.jpg", meta: bool = True) -> None:
        folder = tmp_path / "camera" / f"{ns}-{sha * 40}"
        put(folder / "data", sha.encode())
        if meta:
            put(folder / "meta", json.dumps({"labels": {"filename": name}}).encode())

    upload(1_700_000_002_000_000_000, "a")
    upload(1_700_000_001_000_000_000, "b")
    upload(1_700_000_003_000_000_000, "c", meta=False)
    upload(1_700_000_004_000_000_000, "d", name="sound.flac")
    put(tmp_path / "camera" / "1700000005000000000-short" / "data")
    notes = Notes()
    source = WaggleSource(tmp_path, notes)
    first, second = source.next(), source.next()
    assert first is not None
    assert second is not None
    assert (first.captured_s, first.read(), second.read()) == (1_700_000_001.0, b"b", b"a")
    assert source.next() is None
    assert names(WaggleSource(tmp_path, notes)) == []


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video of 20 frames, 10 a second, each with a grey level of its own."""
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), number * 10, np.uint8))
    writer.release()
    return path


def test_frames_of_a_video_come_at_the_rate(video: Path) -> None:
    source = open_source(VideoFrames(path=str(video), rate=2.5), Notes())
    shots = []
    while (shot := source.next()) is not None:
        shots.append(shot)
    assert source.is_over
    assert [shot.name for shot in shots] == [f"v.avi#{n:08d}" for n in (0, 4, 8, 12, 16)]
    gaps = np.diff([shot.captured_s for shot in shots])
    assert gaps == pytest.approx([0.4] * 4)
    pixels = cv2.imdecode(np.frombuffer(shots[2].read(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert abs(float(pixels.mean()) - 80) < 3


def test_a_frame_that_cannot_be_decoded_ends_no_video(video: Path) -> None:
    source = open_source(VideoFrames(path=str(video), rate=2.5), Notes())
    assert isinstance(source, VideoSource)
    whole = source._video

    class Damaged:
        """A video of which the fifth frame is damaged."""

        grabbed = 0

        def grab(self) -> bool:
            self.grabbed += 1
            return bool(whole.grab())

        def retrieve(self) -> tuple[bool, object]:
            return (False, None) if self.grabbed == 5 else whole.retrieve()

    source._video = Damaged()  # type: ignore[assignment]
    assert names(source) == [f"v.avi#{n:08d}" for n in (0, 5, 8, 12, 16)]
    assert (source.passed(), source.passed()) == (1, 0)


@pytest.mark.parametrize(
    "frames", [FolderFrames(path="/no/such"), WaggleFrames(path="/no/such")]
)
def test_a_folder_that_is_not_there_is_wrong_input(frames: FolderFrames | WaggleFrames) -> None:
    with pytest.raises(InputError, match=r"frames\.path: /no/such: expected a folder"):
        open_source(frames, Notes())


def test_masks_cover_every_pixel_that_they_touch() -> None:
    pixels = np.full((10, 20, 3), 200, np.uint8)
    covered = masked(pixels, [Mask(xyxy=(0.12, 0.0, 0.5, 0.35))])
    assert np.all(covered[:4, 2:10] == 0)
    assert covered.sum() == (200 - 32) * 3 * 200
    assert np.all(pixels == 200)


def test_gates_tell_dark_blurred_and_still_frames() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    assert Gate(Gates()).closed_by(np.zeros_like(sharp)) == ""
    assert Gate(Gates(dark=0.2)).closed_by(sharp // 8) == "dark"
    assert Gate(Gates(dark=0.2)).closed_by(sharp) == ""
    blurred = cv2.GaussianBlur(sharp, (0, 0), 6)
    assert Gate(Gates(blurred=50)).closed_by(blurred) == "blurred"
    assert Gate(Gates(blurred=50)).closed_by(sharp) == ""
    still = Gate(Gates(still=2))
    assert [still.closed_by(each) for each in (sharp, sharp, 255 - sharp)] == ["", "still", ""]
