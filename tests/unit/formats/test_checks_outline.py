"""Outlines of objects: the box around them, and what becomes of them."""

import math

import numpy as np
import pytest

from backhaul.data.formats.checks import box_of_outline, check_boxes
from backhaul.data.images import ImageFile

IMAGE = ImageFile("/a.png", "0" * 32, 100, 50, 1)


def test_the_box_lies_around_the_outline_which_is_kept() -> None:
    outline = (0.2, 0.1, 0.6, 0.3, 0.4, 0.9)
    labels, problems = check_boxes("a.txt", [box_of_outline(1, outline)], IMAGE, 2)
    assert problems == []
    np.testing.assert_allclose(labels.rows(), [[1, 0.4, 0.5, 0.4, 0.8]])
    assert labels.polygons is not None
    np.testing.assert_array_equal(labels.polygons[0], np.reshape(outline, (3, 2)))


def test_an_outline_is_clipped_to_the_image_as_its_box_is() -> None:
    box = box_of_outline(0, (-0.005, 0.1, 0.5, 0.1, 0.5, 0.5))
    labels, _ = check_boxes("a.txt", [box], IMAGE, 1)
    assert labels.polygons is not None
    outline = labels.polygons[0]
    assert outline is not None
    assert outline.min() == 0.0
    assert labels.rows()[0, 1] - labels.rows()[0, 3] / 2 == pytest.approx(0.0)


def test_an_outline_that_is_no_number_is_an_error() -> None:
    box = box_of_outline(0, (0.1, 0.1, 0.5, math.nan, 0.5, 0.5))
    labels, problems = check_boxes("a.txt", [box], IMAGE, 1)
    assert not len(labels)
    assert [problem.severity for problem in problems] == ["error"]
