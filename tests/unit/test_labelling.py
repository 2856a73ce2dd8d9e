import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backhaul.code import UserCode
from backhaul.data.labelling import label_by_function, label_from_existing
from backhaul.errors import AwaitingLabelsError, InputError
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

CLASSES = ("cat", "dog")
ONE = np.array([[1, 0.5, 0.5, 0.2, 0.4]])
LABELS = Labels.from_rows(ONE)

SOURCE = """
ANSWERS = {}

def answer(path, **params):
    value = ANSWERS[path.name]
    return value(path, **params) if callable(value) else value
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserCode:
    (tmp_path / "my_labels.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_labels", raising=False)
    return UserCode(use="my_labels:answer")


def answers(user: UserCode, **values: Any) -> None:
    user.load().__globals__["ANSWERS"] |= {f"{name}.png": v for name, v in values.items()}


def image_set(**labels: Labels | None) -> ImageSet:
    table = pd.DataFrame(
        {
            "image_id": list(labels),
            "uri": [f"/data/{name}.png" for name in labels],
            "labels": pd.Series(list(labels.values()), dtype=object),
        },
        dtype=object,
    ).assign(width=96, height=96, size_bytes=9, group=None, label_source=None, copy_of=None)
    return ImageSet(table[list(IMAGE_COLUMNS)], CLASSES)


def test_existing_labels_are_looked_up_by_content() -> None:
    truth = image_set(a=LABELS, b=Labels.empty(), c=None)
    labelled = label_from_existing(truth.take(["b", "a"]).without_labels(), truth)
    assert labelled.ids == ("b", "a")
    assert [len(boxes) for boxes in labelled.table["labels"]] == [0, 1]
    assert labelled.table["label_source"].tolist() == ["dataset", "dataset"]


def test_existing_labels_keep_their_source() -> None:
    truth = image_set(a=LABELS, b=LABELS)
    sourced = ImageSet(truth.table.assign(label_source=np.array(["crowd", None])), CLASSES)
    labelled = label_from_existing(truth.without_labels(), sourced)
    assert labelled.table["label_source"].tolist() == ["crowd", "dataset"]


def test_missing_labels_are_counted_and_named() -> None:
    truth = image_set(a=LABELS, b=None, c=None, d=None, e=None)
    message = (
        r"4 of 5 images have no labels yet: /data/b\.png, /data/c\.png, /data/d\.png, \.\.\."
    )
    with pytest.raises(AwaitingLabelsError, match=message):
        label_from_existing(truth.without_labels(), truth)
    with pytest.raises(
        AwaitingLabelsError, match=r"1 of 1 images have no labels yet: /data/z\.png$"
    ):
        label_from_existing(image_set(z=None), truth)


def test_no_image_needs_no_label() -> None:
    assert len(label_from_existing(image_set(), image_set(a=LABELS))) == 0


@pytest.mark.parametrize(
    "answer",
    [ONE, LABELS, ONE.tolist(), ["1 0.5 0.5 0.2 0.4"], ("1 .5 .5 .2 .4\n",), "1 .5 .5 .2 .4\n"],
    ids=repr,
)
def test_defect_16_a_function_labels_an_image(user: UserCode, answer: Any) -> None:
    answers(user, a=answer, b=[])
    labelled = label_by_function(image_set(a=None, b=None), user)
    np.testing.assert_allclose(labelled.table["labels"].iloc[0].rows(), ONE)
    assert len(labelled.table["labels"].iloc[1]) == 0
    assert labelled.table["label_source"].tolist() == ["my_labels:answer"] * 2


def test_a_function_gets_the_path_and_its_params(user: UserCode) -> None:
    def answer(path: Path, size: float) -> list[str]:
        assert path == Path("/data/a.png")
        return [f"0 0.5 0.5 {size} {size}"]

    answers(user, a=answer)
    code = user.model_copy(update={"params": {"size": 0.25}})
    labelled = label_by_function(image_set(a=None), code)
    assert labelled.table["labels"].iloc[0].rows().tolist() == [[0, 0.5, 0.5, 0.25, 0.25]]


def test_a_function_without_an_answer_yet_waits(user: UserCode) -> None:
    answers(user, a=ONE, b=None)
    with pytest.raises(AwaitingLabelsError, match=r"1 of 2 images have no labels yet: /data/b"):
        label_by_function(image_set(a=None, b=None), user)


def test_a_box_over_the_edge_by_rounding_is_clipped(user: UserCode) -> None:
    answers(user, a=["0 0.1 0.5 0.2004 0.2"])
    box = label_by_function(image_set(a=None), user).table["labels"].iloc[0].xywhn[0]
    assert box[0] - box[2] / 2 == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "answer",
    [
        ["2 0.5 0.5 0.1 0.1"],
        ["-1 0.5 0.5 0.1 0.1"],
        ["0.5 0.5 0.5 0.1 0.1"],
        ["0 0.5 0.5 0 0.1"],
        ["0 0.95 0.5 0.2 0.1"],
        ["0 48 48 10 10"],
        ["0 nan 0.5 0.1 0.1"],
        ["0 0.5 0.5 0.1"],
        ["cat 0.5 0.5 0.1 0.1"],
        np.zeros((1, 4)),
        7,
    ],
    ids=repr,
)
def test_a_wrong_answer_names_function_and_image(user: UserCode, answer: Any) -> None:
    answers(user, a=answer)
    with pytest.raises(InputError, match=r"^my_labels:answer: /data/a\.png:"):
        label_by_function(image_set(a=None), user)
