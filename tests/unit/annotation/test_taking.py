"""Labels that are taken: files in the folder of labels, and where they came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backhaul.annotation import taking
from backhaul.annotation.labour import cost_table, labour_table
from backhaul.annotation.taking import Given, take
from backhaul.annotation.waiting import WaitingImage, waiting_images
from backhaul.campaign.labelled import LABELLED, read_labelled, sources_of
from backhaul.campaign.records import Waiting
from backhaul.campaign.runrecords import WAITING
from backhaul.labellayout import labelled_place
from backhaul.layout import RunFiles
from backhaul.storage.conditional import create
from backhaul.storage.objects import read_uri
from backhaul.values.labels import Labels
from tests.waiting import BOX, CLASSES, SIZE

Wait = Callable[..., None]
ONE = Labels.from_rows([[1, 0.2, 0.25, 0.2, 0.3]])
"""The box that the model saw."""


def given(image: WaitingImage, labels: Labels = ONE, **more: object) -> Given:
    shown = image.shown.above(0.3).boxes
    return Given(image=image, labels=labels, source="cvat", shown=shown, **more)  # type: ignore[arg-type]


def test_images_wait_once_with_what_the_model_saw(files: RunFiles, waiting: Wait) -> None:
    waiting(range(3))
    waiting(range(2, 4), "random")
    images = waiting_images(files)
    assert sorted(image.name for image in images) == ["0.png", "1.png", "2.png", "3.png"]
    assert [i.method for i in images if i.name == "2.png"] == ["iqr"]
    shown = images[0].shown
    assert shown.model == "iqr epoch 7"
    assert shown.above(0.3).boxes.xyxy(*SIZE).tolist() == [pytest.approx(BOX)]
    assert shown.boxes.xyxy(*SIZE)[1].tolist() == pytest.approx([100, 50, 200, 90])  # cut off


def test_a_record_of_an_earlier_version_has_no_images(files: RunFiles, waiting: Wait) -> None:
    waiting(range(2))
    new = WAITING.read(files.waiting("iqr0"))
    assert new is not None
    WAITING.write(files.waiting("iqr0"), Waiting(files=new.files))
    assert waiting_images(files) == []


def test_labels_become_files_and_say_where_they_came_from(
    files: RunFiles, waiting: Wait
) -> None:
    waiting(range(3))
    first, second, _ = waiting_images(files)
    empty = given(second, Labels.empty(), annotator="ann")
    taken = take(files, [given(first, seconds=8.0, annotator="bob"), empty], len(CLASSES))
    assert [each.image_id for each in taken.images] == [
        first.file.image_id,
        second.file.image_id,
    ]
    assert read_uri(first.labels) == b"1 0.2 0.25 0.2 0.3\n"
    assert read_uri(second.labels) == b""
    assert len(waiting_images(files)) == 1
    [record] = read_labelled(files).values()
    by_id = {each.image_id: each for each in record.images}
    one, other = by_id[first.file.image_id], by_id[second.file.image_id]
    assert (one.annotator, one.seconds, one.n_boxes) == ("bob", 8.0, 1)
    assert one.edits is not None
    assert one.edits.accepted == 1
    assert other.edits is not None
    assert other.edits.removed == 1
    assert sources_of(files, ["iqr0", "iqr1"]) == dict.fromkeys(by_id, "cvat")


def test_a_file_that_is_there_stays_as_it_is(files: RunFiles, waiting: Wait) -> None:
    waiting(range(1))
    [image] = waiting_images(files)
    create(image.labels, b"0 0.5 0.5 0.1 0.1\n")
    taken = take(files, [given(image)], len(CLASSES))
    assert taken.images == []
    assert "stay as they are" in str(taken.problems[0])
    assert read_uri(image.labels) == b"0 0.5 0.5 0.1 0.1\n"
    record = LABELLED.read(labelled_place(files, "iqr0"))
    assert record is not None
    assert record.images == ()


@pytest.mark.parametrize(
    "row", [[3, 0.5, 0.5, 0.1, 0.1], [0, 0.9, 0.5, 0.5, 0.1], [0, float("nan"), 0.5, 0.1, 0.1]]
)
def test_wrong_labels_are_told_and_the_image_waits(
    files: RunFiles, waiting: Wait, row: list[float]
) -> None:
    waiting(range(2))
    wrong, right = waiting_images(files)
    taken = take(files, [given(wrong, Labels.from_rows([row])), given(right)], len(CLASSES))
    assert [each.image_id for each in taken.images] == [right.file.image_id]
    assert [problem.severity for problem in taken.problems] == ["error"]
    assert [image.name for image in waiting_images(files)] == [wrong.name]


def test_who_is_killed_between_record_and_file_takes_it_again(
    files: RunFiles, waiting: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(range(1))
    [image] = waiting_images(files)

    def die(uri: str, data: bytes) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(taking, "create", die)
        with pytest.raises(KeyboardInterrupt):
            take(files, [given(image)], len(CLASSES))
    assert len(waiting_images(files)) == 1
    assert len(take(files, [given(image)], len(CLASSES)).images) == 1
    [record] = read_labelled(files).values()
    assert len(record.images) == 1


def test_costs_of_rounds(files: RunFiles, waiting: Wait) -> None:
    waiting(range(2))
    waiting(range(2, 4), "iqr", 1)
    moved = Labels.from_rows([[1, 0.22, 0.25, 0.2, 0.3], [0, 0.8, 0.8, 0.1, 0.1]])
    images = {image.name: image for image in waiting_images(files)}
    take(
        files,
        [
            given(images["0.png"], seconds=4.0),
            given(images["1.png"], moved, seconds=11.0, agreement=0.5),
            given(images["2.png"]),
        ],
        len(CLASSES),
    )
    costs = cost_table(labour_table(read_labelled(files).values())).to_dict("records")
    assert [(row["batch"], row["images"], row["boxes"]) for row in costs] == [
        (0, 2, 3),
        (1, 1, 1),
    ]
    first = costs[0]
    assert (first["seconds"], first["seconds_per_box"]) == (15.0, 5.0)
    assert [first[name] for name in ("shown", "accepted", "moved", "added", "removed")] == [
        *(2, 1, 1, 1, 0)
    ]
    assert first["accepted_share"] == 0.5
    assert first["agreement"] == 0.5
    assert costs[1]["timed"] == 0


def test_a_run_without_labels_costs_nothing(tmp_path: Path) -> None:
    files = RunFiles(str(tmp_path), "none")
    assert len(cost_table(labour_table(read_labelled(files).values()))) == 0
