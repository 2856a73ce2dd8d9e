"""Bursts and scenes of frames that were written with known ones, and of a stream."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backhaul.data.made import made_set
from backhaul.data.settings import StreamData
from backhaul.data.streams.names import moment_of
from backhaul.errors import InputError
from backhaul.redundancy.frames import Frames, read_frames
from backhaul.redundancy.measures import Bursts, measures_of, run_starts
from backhaul.sampling.diversity.duplicates import NEAR

Write = Callable[..., Path]
SHAKEN = 0.25
"""Frames of a made stream are moved by up to 2 % of their side, each by itself."""


def quiet(done: int, total: int) -> None:
    """Tell nobody."""


def test_bursts_and_scenes_are_those_that_were_written(write_frames: Write) -> None:
    root = write_frames({"b": [1, 1, 1, 2, 1], "a": [3, 3, 4]})
    frames = read_frames(root, quiet)
    assert frames.nodes == ("a",) * 3 + ("b",) * 5
    assert [Path(path).name for path in frames.paths] == [
        *("f8.jpg", "f9.jpg", "f10.jpg"),
        *(f"f{time}.jpg" for time in range(8, 13)),
    ]
    assert run_starts(frames, NEAR).tolist() == [0, 2, 3, 6, 7]
    found = measures_of(frames, NEAR)
    assert found.bursts == Bursts(2, (2, 2.5, 3), 5 / 8)
    assert found.scenes == 4  # the last frame of b shows the first scene again
    assert found.redundancy == 0.5
    assert found.total_bytes == sum(path.stat().st_size for path in root.rglob("*.jpg"))
    own = measures_of(frames.of_node("a"), NEAR)
    assert (own.frames, own.scenes, own.bursts.share) == (3, 2, 2 / 3)


def test_a_run_ends_with_its_node(write_frames: Write) -> None:
    frames = read_frames(write_frames({"a": [1, 1], "b": [1]}), quiet)
    assert run_starts(frames, NEAR).tolist() == [0, 2]
    assert measures_of(frames, NEAR).scenes == 1


def test_without_repeats_nothing_is_redundant(write_frames: Write) -> None:
    found = measures_of(read_frames(write_frames({"": [1, 2, 3]}), quiet), NEAR)
    assert (found.bursts, found.redundancy) == (Bursts(0, (0, 0.0, 0), 0.0), 0.0)
    assert found.lightness_quartiles == tuple(sorted(found.lightness_quartiles))
    assert all(0 < value < 1 for value in found.lightness_quartiles)


def test_what_cannot_be_read_is_named_and_left_out(write_frames: Write) -> None:
    root = write_frames({"": [1, 2]})
    whole = (root / "f8.jpg").read_bytes()
    (root / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "none.png").write_text("no image")
    frames = read_frames(root, quiet)
    assert len(frames) == 2
    assert {Path(line.split(":")[0]).name for line in frames.unreadable} == {
        *("torn.jpg", "none.png"),
    }
    for path in root.glob("f*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="no image of it can be read"):
        read_frames(root, quiet)
    with pytest.raises(InputError, match="expected the folder"):
        read_frames(root / "nosuch", quiet)


def stream(tmp_path: Path, **given: Any) -> Frames:
    data = StreamData.model_validate(
        {
            "of": {"kind": "digits", "size_px": 64},
            "frames": 60,
            "initial": 1,
            "test": 1,
            **given,
        }
    )
    made = made_set(data, 0, tmp_path.as_posix())
    made.make(quiet)
    frames = read_frames(Path(made.folder.root), quiet)
    rows = [row for row, path in enumerate(frames.paths) if "_stream_" in path]
    return frames.take(rows)


def test_the_scenes_of_a_stream_are_found(tmp_path: Path) -> None:
    frames = stream(tmp_path, bursts={"most": 8}, empty=0)
    moments = [moment_of(path) for path in frames.paths]
    assert moments == sorted(moments, key=lambda m: m or ())  # in order of capture
    scenes = {path.rpartition("_")[2] for path in frames.paths}
    found = measures_of(frames, SHAKEN)
    assert len(scenes) <= found.scenes < 1.5 * len(scenes)
    assert found.bursts.share > 0.5
    once = measures_of(stream(tmp_path, bursts={"most": 1}, empty=0), SHAKEN)
    assert once.redundancy < 0.1 < found.redundancy
    assert measures_of(frames, NEAR).redundancy < found.redundancy
