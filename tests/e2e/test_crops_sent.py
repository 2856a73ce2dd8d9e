"""A campaign in which the node sends crops of the first batch, and one with nothing to crop."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.prefect, pytest.mark.train]

TILES = """
def tiles(path, detections, side):
    return [(x, y, x + side, y + side) for x in (0, side) for y in (0, side)]
"""
CROPPING = {
    "batches": "first",
    "conf_thres": 0.0,
    "min_visibility": 0.25,
    "function": {"use": "my_tiles:tiles", "params": {"side": 32}},
}
METHODS = {"methods": ["true-random"], "control": False}
N_SOURCES = 12


@dataclass(frozen=True)
class Cropped:
    """A campaign with crops, played twice, and the same one without."""

    run: Any
    whole: Any
    first_computed: set[str]
    again_computed: set[str]


@pytest.fixture(scope="module")
def cropped(fixed: Any) -> Cropped:
    place = fixed.place
    (place.folder / "my_tiles.py").write_text(TILES)
    config = place.config("crops", cropping=CROPPING, **METHODS)
    ended = place.backhaul("run", config)
    assert ended.code == 0, ended.err
    run = place.run("crops")
    computed = run.computed()
    ended = place.backhaul("run", config)
    assert ended.code == 0, ended.err
    return Cropped(run, fixed.run, computed, run.computed())


def crops_of(run: Any) -> pd.DataFrame:
    return pd.read_csv(run.folder / "output" / "crops0.csv")


@pytest.mark.slow
def test_the_first_batch_is_replaced_by_its_crops(cropped: Cropped) -> None:
    table = crops_of(cropped.run)
    files = [f"{file}\n" for file in table["file"]]
    assert (cropped.run.folder / "output" / "sample0.txt").read_text() == "".join(files)
    assert table["source"].nunique() == N_SOURCES
    assert 2 * N_SOURCES < len(table) <= 4 * N_SOURCES
    assert cropped.run.listed("sample1.txt") == cropped.whole.listed("sample1.txt")
    row: Any
    for row in table.itertuples():
        source, made = cv2.imread(row.source), cv2.imread(row.file)
        assert source is not None
        assert made is not None
        assert np.array_equal(made, source[row.y1 : row.y2, row.x1 : row.x2])
    assert table["detected"].notna().any()
    assert table["confidence"].dropna().between(0, 1).all()


def test_crops_are_sent_labelled_and_trained_on(cropped: Cropped) -> None:
    table = crops_of(cropped.run).set_index("file")
    sent = pd.read_csv(cropped.run.folder / "output" / "true-random0_selection.csv")
    assert len(sent) == 5
    assert set(sent["file"]) <= set(table.index)
    parts = {
        name: cropped.run.listed(f"true-random0_{name}.txt") for name in ("train", "valid")
    }
    assert parts["train"]
    seen = pd.read_csv(cropped.run.folder / "output" / "true-random0_benchmark_avg_1_3.csv")
    assert seen["actual"].notna().any()  # the labels of the data set went with the crops
    assert {"init", "true-random"} == set(cropped.run.summary["method"])


def test_crops_of_one_image_are_in_one_split(cropped: Cropped) -> None:
    table = crops_of(cropped.run)
    source = dict(zip(table["file"].str.rsplit("/", n=1).str[-1], table["source"], strict=True))
    where: dict[str, set[str]] = {}
    for name in ("train", "valid", "test"):
        for file in cropped.run.listed(f"true-random0_{name}.txt"):
            where.setdefault(source[file], set()).add(name)
    assert all(len(names) == 1 for names in where.values())


def test_all_methods_share_the_initial_training_and_whole_test_sets(cropped: Cropped) -> None:
    assert "cropping" in cropped.first_computed
    init = cropped.run.round("init")
    assert cropped.run.checkpoint_digests("init") == cropped.whole.checkpoint_digests("init")
    assert init["evaluation"]["sha256"] == cropped.whole.round("init")["evaluation"]["sha256"]
    assert cropped.run.json["data"] == cropped.whole.json["data"]


def test_a_second_run_computes_nothing(cropped: Cropped) -> None:
    assert cropped.again_computed == set()


def test_nothing_to_cut_out_is_one_clear_line(fixed: Any, cropped: Cropped) -> None:
    sure = fixed.place.config(
        "nothing-to-cut", cropping={"batches": "all", "conf_thres": 0.99}, **METHODS
    )
    reason = fixed.place.backhaul("run", sure).one_error()
    assert reason.startswith("cropping: nothing can be cut out of batch 0: ")
    assert f"objects found in {N_SOURCES} images, 0 of them with confidence >= 0.99" in reason
    assert "lower cropping.conf_thres or cropping.min_side_px" in reason


def test_no_function_is_refused_before_anything_runs(fixed: Any) -> None:
    wrong = fixed.place.config("wrong", cropping={"batches": "all", "function": "math:pi"})
    reason = fixed.place.backhaul("validate", wrong).one_error()
    assert "math:pi: expected a function" in reason
