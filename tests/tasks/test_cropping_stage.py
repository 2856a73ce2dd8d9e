"""Crops as a stage: stored, joined to the data set, labelled, and taken from the cache."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from prefect import flow
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from backhaul.code import UserCode
from backhaul.data.digits import write_scenes
from backhaul.data.formats import read
from backhaul.data.settings import DigitsData, FolderData
from backhaul.errors import InputError
from backhaul.learn.settings import Cropping
from backhaul.storage.objects import read_value, write_value
from backhaul.values.artifacts import Artifact
from backhaul.values.detections import FUSED_COLUMNS, XYXY, FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.results import Cropped
from tasks.cropping import crop
from tasks.labelling import label_existing, label_with
from tasks.stage import Stage, Step, timed

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

TRUTH = Cropping(batches="all", min_side_px=4)


@dataclass(frozen=True)
class Played:
    """Two batches of scenes in a store, in which an ideal detector has seen all there is."""

    root: Path
    images: ImageSet
    dataset: Artifact
    batches: tuple[Artifact, ...]
    fused: tuple[Artifact, ...]

    def arguments(self, settings: Cropping = TRUTH, **changes: Any) -> dict[str, Any]:
        given = {"batches": self.batches, "fused": self.fused, "dataset": self.dataset}
        return {**given, **changes, "cropping": settings, "step": self.step}

    @property
    def step(self) -> Step:
        return Step(root=str(self.root), seed=1)

    def crop(self, settings: Cropping = TRUTH, **changes: Any) -> Cropped:
        made: Cropped = bare(crop, **self.arguments(settings, **changes))
        return made

    def crop_or_take(self, settings: Cropping = TRUTH) -> tuple[Cropped, bool]:
        """Return the crops, and whether they came from the cache."""

        @flow
        def alone() -> tuple[Cropped, bool]:
            with timed() as timings:
                made = crop(**self.arguments(settings))
            return made, timings[0].cached

        return alone()


def bare(stage: Stage[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run what a stage does, without a flow and without the cache."""
    with disable_run_logger():
        return stage.task.fn(*args, **kwargs)


def ideal(images: ImageSet) -> FusedDetections:
    rows = []
    image: Any
    for image in images.table.itertuples():
        corners = image.labels.xyxy(image.width, image.height)
        for class_id, box in zip(image.labels.class_id, corners, strict=True):
            rows.append((image.image_id, class_id, 0.9, 0.1, 2, *box))
    return FusedDetections.from_table(pd.DataFrame(rows, columns=list(FUSED_COLUMNS)))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, DigitsData(images=16, size_px=96))
    return folder


def play(root: Path, images: ImageSet) -> Played:
    halves = [images.take(images.ids[:5]), images.take(images.ids[5:12])]
    return Played(
        root,
        images,
        write_value(str(root), images),
        tuple(write_value(str(root), half.without_labels()) for half in halves),
        tuple(write_value(str(root), ideal(half)) for half in halves),
    )


@pytest.fixture
def played(scenes: Path, tmp_path: Path) -> Iterator[Played]:
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "results"}):
        yield play(tmp_path / "store", read(FolderData(root=scenes)).images)


def batch_of(made: Cropped, number: int) -> ImageSet:
    return read_value(ImageSet, made.batches[number])


def test_crops_arrive_unlabelled_and_their_labels_are_found(played: Played) -> None:
    made = played.crop()
    dataset = read_value(ImageSet, made.dataset)
    for number, before in enumerate(played.batches):
        crops = batch_of(made, number)
        sources = read_value(ImageSet, before)
        assert crops.table["labels"].isna().all()
        assert set(crops.table["group"]) <= set(sources.ids)
        assert all(Path(uri).is_relative_to(played.root) for uri in crops.table["uri"])
        labelled = bare(label_existing, made.batches[number], made.dataset, step=played.step)
        table = read_value(ImageSet, labelled).table
        assert table["label_source"].eq("dataset").all()
        for labels in table["labels"]:  # an ideal detector cuts out exactly one object
            assert len(labels) == 1
            np.testing.assert_allclose(labels.xywhn[0], [0.5, 0.5, 1, 1], atol=0.1)
    assert dataset.ids[: len(played.images)] == played.images.ids
    assert set(dataset.ids[len(played.images) :]) == {
        image_id for number in (0, 1) for image_id in batch_of(made, number).ids
    }


def test_the_table_says_where_each_crop_comes_from(played: Played) -> None:
    made = played.crop()
    dataset = read_value(ImageSet, made.dataset)
    label_of = dict(zip(dataset.table["uri"], dataset.table["labels"], strict=True))
    for number in (0, 1):
        table = read_value(pd.DataFrame, made.tables[number])
        assert list(table.columns) == ["file", "source", *XYXY, "detected", "confidence"]
        assert list(table["file"]) == list(batch_of(made, number).table["uri"])
        row: Any
        for row in table.itertuples():
            source = cv2.imread(str(row.source))
            assert source is not None
            expected = source[row.y1 : row.y2, row.x1 : row.x2]
            made_of = cv2.imread(str(row.file))
            assert made_of is not None
            assert np.array_equal(made_of, expected)
            class_id = int(label_of[row.file].class_id[0])
            assert row.detected == dataset.class_names[class_id]
            assert row.confidence == 0.9


def test_crops_come_from_the_cache_and_are_the_same_in_another_store(
    played: Played, tmp_path: Path
) -> None:
    first, _ = played.crop_or_take()
    assert played.crop_or_take() == (first, True)
    narrow, cached = played.crop_or_take(TRUTH.model_copy(update={"margin": 0.2}))
    assert not cached
    assert narrow.batches != first.batches
    # The same data read in another place: another key, and yet the same files and labels.
    elsewhere = play(tmp_path / "elsewhere", played.images.take(played.images.ids[:14]))
    other, cached = elsewhere.crop_or_take()
    assert not cached
    for number in (0, 1):
        assert batch_of(other, number).ids == batch_of(first, number).ids
        mine, theirs = (
            read_value(ImageSet, made.dataset).take(batch_of(first, number).ids)
            for made in (first, other)
        )
        for labels, others in zip(mine.table["labels"], theirs.table["labels"], strict=True):
            assert np.array_equal(labels.rows(), others.rows())


def test_a_crop_that_is_gone_from_an_artifact_is_made_again(played: Played) -> None:
    first, _ = played.crop_or_take()
    Path(first.batches[0].uri).unlink()
    again, _ = played.crop_or_take()
    assert again == first
    assert len(batch_of(again, 0))


def test_only_the_batches_that_are_given_are_cut(played: Played) -> None:
    made = played.crop(batches=played.batches[:1], fused=played.fused[:1])
    assert len(made.batches) == len(made.tables) == 1
    both = played.crop()
    assert batch_of(made, 0).ids == batch_of(both, 0).ids


def test_no_content_is_played_twice(scenes: Path, tmp_path: Path) -> None:
    """A later batch holds an image again whose crops came before, but for a pixel elsewhere."""
    folder = tmp_path / "data"
    images = read(FolderData(root=scenes)).images
    again = images.table["uri"].iloc[0]
    pixels = cv2.imread(again)
    assert pixels is not None
    pixels[-1, -1] ^= 1
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text((scenes / "data.yaml").read_text())
    for name, data in (("a", cv2.imread(again)), ("b", pixels)):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), data)
        text = (scenes / "labels" / f"{Path(again).stem}.txt").read_text()
        (folder / "labels" / f"{name}.txt").write_text(text)
    both = read(FolderData(root=folder)).images
    step = Step(root=str(tmp_path), seed=1)
    parts = [both.take([image_id]) for image_id in both.ids]
    batches = tuple(write_value(step.root, part.without_labels()) for part in parts)
    fused = tuple(write_value(step.root, ideal(part)) for part in parts)
    dataset = write_value(step.root, both)
    with pytest.raises(InputError, match="nothing can be cut out of batch 1"):
        bare(crop, batches, fused, dataset, TRUTH, step=step)


def test_a_whole_image_may_be_its_own_crop(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def whole(path, detections):\n    return [(0, 0, 96, 96)]\n"
    (tmp_path / "my_whole.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    settings = TRUTH.model_copy(update={"function": UserCode(use="my_whole:whole")})
    made = played.crop(settings)
    dataset = read_value(ImageSet, made.dataset)
    for number, before in enumerate(played.batches):
        sources = read_value(ImageSet, before).ids
        assert len(batch_of(made, number)) == len(sources)
        for image_id, source_id in zip(batch_of(made, number).ids, sources, strict=True):
            mine, whole = dataset.take([image_id, source_id]).table["labels"]
            np.testing.assert_allclose(mine.rows(), whole.rows(), atol=1e-9)
    sys.modules.pop("my_whole")


def test_an_edited_function_cuts_again(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    sizes = []
    # Python takes its compiled copy where second and size of the source are the same.
    for side in (8, 30):
        source = f"def corner(path, detections):\n    return [(0, 0, {side}, {side})]\n"
        (tmp_path / "my_corner.py").write_text(source)
        sys.modules.pop("my_corner", None)
        settings = TRUTH.model_copy(update={"function": UserCode(use="my_corner:corner")})
        made, cached = played.crop_or_take(settings)
        assert not cached
        sizes.append(set(batch_of(made, 0).table["width"]))
    assert sizes == [{8}, {30}]
    sys.modules.pop("my_corner")


def test_a_labelling_function_is_asked_for_the_crop(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "def middle(path):\n"
        "    assert path.is_file() and path.suffix == '.png'\n"
        "    return ['0 0.5 0.5 0.5 0.5']\n"
    )
    (tmp_path / "my_middle.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    unlabelled = write_value(str(played.root), played.images.without_labels())
    made = played.crop(dataset=unlabelled)
    assert read_value(ImageSet, made.dataset).table["labels"].isna().all()
    code = UserCode(use="my_middle:middle")
    labelled = bare(label_with, made.batches[0], code, step=played.step)
    table = read_value(ImageSet, labelled).table
    assert [labels.rows().tolist() for labels in table["labels"]] == [
        [[0, 0.5, 0.5, 0.5, 0.5]]
    ] * len(table)
    sys.modules.pop("my_middle")


def test_a_batch_without_crops_says_what_to_change(played: Played) -> None:
    sure = TRUTH.model_copy(update={"conf_thres": 0.95})
    objects = len(read_value(FusedDetections, played.fused[0]).table)
    reason = (
        rf"^cropping: nothing can be cut out of batch 0: {objects} objects found in 5 images, "
        r"0 of them with confidence >= 0\.95 \(highest 0\.9\); "
        r"lower cropping\.conf_thres or cropping\.min_side_px$"
    )
    with pytest.raises(InputError, match=reason):
        played.crop(sure)
    empty = FusedDetections.from_table(pd.DataFrame([], columns=list(FUSED_COLUMNS)))
    nothing = write_value(str(played.root), empty)
    with pytest.raises(InputError, match=r"batch 1: 0 objects .*confidence >= 0\.25; lower"):
        played.crop(fused=(played.fused[0], nothing))
