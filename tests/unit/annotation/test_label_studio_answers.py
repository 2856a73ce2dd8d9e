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
LATE = "2026-11-21T11:00:00.000000Z"
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


def test_of_a_person_s_annotations_the_last_counts(image: WaitingImage) -> None:
    """For agreement, for labels, and where it was rejected, skipped or wrong."""
    old, other = annotation(1, region(x=60)), annotation(2, region(), completed_by=2)
    asked = {"annotators": 2, "min_agreement": 0.5}
    found = labels_given(answer(image, annotation(3, region()), other, old, **asked))
    assert (found.agreement, found.annotator) == (1.0, "ann@here")
    disagree = answer(
        image, annotation(3, region(x=60)), other, annotation(1, region()), **asked
    )
    assert "agree by 0.00" in str(disagree)

    rejected = annotation(3, region(), said("rejected"))
    assert "was rejected" in str(answer(image, old, rejected))
    assert "was skipped" in str(answer(image, old, annotation(3, was_cancelled=True)))
    wrong = annotation(1, region(rectanglelabels=["tram"]))
    assert len(labels_given(answer(image, wrong, annotation(3, region()))).labels) == 1
    assert "expected one of" in str(answer(image, old, wrong | {"id": 3, "updated_at": LATE}))


def test_what_was_approved_counts_whatever_others_drew(image: WaitingImage) -> None:
    wrong = annotation(3, region(rectanglelabels=["tram"]), completed_by=2)
    for approved in (
        annotation(1, region(), said("approved")),
        annotation(1, region(), ground_truth=True),
    ):
        found = labels_given(answer(image, approved, wrong))
        assert (found.state, found.annotator, found.agreement) == ("approved", "ann@here", None)
    unread = annotation(1, {"type": "brushlabels"}, ground_truth=True)
    assert "brushlabels" in str(answer(image, unread, annotation(2, region(), completed_by=2)))


@pytest.mark.parametrize("first", [[region()], []])
def test_who_approves_and_draws_nothing_approves_what_is_there(
    image: WaitingImage, first: list[dict[str, Any]]
) -> None:
    approval = annotation(2, said("approved"), completed_by=2)
    found = labels_given(answer(image, annotation(1, *first), approval, review=True))
    assert (found.state, found.annotator) == ("approved", "ann@here")
    assert len(found.labels) == len(first)
    changed = annotation(3, *first)  # after it was approved
    assert answer(image, changed, approval, review=True) is None
    found = labels_given(answer(image, changed, approval))
    assert (found.state, len(found.labels)) == ("submitted", len(first))


def test_whoever_approves_first_that_there_is_nothing_says_so(image: WaitingImage) -> None:
    alone = annotation(1, said("approved"))
    for others in ([], [annotation(2, said("approved"), completed_by=2)]):
        found = labels_given(answer(image, alone, *others))
        assert (found.state, len(found.labels)) == ("approved", 0)


def test_an_approval_is_of_what_was_there_before(image: WaitingImage) -> None:
    approval = annotation(2, said("approved"), completed_by=2)
    first, later = annotation(1, region()), annotation(3, region(x=60), completed_by=3)
    assert labels_given(answer(image, first, approval, later)).annotator == "ann@here"
    disagree = later | {"updated_at": first["updated_at"]}
    asked = {"annotators": 2, "min_agreement": 0.5}
    assert "approve one of them" in str(answer(image, first, disagree, approval, **asked))
    changed = annotation(4, region(x=60))  # by who had made what was approved
    assert answer(image, first, approval, changed, review=True) is None


def test_who_rejects_and_draws_nothing_rejects_what_is_there(image: WaitingImage) -> None:
    rejection = annotation(2, said("rejected"), completed_by=2)
    found = answer(image, annotation(1, region()), rejection)
    assert "was rejected, and waits for other labels (bob@here)" in str(found)
    assert labels_given(answer(image, rejection, annotation(3, region()))).state == "submitted"


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


def polygon(*points: tuple[float, float], **changes: Any) -> dict[str, Any]:
    value = {"points": points, "polygonlabels": ["big bus"], "closed": True}
    return {"type": "polygonlabels", "from_name": "outline", "value": value | changes}


@pytest.mark.parametrize(
    "other",
    [
        {"type": "brushlabels", "from_name": "mask", "value": {"rle": []}},
        {"type": "ellipselabels", "from_name": "oval", "value": BOXES},
        {"type": "keypointlabels", "from_name": "point", "value": {"x": 1, "y": 1}},
        {"type": "rectangle", "from_name": "label", "value": BOXES},
        {"type": ["rectanglelabels"], "value": BOXES},
        {},
        region() | {"to_name": "second"},
        region() | {"image_rotation": 90},
        polygon((1, 1), (20, 1)),
        polygon((1, 1), (20, 1), (20, 20), closed=False),
        polygon((1, 1), (20, 1), (20, 20), polygonlabels=["tram"]),
        polygon((1, 1), (20, float("nan")), (20, 20)),
        polygon((1, 1), (1, 20), (1, 30)),
        region(x=105),
        region(x=-40),
        region(x=1e308),
        region(x=1e308, width=1e308),
        region(y=100),
        region(width=0),
        region(x=200, rotation=45),
    ],
)
@pytest.mark.parametrize("others", [[], [region()]])
def test_an_object_that_cannot_be_understood_holds_its_image_back(
    image: WaitingImage, other: dict[str, Any], others: list[dict[str, Any]]
) -> None:
    """Or it would train a model that there is nothing."""
    found = answer(image, annotation(1, *others, other))
    assert isinstance(found, Problem)
    assert "cam-1/0.png: a" in str(found)
    assert "(ann@here)" in str(found)


def test_a_box_of_any_control_and_the_box_around_an_outline_are_taken(
    image: WaitingImage,
) -> None:
    outline = polygon((10, 10), (30, 20), (20, 40))
    for drawn in (region() | {"from_name": "boxes"}, outline, region() | {"to_name": "image"}):
        labels = labels_given(answer(image, annotation(1, drawn))).labels
        assert labels.xyxy(*SIZE)[0].tolist() == pytest.approx(BOX)


@pytest.mark.parametrize("kind", ["choices", "rating", "textarea", "taxonomy", "relation"])
def test_what_is_said_beside_objects_is_passed_over(image: WaitingImage, kind: str) -> None:
    other = {"type": kind, "from_name": "night", "value": {kind: ["yes"]}}
    assert len(labels_given(answer(image, annotation(1, region(), other))).labels) == 1
    assert len(labels_given(answer(image, annotation(1, other))).labels) == 0


def test_a_box_over_the_edge_is_cut_off(image: WaitingImage) -> None:
    labels = labels_given(answer(image, annotation(1, region(x=90)))).labels
    assert labels.xyxy(100, 100)[0].tolist() == pytest.approx([90, 10, 100, 40])


def test_of_two_who_are_waited_for_one_that_cannot_be_read_is_told(image: WaitingImage) -> None:
    assert "brushlabels" in str(
        answer(image, annotation(1, {"type": "brushlabels"}), annotators=2)
    )


@pytest.mark.parametrize("times", [None, -1.0, "NaN", 1e309])
def test_seconds_that_nobody_knows(image: WaitingImage, times: Any) -> None:
    assert labels_given(answer(image, annotation(1, region(), lead_time=times))).seconds is None
