"""The same predictions lead to the same choice, whatever file they are in."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backhaul
from backhaul.look.fusion import fuse
from backhaul.storage.parquet import to_parquet
from tests.predicted import (
    SIDE_PX,
    Predicted,
    Seen,
    detections_of,
    write_coco,
    write_parquet,
    write_sidecars,
    write_texts,
)

Write: TypeAlias = Callable[[Path, Path, Seen], backhaul.Predictions]

IDS = {f"{number:03d}": 900 - number for number in range(12)}
METHODS = ("iqr", "least-confidence", "rare-first", "diverse", "k-center")


def _coco_by_ids(folder: Path, _: Path, seen: Seen) -> backhaul.Predictions:
    results = write_coco(folder / "results.json", seen, IDS)
    listed = [{"id": number, "file_name": f"{name}.png"} for name, number in IDS.items()]
    (folder / "images.json").write_text(json.dumps({"images": listed}))
    return backhaul.Predictions([results], coco=folder / "images.json")


def _fused(folder: Path, frames: Path, seen: Seen) -> backhaul.Predictions:
    fused = fuse(detections_of(frames, seen), [1], 0.5)
    (folder / "fused.parquet").write_bytes(to_parquet(fused))
    return backhaul.Predictions([folder / "fused.parquet"])


WRITERS: Mapping[str, Write] = {
    "coco": lambda folder, _, seen: backhaul.Predictions([write_coco(folder / "r.json", seen)]),
    "coco by ids": _coco_by_ids,
    "texts": lambda folder, _, seen: backhaul.Predictions([write_texts(folder / "t", seen)]),
    "json": lambda folder, _, seen: backhaul.Predictions([write_sidecars(folder / "j", seen)]),
    "parquet": lambda folder, frames, seen: backhaul.Predictions(
        [write_parquet(folder / "p.parquet", frames, seen)]
    ),
    "fused parquet": _fused,
}


@st.composite
def predictions(draw: st.DrawFn) -> Seen:
    """Return boxes with sides in whole pixels, none twice in an image."""
    corner = st.integers(0, SIDE_PX // 2 - 1)
    side = st.integers(1, SIDE_PX // 2)

    def boxes() -> st.SearchStrategy[list[Predicted]]:
        one = st.builds(
            lambda c, conf, x, y, w, h: Predicted(c, conf / 128, (x, y, x + w, y + h)),
            st.integers(0, 3), st.integers(14, 127), corner, corner, side, side,
        )  # fmt: skip
        return st.lists(one, max_size=3, unique_by=lambda box: (box.class_id, box.xyxy))

    return {name: draw(boxes()) for name in IDS}


@settings(max_examples=8)
@given(seen=predictions(), method=st.sampled_from(METHODS), seed=st.integers(0, 3))
def test_the_format_changes_no_choice(frames: Path, seen: Seen, method: str, seed: int) -> None:
    if not any(seen.values()):
        seen = {**seen, "000": [Predicted(0, 0.5, (0, 0, 9, 9))]}
    tables = []
    for write in WRITERS.values():
        with TemporaryDirectory() as folder:
            chosen = backhaul.select(
                write(Path(folder), frames, seen), frames, method=method, count=4, seed=seed
            )
        assert 1 <= len(chosen.files) <= 4
        assert chosen.notes == ()
        tables.append(chosen.table.drop(columns="value"))
        assert chosen.options.n_undetected == sum(not boxes for boxes in seen.values())
    assert all(table.equals(tables[0]) for table in tables)


def results_of_ultralytics(frames: Path, name: str) -> Any:
    """Return what Ultralytics' model would return of an image, with two boxes."""
    import torch
    from ultralytics.engine.results import Results

    boxes = torch.tensor([[4.0, 8.0, 20.0, 40.0, 0.625, 2], [30.5, 1, 63, 9.25, 0.375, 0]])
    image = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    return Results(image, str(frames / f"{name}.png"), {0: "a", 1: "b", 2: "c"}, boxes=boxes)


def test_texts_as_ultralytics_writes_them(frames: Path, tmp_path: Path) -> None:
    results_of_ultralytics(frames, "003").save_txt(tmp_path / "003.txt", save_conf=True)
    chosen = backhaul.select(tmp_path, frames, method="least-confidence", count=1)
    assert chosen.files == (frames / "003.png",)
    found = chosen.detections
    assert found.class_id.tolist() == [2, 0]
    assert found.confidence == pytest.approx([0.625, 0.375])
    assert found.xyxy[0] == pytest.approx([4, 8, 20, 40], abs=1e-4)
    assert found.xyxy[1] == pytest.approx([30.5, 1, 63, 9.25], abs=1e-4)


def test_texts_without_confidences_name_the_line(frames: Path, tmp_path: Path) -> None:
    results_of_ultralytics(frames, "003").save_txt(tmp_path / "003.txt", save_conf=False)
    with pytest.raises(ValueError, match=r"003\.txt:1: has no confidence; .*save_conf=True"):
        backhaul.select(tmp_path, frames, count=1)


def test_results_as_ultralytics_writes_them(frames: Path, tmp_path: Path) -> None:
    from ultralytics.models.yolo.detect import DetectionValidator

    jdict: list[Any] = []
    validator = SimpleNamespace(jdict=jdict, class_map=[10, 20, 30])
    boxes = results_of_ultralytics(frames, "003").boxes
    predicted = {"bboxes": boxes.xyxy, "conf": boxes.conf, "cls": boxes.cls}
    DetectionValidator.pred_to_json(validator, predicted, {"im_file": str(frames / "003.png")})
    results = tmp_path / "predictions.json"
    for without_name in (False, True):  # the number is that of the stem
        for entry in jdict if without_name else ():
            entry.pop("file_name")
        results.write_text(json.dumps(jdict))
        chosen = backhaul.select(results, frames, method="least-confidence", count=1)
        assert chosen.files == (frames / "003.png",)
        assert chosen.detections.class_id.tolist() == [30, 10]


def test_results_that_pycocotools_reads(frames: Path, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    seen = {"005": [Predicted(1, 0.5, (2, 4, 30, 20))]}
    given = _coco_by_ids(tmp_path, frames, seen)
    whole = json.loads((tmp_path / "images.json").read_text())
    whole |= {"annotations": [], "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "images.json").write_text(json.dumps(whole))
    peer = COCO(str(tmp_path / "images.json"))
    (entry,) = peer.loadRes(str(given.inputs[0])).anns.values()
    chosen = backhaul.select(given, frames, method="confidence", count=1)
    assert chosen.files == (frames / peer.loadImgs(entry["image_id"])[0]["file_name"],)
    x, y, w, h = entry["bbox"]
    assert chosen.detections.xyxy.tolist() == [[x, y, x + w, y + h]]
