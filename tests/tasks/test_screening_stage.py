"""The stage that scores choices, on scenes of digits, without a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from prefect.logging import disable_run_logger

from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.look.descriptors import describe_files
from backhaul.storage.objects import read_value, write_value
from backhaul.study.scores import SCORES
from backhaul.values.artifacts import Artifact
from backhaul.values.columns import names_of
from backhaul.values.detections import FusedDetections
from backhaul.values.features import Features
from backhaul.values.images import ImageSet
from tasks.screening import screen
from tasks.stage import Step


def seen_in(root: str, images: ImageSet) -> Artifact:
    """Store that nothing was detected in images, with descriptors also as features."""
    vectors = Features(names_of(images.ids), describe_files(list(images.table["uri"])))
    none = np.zeros(0)
    found = FusedDetections(
        image_id=names_of([]),
        class_id=none.astype(np.int64),
        confidence=none,
        confidence_std=none,
        votes=none.astype(np.int64),
        xyxy=np.zeros((0, 4)),
        box_spread=none,
        features=vectors,
        descriptors=vectors,
    )
    return write_value(root, found)


def test_choices_are_scored(tmp_path: Path) -> None:
    write_scenes(tmp_path / "digits", DigitsData(images=50, size_px=48))
    images = read(FolderData(root=(tmp_path / "digits").as_posix())).images
    root = tmp_path.as_posix()
    parts = [images.at(np.arange(*ends)) for ends in ((0, 20), (18, 30), (28, 50))]
    pool, known, test = (write_value(root, part) for part in parts)
    chosen = [write_value(root, parts[0].at(np.arange(n))) for n in (0, 3, 12)]
    with disable_run_logger():
        scored = screen.function(
            pool,
            known,
            test,
            tuple(seen_in(root, part) for part in parts),
            tuple(chosen),
            step=Step(root=root, seed=0),
        )
    table = read_value(pd.DataFrame, scored)
    assert list(table.columns) == list(SCORES)
    assert len(table) == 3
    assert table["objects"].tolist() == [
        sum(len(labels) for labels in parts[0].table["labels"][:n]) for n in (0, 3, 12)
    ]
    for score in ("scenes", "radius", "chamfer"):
        assert table[score].is_monotonic_increasing
    assert table["probe"].between(0, 1).all()
