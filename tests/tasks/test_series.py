"""Checkpoints measured on made-up detections, and the store found where it lies now."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prefect import flow

from backhaul.analysis.subject import open_subject
from backhaul.campaign.runrecords import LookingConfig
from backhaul.errors import InputError
from backhaul.layout import RunFiles, run_at
from backhaul.look.settings import Inference
from backhaul.measure.settings import Evaluation
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.detections import DETECTION_COLUMNS, Detections
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels
from backhaul.values.results import Measured
from backhaul.values.splits import Splits
from flows.parallel import side_by_side
from tasks.series import labelled_so_far, measure, share_held_out
from tasks.stage import Step

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

BOX = (10.0, 10.0, 30.0, 30.0)
NOWHERE = (60.0, 60.0, 90.0, 90.0)


def images(*names: str, labelled: bool = True) -> ImageSet:
    """Pictures of 100 x 100 pixels with a cat at `BOX`."""
    labels = Labels.from_rows([[0, 0.2, 0.2, 0.2, 0.2]])
    rows = [
        (n, f"/{n}.png", 100, 100, 9, None, labels if labelled else None, None, None)
        for n in names
    ]
    table = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)).astype(object)
    return ImageSet(table, ("cat", "dog"))


def seen(*rows: tuple[str, int, float, tuple[float, ...]]) -> Detections:
    """Detections by image, epoch, confidence and box, all of cats."""
    table = [(name, epoch, 0, confidence, *box) for name, epoch, confidence, box in rows]
    return Detections.from_table(pd.DataFrame(table, columns=list(DETECTION_COLUMNS)))


@pytest.fixture
def in_flow(tmp_path: Path) -> Callable[..., Any]:
    """Calls a stage in a flow, with a step whose store is `tmp_path`."""

    @flow
    def one(call: Any) -> Any:
        return call(Step(root=str(tmp_path), seed=0))

    return one


def weigh(
    in_flow: Any, root: Path, epochs: tuple[int, ...], sets: dict[str, Any]
) -> tuple[pd.DataFrame, Measured]:
    """Measure checkpoints of which each sees the cat in `a`, and the later one also fog."""
    detections = {
        1: seen(("a", 1, 0.6, BOX), ("b", 1, 0.004, BOX)),
        2: seen(("a", 2, 0.9, BOX), ("a", 2, 0.7, NOWHERE), ("elsewhere", 2, 0.9, BOX)),
    }
    stored = tuple(write_value(str(root), detections[epoch]) for epoch in epochs)
    looking = tuple(
        Checkpoint(epoch=e, artifact=Artifact(uri="x", sha256=str(e))) for e in epochs
    )
    of_sets = {
        name: tuple(write_value(str(root), part) for part in parts)
        for name, parts in sets.items()
    }
    found: Measured = in_flow(
        lambda step: measure(looking, stored, of_sets, Inference(), Evaluation(), step=step)
    )
    table = read_value(pd.DataFrame, found.table)
    return table[table["class"] == ""].set_index("test_set"), found


def test_one_checkpoint_is_measured_on_each_set(in_flow: Any, tmp_path: Path) -> None:
    sets = {"init": [images("a")], "all": [images("a"), images("b", "c")]}
    table, found = weigh(in_flow, tmp_path, (2,), sets)
    assert table["prec"].tolist() == [0.5, 0.5]
    assert table["recall"].tolist() == pytest.approx([1, 1 / 3])
    assert table["mAP50"].tolist() == pytest.approx([1, 34 / 101])  # 101 recalls, from 0 on
    assert table["n_images"].tolist() == [1, 3]
    assert table["detect_conf_std"].tolist() == [0, 0]
    benchmark = read_value(pd.DataFrame, found.benchmarks["all"])
    assert set(benchmark["image_id"]) == {"a", "b", "c"}


def test_several_are_fused_and_divided_by_how_many_looked(in_flow: Any, tmp_path: Path) -> None:
    table, found = weigh(in_flow, tmp_path, (1, 2), {"all": [images("a", "b")]})
    benchmark = read_value(pd.DataFrame, found.benchmarks["all"])
    cat, fog = benchmark[benchmark["detected"].notna()].to_dict("records")
    assert (cat["conf"], cat["conf_std"]) == pytest.approx((0.75, 0.3 / np.sqrt(2)))
    assert (fog["conf"], fog["conf_std"]) == pytest.approx((0.35, 0.7 / np.sqrt(2)))
    assert table["prec"].tolist() == [1]
    assert table["recall"].tolist() == [0.5]
    ranked = (51 + 50 * 2 / 3) / 101  # right, fog, and right again below conf_thres
    assert table["mAP50"].tolist() == pytest.approx([ranked])


def test_a_set_without_images_is_left_out(in_flow: Any, tmp_path: Path) -> None:
    table, found = weigh(in_flow, tmp_path, (1,), {"init": [images("a")], "new": [images()]})
    assert list(table.index) == ["init"]
    table, found = weigh(in_flow, tmp_path, (1,), {"new": [images()]})
    assert (len(table), found.benchmarks) == (0, {})


def test_held_out_images_are_shared_out_in_order(in_flow: Any, tmp_path: Path) -> None:
    names = [f"i{k}" for k in range(7)]
    common = write_value(str(tmp_path), images("t0", *names, "t1"))
    old_test = write_value(str(tmp_path), images("t1", "t0"))
    parts = in_flow(lambda step: share_held_out(common, old_test, 3, step=step))
    found = [read_value(ImageSet, part).ids for part in parts]
    assert [name for part in found for name in part] == names
    assert sorted(len(part) for part in found) == [2, 2, 3]


def test_truth_is_what_any_method_had_labelled(in_flow: Any, tmp_path: Path) -> None:
    root = str(tmp_path)
    batch = write_value(root, images("a", "b", "c", labelled=False))
    sent = (
        Splits(images("a"), images("earlier"), images()),
        Splits(images("b"), images("a"), images()),
    )
    splits = tuple(write_value(root, each) for each in sent)
    known = read_value(
        ImageSet, in_flow(lambda step: labelled_so_far(batch, splits, step=step))
    )
    assert known.ids == ("a", "b")
    assert len(known.labelled()) == 2
    nothing = in_flow(lambda step: labelled_so_far(batch, (), step=step))
    assert len(read_value(ImageSet, nothing)) == 0


def test_calls_side_by_side_come_back_by_their_key_and_a_failure_ends_them() -> None:
    def nothing(key: int, result: object) -> None:
        return None

    calls = {k: partial(pow, k, 2) for k in range(20)}
    assert side_by_side(calls, 3, nothing) == {k: k * k for k in range(20)}
    with pytest.raises(ZeroDivisionError):
        side_by_side({**calls, 20: partial(divmod, 1, 0)}, 2, nothing)
    assert side_by_side({}, 2, nothing) == {}


@pytest.mark.parametrize(
    ("address", "run"),
    [
        ("s3://b/runs/tiny", RunFiles("s3://b", "tiny")),
        ("s3://b/edge/a/runs/many/seed3", RunFiles("s3://b/edge/a", "many/seed3")),
        ("/data/runs/tiny", RunFiles("/data", "tiny")),
        ("s3://b/tiny", None),
        ("/data/runs/many/third", None),
    ],
)
def test_the_address_of_a_run_says_its_store(address: str, run: RunFiles | None) -> None:
    assert run_at(address) == run


def test_a_config_whose_user_code_is_gone_can_still_be_analysed() -> None:
    config = LookingConfig.model_validate(
        {
            "seed": 1,
            "parallel": 2,
            "methods": [{"kind": "user", "use": "gone:Method", "digest": "0"}],
            "batches": {"holdout_batches": 1, "sampling_batch": 10},
            "training": {"img_size": 64, "device": "cpu", "threads": 1, "model": "gone.pt"},
            "inference": {},
            "evaluation": {},
            "labelling": {"source": {"use": "gone:label", "digest": "0"}},
        }
    )
    assert not config.labels_exist


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="runs/tiny: no rounds there yet"):
        open_subject(RunFiles(tmp_path.as_posix(), "tiny"), ())
