"""Labels that come back as they were exported wait, unless somebody says they are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from backhaul.annotation.exchange.exported import as_exported
from backhaul.annotation.exchange.files import Tool, read_exchange, write_exchange
from backhaul.annotation.exchange.unchanged import set_aside_unchanged
from backhaul.annotation.waiting import WaitingImage, waiting_images
from backhaul.cli import labels as module
from backhaul.layout import RunFiles
from tests.waiting import CLASSES

TOOLS: tuple[Tool, ...] = get_args(Tool)
SHOWN = 0.3
LEAST = ("--min-confidence",)


@pytest.fixture
def images(files: RunFiles, waiting: Callable[..., None]) -> list[WaitingImage]:
    """Two images that wait, with the boxes that they are exported with."""
    waiting(range(2))
    return as_exported(files, waiting_images(files), SHOWN)


def run(files: RunFiles, monkeypatch: pytest.MonkeyPatch, *words: object) -> Result:
    """Run `backhaul labels` on that run."""
    monkeypatch.setattr(module, "find_stored", lambda name: files)
    monkeypatch.setattr(module, "_waiting", waiting_images)
    return CliRunner().invoke(module.labels, list(map(str, words)))


@pytest.mark.parametrize("tool", TOOLS)
def test_the_export_itself_waits(
    tool: Tool,
    images: list[WaitingImage],
    files: RunFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    assert run(files, monkeypatch, "export", "edge", out, "--to", tool).exit_code == 0
    words = ("import", "edge", out, "--from", tool)
    ended = run(files, monkeypatch, *words)
    assert "labels of 0 images taken, 2 images still wait" in ended.output
    assert "2 of them came back as they were exported" in ended.output
    assert "--accept-unchanged" in ended.output
    ended = run(files, monkeypatch, *words, "--accept-unchanged")
    assert "labels of 2 images taken, 0 images still wait" in ended.output
    assert "as they were exported" not in ended.output


@pytest.mark.parametrize(
    ("change", "is_taken"),
    [
        (lambda shape: shape["points"][0].__setitem__(0, 21.0), True),
        (lambda shape: shape["points"][0].__setitem__(0, 20.01), False),
        (lambda shape: shape.update(label="car"), True),
        (lambda shape: shape.update(points=shape["points"][::-1]), False),
    ],
)
def test_what_somebody_changed_is_taken(
    change: Callable[[dict[str, object]], object],
    is_taken: bool,
    images: list[WaitingImage],
    tmp_path: Path,
) -> None:
    write_exchange(tmp_path / "out", "x-anylabeling", images, CLASSES, SHOWN)
    first = images[0].file.image_id
    file = tmp_path / "out" / "images" / f"{first}.json"
    content = json.loads(file.read_text())
    change(content["shapes"][0])
    file.write_text(json.dumps(content))
    found = read_exchange(tmp_path / "out", "x-anylabeling", images, CLASSES)
    assert set_aside_unchanged(found, images) == 2 - is_taken
    assert set(found.labels) == ({first} if is_taken else set())


@pytest.mark.parametrize("is_checked", [True, False])
def test_what_x_anylabeling_has_as_checked_is_finished(
    is_checked: bool, images: list[WaitingImage], tmp_path: Path
) -> None:
    write_exchange(tmp_path / "out", "x-anylabeling", images, CLASSES, SHOWN)
    first = images[0].file.image_id
    file = tmp_path / "out" / "images" / f"{first}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"checked": is_checked}))
    found = read_exchange(tmp_path / "out", "x-anylabeling", images, CLASSES)
    set_aside_unchanged(found, images)
    assert set(found.labels) == ({first} if is_checked else set())


def test_a_box_that_was_removed_is_a_change(images: list[WaitingImage], tmp_path: Path) -> None:
    write_exchange(tmp_path / "out", "yolo", images, CLASSES, SHOWN)
    first = images[0].file.image_id
    (tmp_path / "out" / "labels" / f"{first}.txt").write_text("")
    found = read_exchange(tmp_path / "out", "yolo", images, CLASSES)
    assert set_aside_unchanged(found, images) == 1
    assert len(found.labels[first]) == 0


@pytest.mark.parametrize("least", ["0.01", "0.9"])
def test_the_run_knows_what_was_shown(
    least: str,
    images: list[WaitingImage],
    files: RunFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    ended = run(files, monkeypatch, "export", "edge", out, "--to", "coco", *LEAST, least)
    assert ended.exit_code == 0
    ended = run(files, monkeypatch, "import", "edge", out, "--from", "coco")
    assert "labels of 0 images taken, 2 images still wait" in ended.output
    ended = run(files, monkeypatch, "import", "edge", out, "--from", "coco", *LEAST, "0.5")
    assert "labels of 2 images taken, 0 images still wait" in ended.output


def test_problems_are_printed_the_worst_first(
    images: list[WaitingImage],
    files: RunFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (image.file.image_id for image in images)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / f"{first}.txt").write_text("0 .5 .5 .1 .1\n0 .5 .5 0 .1\n")
    (tmp_path / "labels" / f"{second}.txt").write_text("7 .5 .5 .1 .1\n")
    ended = run(files, monkeypatch, "import", "edge", tmp_path / "labels", "--from", "yolo")
    lines = ended.output.splitlines()
    severities = [
        kind for line in lines for kind in ("error", "warning", "note") if f": {kind}:" in line
    ]
    assert severities == ["error", "warning", "note"]
    assert "labels of 1 images taken, 1 images still wait" in ended.output
