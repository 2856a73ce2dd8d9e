"""`backhaul redundancy`, on folders whose bursts are known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from backhaul.cli.commands import app
from backhaul.csvrows import rows_as_csv
from backhaul.errors import InputError
from backhaul.redundancy.gainmap import PLACE, Point
from tests.unit.redundancy.test_gain_map import points

Write = Callable[..., Path]


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["redundancy", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_it_says_what_repeats(write_frames: Write, tmp_path: Path) -> None:
    root = write_frames({"cam1": [1, 1, 1, 2], "cam2": [3, 3, 4, 4]})
    before = sorted(root.rglob("*"))
    told = run(root)
    assert "8 of 2 nodes" in told
    assert "3 of 2 to 3 frames (median 2), 88% of all frames" in told
    assert "4 distinct; 50% are near-duplicates of an earlier frame" in told
    assert "not known without a model (--model)" in told
    assert "50% of the images are near-duplicates -> diverse" in told
    if not PLACE.exists():
        assert "there is no gain map yet" in told
    assert sorted(root.rglob("*")) == before


def test_the_gain_map_says_whether_choosing_helps(write_frames: Write, tmp_path: Path) -> None:
    gains = tmp_path / "map.csv"
    gains.write_text(rows_as_csv(Point, points()))
    root = write_frames({"": [1, 1, 1, 2, 2, 2]})  # two thirds repeat
    found = json.loads(run(root, "--gain-map", gains, "--format", "json"))
    assert found["redundancy"] == pytest.approx(2 / 3)
    # no empties: between .4 and .8; 40 %: between .6 and .9
    gain = [0.04 + 0.12 * 2 / 3, 0.08 + 0.12 * (2 / 3 - 0.6) / 0.3]
    assert [each["gain"] for each in found["choosing"]["expected"]] == pytest.approx(gain)
    assert found["choosing"]["help"] == (
        f"yes: about {gain[1]:+.3f} to {gain[0]:+.3f} mAP50, by how many frames are empty, "
        f"over a random choice [{gain[1] - 0.02:+.3f}, {gain[0] + 0.03:+.3f}], as measured in s"
    )
    assert found["auto"]["method"]["kind"] == "diverse"

    every = run(write_frames({"": [1] * 30}), "--gain-map", gains)
    assert "not known: outside of what was measured, which is 0% to 90% of repeats" in every


def test_a_map_of_other_near_duplicates_says_nothing(
    write_frames: Write, tmp_path: Path
) -> None:
    gains = tmp_path / "map.csv"
    gains.write_text(rows_as_csv(Point, points()))
    root = write_frames({"": [1, 1, 1, 2, 2, 2]})
    found = json.loads(run(root, "--gain-map", gains, "--near", "0.14", "--format", "json"))
    assert found["choosing"]["expected"] == []
    assert found["choosing"]["help"] == (
        "not known: the gain map was measured with near-duplicates up to 0.15 apart"
    )
    assert found["auto"]["method"]["near"] == 0.14


def test_nodes_are_in_natural_order_and_their_names_cannot_command_a_terminal(
    write_frames: Write,
) -> None:
    root = write_frames({"cam10": [1], "cam2": [1], "cam02": [2], "\x1b[31mx\n": [3]})
    lines = [line.split("  ")[0] for line in run(root).splitlines()]
    assert lines[6:10] == ["\\x1b[31mx\\n", "cam02", "cam2", "cam10"]


def test_the_strip_has_a_tile_a_run(write_frames: Write, tmp_path: Path) -> None:
    root = write_frames({"a": list(range(25)), "b": [1, 1]})
    place = tmp_path / "strip.png"
    run(root, "--strip", place)
    with Image.open(place) as picture:
        assert picture.format == "PNG"
        colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
        high = picture.height
    assert (0, 0x72, 0xB2) in colours
    run(write_frames({"c": [1]}), "--strip", place)
    with Image.open(place) as more:
        assert more.height > high  # a node begins a new row


def test_wrong_input_is_one_line(tmp_path: Path, write_frames: Write) -> None:
    (tmp_path / "no.pt").write_text("no model")
    root = write_frames({"": [1]})
    for arguments, told in (
        ([tmp_path / "nosuch"], "expected the folder"),
        ([tmp_path / "frames", "--model", tmp_path / "nosuch.pt"], "is no file"),
        ([root, "--gain-map", tmp_path / "no.pt"], "expected the columns"),
        ([root, "--strip", tmp_path / "nosuch" / "a.png"], "cannot be written"),
    ):
        with pytest.raises(InputError, match=told) as wrong:
            run(*arguments)
        assert "\n" not in str(wrong.value)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a detector that was never trained, and so is sure of nothing."""
    from backhaul.look.libraries import isolate_libraries

    isolate_libraries()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("model") / "raw.pt"
    detector: Any = DetectionModel("yolo11n.yaml", nc=2, verbose=False)
    detector.args = {"imgsz": 64}
    torch.save({"model": detector, "train_args": {"imgsz": 64}}, place)
    return place


def test_a_model_of_outlines_is_refused(write_frames: Write, tmp_path: Path) -> None:
    from backhaul.look.libraries import isolate_libraries

    isolate_libraries()
    import torch
    from ultralytics.nn.tasks import SegmentationModel

    outlines: Any = SegmentationModel("yolo11n-seg.yaml", nc=2, verbose=False)
    told = {"imgsz": 64, "task": "segment"}
    torch.save({"model": outlines, "train_args": told}, tmp_path / "seg.pt")
    with pytest.raises(InputError, match=r"seg\.pt: is a model to segment, expected one to"):
        run(write_frames({"": [1]}), "--model", tmp_path / "seg.pt")


def test_a_model_says_what_is_empty(write_frames: Write, model: Path, tmp_path: Path) -> None:
    root = write_frames({"": [1, 2, 3, 4]})
    (tmp_path / "no.pt").write_text("no model")
    with pytest.raises(InputError, match=r"no\.pt: not a checkpoint"):
        run(root, "--model", tmp_path / "no.pt")
    surely = json.loads(run(root, "--model", model, "--conf", "0.9", "--format", "json"))
    assert surely["emptiness"] == {
        "share": 1.0,
        "model": "raw.pt",
        "conf_thres": 0.9,
        "img_size": 64,
    }
    assert "100% are without any detection -> diverse" in surely["auto"]["why"]
    told = run(root, "--model", model, "--conf", "0")
    assert "0%, in which raw.pt sees nothing above 0" in told
    assert "true-random" in told
