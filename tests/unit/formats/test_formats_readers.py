"""What is written means the same to programs that people use, without any edit of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import supervision as sv

from backhaul.arrays import FloatArray
from backhaul.data.formats import FORMATS
from backhaul.data.formats.writing import labelled_rows
from backhaul.data.images import probe
from backhaul.geometry import xywhn_to_xyxy
from backhaul.values.images import ImageSet

SINGLE_PX = 1e-4  # supervision keeps corners in single precision


def expected_corners(folder: Path, images: ImageSet) -> dict[str, FloatArray]:
    """Class id, x1, y1, x2, y2 in pixels of each labelled image, by its name in `folder`."""
    of_id = {probe(str(path)).image_id: path.name for path in folder.iterdir()}
    names = [of_id[image_id] for image_id in images.ids]
    return {
        name: np.column_stack([labels.class_id, labels.xyxy(width, height)])
        for name, width, height, labels in labelled_rows(names, images)
    }


def in_order(rows: FloatArray) -> FloatArray:
    return rows[np.lexsort(rows.round(3).T[::-1])]


def assert_same(
    dataset: sv.DetectionDataset,
    images: ImageSet,
    folder: Path,
    n_listed: int,
    shift_px: float = 0.0,
) -> None:
    assert set(dataset.classes) == set(images.class_names)
    expected = expected_corners(folder, images)
    assert len(dataset) == n_listed
    for path, found in dataset.annotations.items():
        if Path(path).name not in expected:
            assert len(found) == 0
            continue
        rows = expected[Path(path).name]
        if not len(rows):
            assert len(found) == 0
            continue
        assert found.class_id is not None
        ids = [images.class_names.index(dataset.classes[number]) for number in found.class_id]
        corners = found.xyxy + np.array([shift_px, shift_px, 0, 0])
        np.testing.assert_allclose(
            in_order(np.column_stack([ids, corners])), in_order(rows), atol=SINGLE_PX
        )


def test_supervision_reads_yolo(odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS["yolo"].write(tmp_path / "set", odd_set)
    dataset = sv.DetectionDataset.from_yolo(
        str(tmp_path / "set" / "images"),
        str(tmp_path / "set" / "labels"),
        str(tmp_path / "set" / "data.yaml"),
    )
    assert tuple(dataset.classes) == odd_set.class_names
    assert_same(dataset, odd_set, tmp_path / "set" / "images", len(odd_set))


def test_supervision_reads_coco(odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS["coco"].write(tmp_path / "set", odd_set)
    dataset = sv.DetectionDataset.from_coco(
        str(tmp_path / "set" / "images"),
        str(tmp_path / "set" / "annotations" / "instances.json"),
    )
    assert tuple(dataset.classes) == odd_set.class_names
    assert_same(dataset, odd_set, tmp_path / "set" / "images", len(odd_set.labelled()))


def test_supervision_reads_pascal_voc_with_corners_that_count_from_one(
    odd_set: ImageSet, tmp_path: Path
) -> None:
    """It takes xmin and ymin for the first pixel of a box, counted from 1."""
    FORMATS["voc"].write(tmp_path / "set", odd_set)
    folder = tmp_path / "set" / "JPEGImages"
    dataset = sv.DetectionDataset.from_pascal_voc(
        str(folder), str(tmp_path / "set" / "Annotations")
    )
    assert_same(dataset, odd_set, folder, len(odd_set), shift_px=1.0)


def ultralytics_labels(data_yaml: Path) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(data_yaml), autodownload=False)
    options = SimpleNamespace(
        mask_ratio=4, overlap_mask=True, bgr=0.0, task="detect", single_cls=False
    )
    dataset = YOLODataset(
        img_path=data["train"], data=data, task="detect", augment=False, hyp=options
    )
    return data, dataset.labels


def test_ultralytics_trains_on_yolo_as_written(odd_set: ImageSet, tmp_path: Path) -> None:
    FORMATS["yolo"].write(tmp_path / "set", odd_set)
    data, found = ultralytics_labels(tmp_path / "set" / "data.yaml")
    assert tuple(data["names"].values()) == odd_set.class_names
    assert data["train"] == data["val"] == str(tmp_path / "set" / "images")
    expected = expected_corners(tmp_path / "set" / "images", odd_set)
    assert len(found) == len(odd_set)
    for labels in found:
        rows = expected.get(Path(labels["im_file"]).name, np.empty((0, 5)))
        height, width = labels["shape"]
        corners = xywhn_to_xyxy(labels["bboxes"].astype(np.float64), width, height)
        np.testing.assert_allclose(
            in_order(np.column_stack([labels["cls"], corners])), in_order(rows), atol=SINGLE_PX
        )
