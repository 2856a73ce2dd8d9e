"""A data set in the numbers that a campaign is proposed by."""

import pandas as pd
import pytest

from backhaul.campaign.proposal.facts import facts_of
from backhaul.values.images import IMAGE_COLUMNS, ImageSet
from backhaul.values.labels import Labels

CAR, BIKE = 0, 1
Row = tuple[int, int, str | None, Labels | None]


def image_set(rows: list[Row]) -> ImageSet:
    values = [
        (f"id-{i}", f"{i}.png", width, height, 100, group, labels, "dataset", None)
        for i, (width, height, group, labels) in enumerate(rows)
    ]
    frame = pd.DataFrame(values, columns=list(IMAGE_COLUMNS), dtype=object)
    return ImageSet(frame, ("car", "bike", "never"))


def test_objects_are_measured_against_the_longer_side_as_the_detector_sees_them() -> None:
    wide = Labels.from_rows([(CAR, 0.5, 0.5, 0.1, 0.4), (BIKE, 0.5, 0.5, 0.1, 0.2)])
    tall = Labels.from_rows([(CAR, 0.5, 0.5, 0.1, 0.1)])
    facts = facts_of(
        image_set(
            [
                (400, 200, None, wide),
                (100, 400, None, tall),
                (64, 64, None, Labels.empty()),
                (64, 64, None, None),
            ]
        )
    )
    car, bike, never = facts.classes
    assert (facts.n_labelled, facts.n_unlabelled, facts.n_objects) == (3, 1, 3)
    assert (car.n_images, car.n_objects, bike.n_images, bike.n_objects) == (2, 2, 1, 1)
    in_wide, in_tall = (40 * 80) ** 0.5 / 400, (10 * 40) ** 0.5 / 400
    assert car.side == pytest.approx((in_wide + in_tall) / 2)
    assert bike.side == pytest.approx(0.1)
    assert (never.n_images, never.n_objects, never.side) == (0, 0, None)


def test_groups_count_as_one_and_images_without_group_as_one_each() -> None:
    some = Labels.from_rows([(CAR, 0.5, 0.5, 0.1, 0.1)])
    groups = ["a", "a", "a", "b", None, None]
    facts = facts_of(image_set([(64, 64, group, some) for group in groups]))
    assert (facts.n_labelled, facts.n_units, facts.largest_unit) == (6, 4, 3)
    assert facts.grouped
    alone = facts.without_groups()
    assert (alone.n_units, alone.largest_unit, alone.grouped) == (6, 1, False)


def test_a_set_without_any_label_has_facts() -> None:
    facts = facts_of(image_set([(64, 64, None, None)]))
    assert (facts.n_labelled, facts.n_units, facts.largest_unit, facts.n_objects) == (
        0,
        0,
        1,
        0,
    )
