"""Which of several people's annotations count, and when an image keeps waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backhaul.annotation.labelstudio.pulling import _Reader
from backhaul.annotation.labelstudio.tasks import Task
from backhaul.annotation.taking import Given
from backhaul.annotation.waiting import WaitingImage, waiting_images
from backhaul.data.annotation import LabelStudioAnnotation
from backhaul.data.formats.report import Problem
from backhaul.layout import RunFiles
from tests.waiting import BOX, CLASSES, SIZE

BOXES = {"x": 10, "y": 10, "width": 20, "height": 30, "rectanglelabels": ["big bus"]}
"""What the model saw, in percent."""
PEOPLE = {1: "ann@here", 2: "bob@here"}


@pytest.fixture
def image(files: RunFiles, waiting: Callable[..., None]) -> WaitingImage:
    waiting(range(1))
    return waiting_images(files)[0]


def region(**changes: Any) -> dict[str, Any]:
    return {"type": "rectanglelabels", "from_name": "label", "value": BOXES | changes}


def said(word: str) -> dict[str, Any]:
    return {"type": "choices", "from_name": "review", "value": {"choices": [word]}}


def annotation(number: int, *result: dict[str, Any], **more: Any) -> dict[str, Any]:
    moment = f"2026-11-21T10:00:{number:02}.000000Z"
    known = {"id": number, "completed_by": 1, "lead_time": 4.0, "updated_at": moment}
    return known | {"result": [*result]} | more


def answer(
    image: WaitingImage, *annotations: dict[str, Any], **settings: Any
) -> Given | Problem | None:
    task = Task.model_validate(
        {
            "id": 7,
            "data": {"backhaul_image": image.file.image_id},
            "annotations": list(annotations),
            "updated_at": "2026-11-21T10:00:00Z",
        }
    )
    chosen = LabelStudioAnnotation(url="http://there:1", **settings)
    return _Reader(image, task, CLASSES, chosen, PEOPLE, "place").given()


def labels_given(found: Given | Problem | None) -> Given:
    assert isinstance(found, Given)
    return found


def test_what_was_submitted_counts(image: WaitingImage) -> None:
    found = labels_given(answer(image, annotation(1, region())))
    assert found.labels.xyxy(*SIZE)[0].tolist() == pytest.approx(BOX)
    assert (found.annotator, found.state, found.seconds) == ("ann@here", "submitted", 4.0)
    assert found.shown is not None
    assert len(found.shown) == 1
    assert found.agreement is None


def test_an_annotation_without_boxes_says_that_there_is_no_object(image: WaitingImage) -> None:
    assert len(labels_given(answer(image, annotation(1))).labels) == 0


def test_what_was_skipped_or_rejected_waits_and_is_told(image: WaitingImage) -> None:
    skipped = answer(image, annotation(1, was_cancelled=True))
    assert isinstance(skipped, Problem)
    assert "cam-1/0.png: was skipped, and waits (ann@here)" in str(skipped)
    rejected = answer(image, annotation(1, region(), said("rejected"), completed_by=9))
    assert isinstance(rejected, Problem)
    assert "was rejected" in str(rejected)
    assert "user 9" in str(rejected)


def test_another_s_annotation_counts_where_one_was_rejected(image: WaitingImage) -> None:
    one = annotation(1, region(), said("rejected"))
    other = annotation(2, region(x=11), completed_by=2)
    assert labels_given(answer(image, one, other)).annotator == "bob@here"


def test_what_was_approved_counts_before_what_came_later(image: WaitingImage) -> None:
    approved = annotation(1, region(), said("approved"))
    later = annotation(2, region(x=50), completed_by=2)
    found = labels_given(answer(image, approved, later))
    assert (found.state, found.annotator, found.seconds) == ("approved", "ann@here", 8.0)
    marked = labels_given(answer(image, later, annotation(1, region(), ground_truth=True)))
    assert (marked.state, marked.annotator) == ("approved", "ann@here")


def test_with_review_what_nobody_approved_waits(image: WaitingImage) -> None:
    assert answer(image, annotation(1, region()), review=True) is None
    found = answer(image, annotation(1, region(), said("approved")), review=True)
    assert labels_given(found).state == "approved"


def test_two_annotators_are_waited_for_and_compared(image: WaitingImage) -> None:
    one = annotation(1, region())
    same = annotation(2, region(), completed_by=1)
    other = annotation(2, region(x=11), completed_by=2)
    assert answer(image, one, annotators=2) is None
    assert answer(image, one, same, annotators=2) is None
    assert labels_given(answer(image, one, other, annotators=2)).agreement == 1.0


def test_two_who_disagree_too_much_wait_for_a_reviewer(image: WaitingImage) -> None:
    one = annotation(1, region())
    other = annotation(2, region(x=60), completed_by=2)
    asked = {"annotators": 2, "min_agreement": 0.5}
    waits = answer(image, one, other, **asked)
    assert isinstance(waits, Problem)
    assert "agree by 0.00 alone" in str(waits)
    found = labels_given(answer(image, one | {"ground_truth": True}, other, **asked))
    assert (found.agreement, found.annotator) == (0.0, "ann@here")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"x": "NaN"}, "cannot be read"),
        ({"rectanglelabels": ["tram"]}, "expected one of"),
        ({"width": None}, "cannot be read"),
    ],
)
def test_what_cannot_be_read_waits_and_is_told(
    image: WaitingImage, value: dict[str, Any], reason: str
) -> None:
    found = answer(image, annotation(1, region(**value)))
    assert isinstance(found, Problem)
    assert reason in str(found)


def test_regions_of_other_kinds_are_passed_over(image: WaitingImage) -> None:
    others = [{"type": "brushlabels", "from_name": "mask", "value": {"rle": []}}, {}]
    assert len(labels_given(answer(image, annotation(1, region(), *others))).labels) == 1


@pytest.mark.parametrize("times", [None, -1.0, "NaN"])
def test_seconds_that_nobody_knows(image: WaitingImage, times: Any) -> None:
    assert labels_given(answer(image, annotation(1, region(), lead_time=times))).seconds is None
