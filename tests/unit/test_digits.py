from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from backhaul.data import digits
from backhaul.data.check import summarize
from backhaul.data.digits import NAMES, SHARES, write_scenes
from backhaul.data.formats import DataReport, read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.geometry import pairwise_iou


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> DataReport:
    folder = tmp_path_factory.mktemp("scenes") / "new" / "digits"
    write_scenes(folder, DigitsData())
    return read(FolderData(root=folder))


def test_the_scenes_are_an_ordinary_yolo_folder(report: DataReport) -> None:
    assert report.problems == ()
    assert report.images.class_names == NAMES
    assert len(report.images) == len(report.images.labelled()) == 420


def test_classes_are_unbalanced_as_said(report: DataReport) -> None:
    summary = summarize(report)
    shares = [count.n_boxes / summary.n_boxes for count in summary.classes]
    np.testing.assert_allclose(shares, SHARES, atol=0.05)


def test_scenes_have_up_to_four_digits_and_few_have_none(report: DataReport) -> None:
    counts = Counter(len(labels) for labels in report.images.table["labels"])
    assert set(counts) == {0, 1, 2, 3, 4}
    assert 3 <= counts.pop(0) <= 20
    assert min(counts.values()) > 70


def test_boxes_lie_within_the_scene_and_hardly_overlap(report: DataReport) -> None:
    for labels in report.images.table["labels"]:
        xyxy = labels.xyxy(96, 96)
        assert ((xyxy >= -1e-4) & (xyxy <= 96.0001)).all()
        sides = xyxy[:, 2:] - xyxy[:, :2]
        assert ((sides > 4) & (sides <= 36.001)).all()
        assert np.triu(pairwise_iou(xyxy, xyxy), 1).max(initial=0) <= 0.1


def test_boxes_are_tight_around_the_ink() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        ink = digits._draw_digit(int(rng.integers(5)), rng)
        x1, y1, x2, y2 = digits._box_of(ink, 3, 7).astype(int) - [3, 7, 3, 7]
        drawn = ink > 0.25
        assert drawn.sum() == drawn[y1:y2, x1:x2].sum()
        edges = (drawn[y1], drawn[y2 - 1], drawn[:, x1], drawn[:, x2 - 1])
        assert all(edge.any() for edge in edges)


def test_digits_stand_out_at_their_boxes(report: DataReport) -> None:
    spreads: dict[bool, list[float]] = {True: [], False: []}
    for uri, labels in (
        report.images.table[["uri", "labels"]].head(60).itertuples(index=False, name=None)
    ):
        image = cv2.imread(uri, cv2.IMREAD_GRAYSCALE)
        assert image is not None
        assert image.shape == (96, 96)
        inside = np.zeros(image.shape, dtype=bool)
        for x1, y1, x2, y2 in labels.xyxy(96, 96).round().astype(int):
            inside[y1:y2, x1:x2] = True
        for where, found in spreads.items():
            if (inside == where).any():
                found.append(float(image[inside == where].std()))
    assert np.mean(spreads[True]) > 2 * np.mean(spreads[False])


def test_equal_settings_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", DigitsData(images=12))
    write_scenes(tmp_path / "b", DigitsData(images=12))
    write_scenes(tmp_path / "c", DigitsData(images=12, seed=1))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert not set(tree(tmp_path / "a").values()) & {
        digest for path, digest in tree(tmp_path / "c").items() if path.startswith("images/")
    }


def test_more_scenes_begin_with_the_same_ones(tmp_path: Path) -> None:
    write_scenes(tmp_path / "few", DigitsData(images=3))
    write_scenes(tmp_path / "many", DigitsData(images=6))
    few, many = tree(tmp_path / "few"), tree(tmp_path / "many")
    assert all(many[path] == digest for path, digest in few.items() if path.endswith("png"))


def test_a_small_scene_has_room_for_the_largest_digit(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", DigitsData(images=40, size_px=48))
    report = read(FolderData(root=tmp_path / "a"))
    assert report.problems == ()
    assert set(report.images.table["width"]) == {48}
