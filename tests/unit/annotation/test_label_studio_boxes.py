"""Boxes as Label Studio has them, and the interface of a project."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from backhaul.annotation.labelstudio.boxes import Rectangle, labels_of, regions_of
from backhaul.annotation.labelstudio.interface import interface_of
from backhaul.data.images import ImageFile
from backhaul.values.labels import Labels
from tests.waiting import CLASSES

IMAGE = ImageFile("a.png", "0" * 32, 200, 100, 1000)


def back(regions: list[dict[str, Any]]) -> Labels:
    rectangles = [Rectangle.model_validate(region["value"]) for region in regions]
    return labels_of(rectangles, IMAGE, CLASSES)


@st.composite
def boxes_inside(draw: st.DrawFn) -> Labels:
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        w, h = draw(st.floats(0.001, 1)), draw(st.floats(0.001, 1))
        cx, cy = draw(st.floats(w / 2, 1 - w / 2)), draw(st.floats(h / 2, 1 - h / 2))
        rows.append([draw(st.integers(0, len(CLASSES) - 1)), cx, cy, w, h])
    return Labels.from_rows(rows)


@given(boxes_inside())
def test_boxes_come_back_as_they_went(labels: Labels) -> None:
    regions = regions_of(labels, np.full(len(labels), 0.5), IMAGE, CLASSES)
    found = back(regions)
    assert found.class_id.tolist() == labels.class_id.tolist()
    np.testing.assert_allclose(found.xywhn, labels.xywhn, atol=1e-9)
    for region in regions:
        value = region["value"]
        assert 0 <= value["x"] <= value["x"] + value["width"] <= 100 + 1e-9


def test_percent_of_a_known_box() -> None:
    [region] = regions_of(
        Labels.from_rows([[1, 0.5, 0.25, 0.5, 0.1]]), np.array([0.75]), IMAGE, CLASSES
    )
    assert region["value"] == {
        "x": 25.0,
        "y": pytest.approx(20.0),
        "width": 50.0,
        "height": pytest.approx(10.0),
        "rotation": 0,
        "rectanglelabels": ["big bus"],
    }
    assert (region["score"], region["original_width"]) == (0.75, 200)


def test_of_a_turned_box_the_one_around_it_is_taken() -> None:
    """By a right angle about its upper left corner, in pixels: 40 x 10 becomes 10 x 40."""
    turned = Rectangle(x=50, y=50, width=20, height=10, rotation=90, rectanglelabels=["car"])
    corners = labels_of([turned], IMAGE, CLASSES).xyxy(200, 100)
    np.testing.assert_allclose(corners, [[90, 50, 100, 90]], atol=1e-9)


@pytest.mark.parametrize("names", [[], ["tram"], ["car", "big bus"]])
def test_a_box_without_one_class_of_the_list_is_refused(names: list[str]) -> None:
    wrong = Rectangle(x=1, y=1, width=2, height=2, rectanglelabels=names)
    with pytest.raises(ValueError, match="expected one of car"):
        labels_of([wrong], IMAGE, CLASSES)


def test_the_interface_names_every_class_whatever_its_characters() -> None:
    view = fromstring(interface_of(("a & b", '"<x>"', "car ")))
    assert [each.get("value") for each in view.iter("Label")] == ["a & b", '"<x>"', "car"]
    assert [each.get("value") for each in view.iter("Choice")] == ["approved", "rejected"]
